/** A primary and a secondary in processes of their own, with a link that can be cut. */
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync } from "node:fs";
import path from "node:path";
import { Relay } from "../../../node-agent/replication/testing/relay.ts";
import type { NodeOrder } from "./pair-process.ts";

const PROCESS = path.join(import.meta.dirname, "pair-process.ts");
const ANSWER_MS_MAX = 60_000;
const EPOCH = 1;
const STARTS_MAX = 4;

class NodeProcess {
  readonly name: string;
  readonly folder: string;
  /** The mount point. */
  readonly tree: string;
  /** Of the real directory, from before it was mounted over. */
  readonly #real: number;
  #child: ChildProcess;
  port = 0;

  constructor(name: string, folder: string) {
    this.name = name;
    this.folder = folder;
    this.tree = path.join(folder, "tree0");
    mkdirSync(this.tree, { recursive: true });
    this.#real = openSync(this.tree, "r");
    this.#child = this.#start();
  }

  get real(): string {
    return `/proc/${process.pid}/fd/${this.#real}`;
  }

  #start(): ChildProcess {
    return fork(PROCESS, [this.name, this.folder], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }

  ask(order: NodeOrder): Promise<string> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${this.name}, ${order.kind}: ${why}`));
      const bound = setTimeout(() => fail("no answer"), ANSWER_MS_MAX);
      const ended = (): void => fail("it ended");
      child.once("exit", ended);
      child.once("message", ({ answer, error }: { answer?: string; error?: string }) => {
        clearTimeout(bound);
        child.off("exit", ended);
        if (answer === undefined) fail(error ?? "nothing");
        else resolve(answer);
      });
      child.send(order);
    });
  }

  /** On a very busy machine an engine gives its start up; as an agent would, it is begun anew. */
  async open(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.port = Number(await this.ask({ kind: "open" }));
        return;
      } catch (error) {
        if (attempt === STARTS_MAX) throw error;
        await this.kill();
        this.#child = this.#start();
      }
    }
  }

  /** As a power cut for the process: its mount is left behind dead, and taken off. */
  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
    try {
      execFileSync("umount", ["-l", this.tree], { stdio: "pipe" });
    } catch {
      // It was off already.
    }
  }

  async restart(): Promise<void> {
    this.#child = this.#start();
    await this.open();
  }

  async close(): Promise<void> {
    await this.ask({ kind: "close" }).catch(() => undefined);
    await this.kill();
    closeSync(this.#real);
  }
}

export class KillablePair {
  readonly a: NodeProcess;
  readonly b: NodeProcess;
  readonly #relay: Relay;

  constructor(folder: string) {
    this.a = new NodeProcess("node1", path.join(folder, "a"));
    this.b = new NodeProcess("node2", path.join(folder, "b"));
    this.#relay = new Relay(() => this.b.port);
  }

  async open(): Promise<void> {
    await this.a.open();
    await this.b.open();
    await this.#relay.open();
    await this.#connect();
    await this.a.ask({ kind: "serve", epoch: EPOCH });
    await this.#join();
  }

  async #connect(): Promise<void> {
    const session = randomBytes(48).toString("hex");
    await this.a.ask({ kind: "connect", session, port: this.#relay.port });
    await this.b.ask({ kind: "connect", session, port: this.a.port });
  }

  async #join(): Promise<void> {
    await this.b.ask({ kind: "follow", epoch: EPOCH });
    await this.a.ask({ kind: "attach", epoch: EPOCH });
  }

  /** Connections break, and are taken up again where they stopped. */
  cutLink(): void {
    this.#relay.cut({ refuse: false });
  }

  /** The secondary dies, the primary goes on alone; then it returns and is brought up to date. */
  async killPeer(): Promise<void> {
    await this.b.kill();
    await this.a.ask({ kind: "acknowledgeAlone", epoch: EPOCH });
    await this.b.restart();
    await this.#connect();
    await this.#join();
  }

  /** Kinds of the events that only a fault of the product explains. */
  async faults(): Promise<string[]> {
    const found: string[] = [];
    for (const node of [this.a, this.b]) {
      const events: { kind: string }[] = JSON.parse(await node.ask({ kind: "events" }));
      const bad = events.filter(({ kind }) => /Fault$|^threadFailed$|^peerRefused$/.test(kind));
      found.push(...bad.map((event) => `${node.name}: ${JSON.stringify(event)}`));
    }
    return found;
  }

  async close(): Promise<void> {
    await this.a.close();
    await this.b.close();
    await this.#relay.close();
  }
}
