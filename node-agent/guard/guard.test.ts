import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { bootMs } from "../adapters/linux/clock.ts";
import { readCgroupFiles } from "../modules/cgroup.ts";
import type { Containment } from "../modules/containment.ts";
import { openContainment } from "../modules/open-containment.ts";
import { readProcess } from "../modules/process-table.ts";
import type { FenceTargets } from "./fence-order.ts";

/** The real guard with a stub for an agent, in a network namespace and a cgroup of its own. */

const isRoot = process.getuid?.() === 0;
const cleanUps: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

class Node {
  readonly namespace = `mfguard${process.pid}`;
  readonly place = mkdtempSync(join(tmpdir(), "mirrorfarm-guard-"));
  readonly containment: Containment = openContainment(
    readCgroupFiles(),
    `guard-test-${process.pid}`,
    "shop",
  );
  output = "";
  guard: ChildProcess | null = null;

  constructor() {
    cleanUps.push(() => rmSync(this.place, { recursive: true, force: true }));
    execFileSync("ip", ["netns", "add", this.namespace]);
    cleanUps.push(() => void execFileSync("ip", ["netns", "delete", this.namespace]));
    ip(this.namespace, "link", "add", "vip0", "type", "veth", "peer", "name", "vip1");
    ip(this.namespace, "address", "add", "10.9.8.7/32", "dev", "vip0");
    execFileSync("mount", ["-t", "tmpfs", "guard-test", this.place]);
    cleanUps.push(() => {
      if (this.isMounted) execFileSync("umount", ["-l", this.place]);
    });
    const [file = "", ...args] = this.containment.wrap(["sh", "-c", "sleep 60 & setsid sleep 60"]);
    const env = { ...process.env, ...this.containment.environment };
    spawn(file, args, { stdio: "ignore", env, detached: true }).unref();
    cleanUps.push(async () => {
      await this.containment.kill(1_000);
      await until(() => {
        this.containment.remove();
        return !existsSync(this.containment.cgroupPath ?? "");
      }, "the cgroup is removed");
    });
  }

  get targets(): FenceTargets {
    const mark = Object.entries(this.containment.environment)[0]?.join("=") ?? null;
    return {
      addresses: [{ address: "10.9.8.7", prefixLength: 32, interfaceName: "vip0" }],
      cgroupPath: this.containment.cgroupPath,
      processMark: this.containment.cgroupPath === null ? mark : null,
      mounts: [this.place],
    };
  }

  get hasAddress(): boolean {
    return ip(this.namespace, "-o", "address", "show", "dev", "vip0").includes("10.9.8.7");
  }

  get isMounted(): boolean {
    return readFileSync("/proc/self/mounts", "utf8").includes(` ${this.place} `);
  }

  get agents(): number[] {
    return [...this.output.matchAll(/^agent (\d+)$/gm)].map(([, id]) => Number(id));
  }

  get isUntouched(): boolean {
    return this.hasAddress && this.isMounted && this.containment.processIds().length >= 3;
  }

  /** Nothing of it runs, and all of it may go on. */
  get isHeld(): boolean {
    const { cgroupPath } = this.containment;
    const isStill =
      cgroupPath === null
        ? this.containment.processIds().every((id) => readProcess(id)?.state === "T")
        : readFileSync(join(cgroupPath, "cgroup.events"), "utf8").includes("frozen 1");
    return isStill && !this.hasAddress && this.isMounted && !this.containment.isEmpty();
  }

  get isDown(): boolean {
    return !this.hasAddress && !this.isMounted && this.containment.isEmpty();
  }

  async start(mode: "renews" | "silent", leaseMs: number, agent = "stub-agent"): Promise<void> {
    await until(() => this.containment.processIds().length >= 3, "the module's processes run");
    const path = (name: string): string => new URL(name, import.meta.url).pathname;
    const marker = join(tmpdir(), `mirrorfarm-guard-marker-${process.pid}`);
    rmSync(marker, { force: true });
    cleanUps.push(() => rmSync(marker, { force: true }));
    const stub = [path(`./testing/${agent}.ts`), mode, `${leaseMs}`];
    const inside = ["nsenter", `--net=/run/netns/${this.namespace}`];
    const command = [...inside, process.execPath, path("./guard-main.ts"), "--", process.execPath];
    const [file = "", ...args] = [...command, ...stub, JSON.stringify(this.targets), marker];
    const guard = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.guard = guard;
    cleanUps.push(() => {
      guard.kill("SIGKILL");
      for (const id of this.agents) kill(id);
    });
    guard.stdout.on("data", (text) => {
      this.output += text;
    });
    guard.stderr.on("data", (text) => {
      this.output += text;
    });
    await until(() => this.agents.length === 1, "the agent runs");
  }
}

/** `ip` in this network namespace; what it prints. */
const ip = (namespace: string, ...args: string[]): string =>
  execFileSync("ip", ["-n", namespace, ...args]).toString();

function kill(processId: number): void {
  try {
    process.kill(processId, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

describe.runIf(isRoot)("the guard (needs root)", () => {
  test("leaves a module alone while its agent renews the lease", async () => {
    const node = new Node();
    await node.start("renews", 300);
    const startMs = bootMs();
    await until(() => {
      expect(node.isUntouched).toBe(true);
      return bootMs() - startMs > 1_500;
    }, "five leases have passed");
    expect(node.agents).toHaveLength(1);
  });

  test("holds a killed agent's module when the lease ends, and starts the agent again", async () => {
    const node = new Node();
    await node.start("renews", 1_000);
    const [agent = 0] = node.agents;
    const killedMs = bootMs();
    kill(agent);
    await until(() => node.agents.length === 2, "the agent runs again");
    expect(bootMs() - killedMs).toBeLessThan(5_000);
    await until(() => node.isHeld, "the address is gone and the processes stand still");
    // Not before the lease was over. The bounds above it leave room for a busy machine.
    expect(bootMs() - killedMs).toBeGreaterThan(900);
    expect(bootMs() - killedMs).toBeLessThan(8_000);
  });

  test("fences for an agent that lives but says nothing, and replaces it", async () => {
    const node = new Node();
    await node.start("silent", 700);
    expect(node.isUntouched).toBe(true);
    await until(() => node.isHeld, "the address is gone and the processes stand still");
    const said = "shop: the lease ended and the agent did not fence it: held";
    await until(() => node.output.includes(said), "the guard says so");
    await until(() => node.agents.length === 2, "another agent runs");
  });

  test("asked to replace the agent, starts another at once, and nothing is stopped for it", async () => {
    const node = new Node();
    await node.start("renews", 60_000);
    node.guard?.kill("SIGHUP");
    await until(() => node.agents.length === 2, "another agent runs");
    expect(node.output).not.toContain("agent stopped in order");
    expect(node.isUntouched).toBe(true);
  });

  test("asked to stop, asks the agent in order, and leaves nothing that needs a lease", async () => {
    const node = new Node();
    await node.start("renews", 60_000);
    const status = new Promise((resolve) => node.guard?.once("exit", resolve));
    node.guard?.kill("SIGTERM");
    expect(await status).toBe(0);
    expect(node.output).toContain("agent stopped in order");
    expect(node.isDown).toBe(true);
  });
});

describe.runIf(isRoot)("an agent that reports through its heartbeat thread (needs root)", () => {
  test("keeps its module while it runs, and loses it when all of it is stopped", async () => {
    const node = new Node();
    await node.start("renews", 700, "heartbeat-agent");
    const startMs = bootMs();
    await until(() => {
      expect(node.isUntouched).toBe(true);
      return bootMs() - startMs > 1_500;
    }, "two leases have passed");
    process.kill(node.agents[0] ?? 0, "SIGSTOP");
    await until(() => node.isHeld, "the address is gone and the processes stand still");
  });

  test("notices that its guard has died", async () => {
    const node = new Node();
    await node.start("renews", 60_000, "heartbeat-agent");
    node.guard?.kill("SIGKILL");
    await until(() => node.output.includes("the guard is gone"), "the agent notices");
  });
});

test("says how to use it", () => {
  const path = new URL("./guard-main.ts", import.meta.url).pathname;
  const run = (): string => execFileSync(process.execPath, [path], { stdio: "pipe" }).toString();
  expect(run).toThrow(/usage: guard-main/);
});
