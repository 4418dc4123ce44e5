/**
 * Agents that are killed in the middle of everything, on real mounts: the application goes on as if
 * nothing had been, and both copies stay equal.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ERRNO } from "../adapters/linux/errno.ts";
import { unmountTree } from "../fuse/mount-tree.ts";
import { readProcess, signal } from "../modules/process-table.ts";
import { must, TestNode } from "../replication/testing/pair.ts";
import { Tree } from "../resync/tree.ts";
import { differencesOf } from "../resync/tree-digest.ts";
import { keyText } from "./protocol.ts";
import type { StandInOptions } from "./testing/agent-stand-in.ts";

const NEEDS = "(needs root and FUSE)";
const canMount = process.getuid?.() === 0 && existsSync("/dev/fuse");
const STAND_IN = join(import.meta.dirname, "testing", "agent-stand-in.ts");
const APPLICATION = join(import.meta.dirname, "testing", "application.ts");
const EPOCH = 1;
const STEP_MS_MAX = 20_000;
const KILLS = 12;
const isLong = process.env["MIRRORFARM_LONG"] === "1";

/** A child process whose lines are looked at, and which is gone in the end. */
class Child {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly ended: Promise<number | null>;
  #errors = "";

  constructor(script: string, argument: string) {
    const child = spawn(process.execPath, [script, argument], { stdio: "pipe" });
    this.child = child;
    child.stderr.on("data", (text: Buffer) => {
      this.#errors += text.toString();
    });
    createInterface({ input: child.stdout }).on("line", (line) => this.lines.push(line));
    this.ended = new Promise((resolve) => child.once("exit", resolve));
  }

  get text(): string {
    return `${this.lines.join("\n")}\n${this.#errors}`;
  }

  /** What was said with a line that begins with this word. */
  async said(word: string): Promise<unknown> {
    const deadline = performance.now() + STEP_MS_MAX;
    for (;;) {
      const line = this.lines.find((one) => one.startsWith(`${word} `));
      if (line !== undefined) return JSON.parse(line.slice(word.length));
      if (performance.now() > deadline || this.child.exitCode !== null) {
        throw new Error(`never said ${word}: ${this.text}`);
      }
      await sleep(2);
    }
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

describe.skipIf(!canMount)(`a data process ${NEEDS}`, { timeout: 120_000 }, () => {
  let folder: string;
  let tree: string;
  /** The directory beneath the mount. */
  let rootFd: number;
  let b: TestNode;
  let children: Child[];
  let hosts: Set<number>;
  let options: StandInOptions;

  beforeEach(async () => {
    [children, hosts] = [[], new Set()];
    folder = mkdtempSync(join(tmpdir(), "mirrorfarm-data-process-"));
    tree = join(folder, "tree");
    const stateDirectory = join(folder, "state");
    for (const path of [tree, stateDirectory]) mkdirSync(path);
    rootFd = openSync(tree, "r");
    b = new TestNode("node2", join(folder, "b"));
    await b.open();
    const session = { sessionId: randomBytes(16), replicationKey: randomBytes(32) };
    b.engine.addSession({ ...session, peerId: "node1" });
    await must(b.engine.follow({ epoch: EPOCH }));
    options = {
      open: {
        ...{ moduleId: "test", nodeId: "node1", trees: [{ path: tree, notReplicated: [] }] },
        ...{ listen: { host: "127.0.0.1", port: 0 }, stateDirectory },
      },
      ...{ role: "primary", epoch: EPOCH, peerPort: b.port, leaseMs: 400 },
      session: keyText({ ...session, peerId: "node2" }),
    };
  });

  afterEach(async () => {
    for (const { child } of children) child.kill("SIGKILL");
    for (const id of hosts) signal(id, "SIGKILL");
    unmountTree(tree, { lazy: true });
    closeSync(rootFd);
    await b.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function differences(): string[] {
    const treeOf = (fd: number) => new Tree(0, { rootFd: fd, exclusions: [] });
    return [...differencesOf(treeOf(rootFd), treeOf(b.rootFd()))].map(
      (one) => `${one.kind} ${Buffer.from(one.path)}`,
    );
  }

  function start(script: string, argument: string): Child {
    const child = new Child(script, argument);
    children.push(child);
    return child;
  }

  async function agent(changed: Partial<StandInOptions> = {}): Promise<Child> {
    return start(STAND_IN, JSON.stringify({ ...options, ...changed }));
  }

  /** The data process that it has, and whether it had to begin one. */
  async function opened(one: Child): Promise<{ readonly id: number; readonly isNew: boolean }> {
    const said = await one.said("opened");
    const { isNew, processIds }: { isNew: boolean; processIds: number[] } = JSON.parse(
      JSON.stringify(said),
    );
    const [id = -1] = processIds;
    hosts.add(id);
    return { id, isNew };
  }

  const application = (): Child => start(APPLICATION, tree);

  async function finished(app: Child): Promise<void> {
    app.child.stdin?.end();
    expect(await app.ended, app.text).toBe(0);
  }

  test("an agent killed again and again is never noticed by the application", async () => {
    let current = await agent();
    const { id } = await opened(current);
    await current.said("plays");
    const app = application();
    for (let kill = 0; kill < (isLong ? 10 : 1) * KILLS; kill += 1) {
      // Anywhere: before it has taken over, in the middle of it, and after.
      await sleep(Math.random() * 300);
      await current.kill();
      current = await agent();
      if (kill % 3 === 0) expect(await opened(current)).toEqual({ id, isNew: false });
    }
    await current.said("plays");
    await finished(app);
    expect(Number(app.lines.at(-1))).toBeGreaterThan(KILLS);
    expect(b.events.filter((event) => event.kind === "detached")).toEqual([]);
    await expectEqual();
  });

  test("without an agent nothing is answered past the lease, and the next one lets it go on", async () => {
    const first = await agent();
    const { id } = await opened(first);
    await first.said("plays");
    const app = application();
    await logGrows();
    await first.kill();
    // The last renewal was before the kill, so this is past the lease of what it left.
    await sleep(options.leaseMs);
    const size = logSize();
    await sleep(200);
    expect(logSize()).toBe(size);
    expect(app.child.exitCode).toBe(null);
    const next = await agent();
    expect(await opened(next)).toEqual({ id, isNew: false });
    await logGrows();
    await finished(app);
    await expectEqual();
  });

  test("that is killed leaves errors, no stale data, and a place for the next one", async () => {
    const first = await agent();
    const { id } = await opened(first);
    await first.said("plays");
    const app = application();
    await logGrows();
    signal(id, "SIGKILL");
    expect(await app.ended).not.toBe(0);
    expect(app.text).toMatch(/ENOTCONN|ECONNABORTED|EIO/);
    expect(await first.said("localFault")).toMatchObject({ errno: ERRNO.ENODEV });
    await first.kill();
    const next = await agent();
    expect(await opened(next)).toMatchObject({ isNew: true });
    await next.said("plays");
    expect(existsSync(join(tree, "log"))).toBe(true);
  });

  test.each<[string, (o: StandInOptions) => StandInOptions]>([
    ["another bandwidth", (o) => ({ ...o, open: { ...o.open, resyncBytesPerSecond: 1_000_000 } })],
    ["another node", (o) => ({ ...o, open: { ...o.open, nodeId: "node3" } })],
  ])("of %s is ended, and another begun", async (_what, change) => {
    const first = await agent();
    const { id } = await opened(first);
    await first.said("plays");
    await first.kill();
    const next = await agent(change(options));
    expect(await opened(next)).toMatchObject({ isNew: true });
    expect(["Z", undefined]).toContain(readProcess(id)?.state);
  });

  test("that another agent still speaks to belongs to the newest one", async () => {
    const first = await agent();
    const { id } = await opened(first);
    await first.said("plays");
    const next = await agent();
    expect(await opened(next)).toEqual({ id, isNew: false });
    expect(await first.said("localFault")).toMatchObject({ errno: ERRNO.ENODEV });
    const app = application();
    await logGrows();
    await finished(app);
  });

  /** Modification times follow within a moment. */
  async function expectEqual(): Promise<void> {
    await until(() => differences().length === 0).catch(() => undefined);
    expect(differences()).toEqual([]);
  }

  const logSize = (): number => statSync(join(`/proc/self/fd/${rootFd}`, "log")).size;

  /** The application gets on. */
  async function logGrows(): Promise<void> {
    await until(() => existsSync(`/proc/self/fd/${rootFd}/log`));
    const size = logSize();
    await until(() => logSize() > size);
  }
});

async function until(what: () => boolean): Promise<void> {
  const deadline = performance.now() + STEP_MS_MAX;
  while (!what()) {
    if (performance.now() > deadline) throw new Error("it never came to be");
    await sleep(5);
  }
}
