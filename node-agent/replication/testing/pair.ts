/**
 * Two engines of one module on this machine, each with real mounts in a temporary folder, for
 * tests: what two agents' main threads would do between them is done here by hand.
 */

import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootMs } from "../../adapters/linux/clock.ts";
import { LeaseCell } from "../../peer/lease-cell.ts";
import { Tree } from "../../resync/tree.ts";
import { differencesOf } from "../../resync/tree-digest.ts";
import type { EngineEvent, OpenOptions, ReplicationEngine } from "../engine.ts";
import { newReplicationEngine } from "../replication-engine.ts";
import { Relay } from "./relay.ts";

const LEASE_MS = 5000;
const RENEW_MS = 20;

/** One node: its engine, its lease, and what the engine said. */
export class TestNode {
  readonly name: string;
  readonly folder: string;
  readonly cell = new LeaseCell();
  readonly engine: ReplicationEngine = newReplicationEngine();
  readonly events: EngineEvent[] = [];
  port = 0;
  #renewing: NodeJS.Timeout | null = null;
  /** Of the real directories, opened before anything was mounted over them. */
  readonly #real: number[] = [];
  /** A secondary agrees to be overwritten as soon as it is asked. */
  admits = true;
  /** What it agrees to lose is of another history. */
  isForeign = false;

  constructor(name: string, folder: string) {
    this.name = name;
    this.folder = folder;
    this.engine.onEvent((event) => {
      this.events.push(event);
      if (event.kind !== "resyncAsked" || !this.admits) return;
      this.engine.admitResync(event.attachmentId, this.isForeign);
    });
  }

  /** Mount point of tree `number` (from 0). */
  tree(number = 0): string {
    return join(this.folder, `tree${number}`);
  }

  /** The directory beneath the mount of tree `number`: what is on this node's disk. */
  real(number = 0): string {
    return `/proc/${process.pid}/fd/${this.#real[number]}`;
  }

  /** A readable descriptor of that directory. */
  rootFd(number = 0): number {
    return this.#real[number] ?? -1;
  }

  async open(o: { trees?: number; options?: Partial<OpenOptions> } = {}): Promise<void> {
    const trees = Array.from({ length: o.trees ?? 1 }, (_, number) => this.tree(number));
    for (const path of trees) {
      mkdirSync(path, { recursive: true });
      this.#real.push(openSync(path, "r"));
    }
    const opened = await this.engine.open({
      moduleId: "test",
      nodeId: this.name,
      trees: trees.map((path) => ({ path, notReplicated: [] })),
      listen: { host: "127.0.0.1", port: 0 },
      leaseCell: this.cell.buffer,
      stateDirectory: join(this.folder, "state"),
      ...o.options,
    });
    if (!opened.ok) throw new Error(`open: ${JSON.stringify(opened.error)}`);
    this.port = opened.value.port;
  }

  /** Keeps a peer's grant for `epoch` alive, as the heartbeat thread would. */
  holdLease(epoch: number): void {
    const renew = (): void => {
      const nowMs = bootMs();
      this.cell.setPeerGrant({ epoch, sentAtBootMs: nowMs, untilBootMs: nowMs + LEASE_MS });
    };
    renew();
    this.#renewing ??= setInterval(renew, RENEW_MS);
  }

  dropLease(): void {
    if (this.#renewing !== null) clearInterval(this.#renewing);
    this.#renewing = null;
    this.cell.setPeerGrant(null);
  }

  /** Waits for an event, or for the first of several kinds. */
  async saw(kind: EngineEvent["kind"], boundMs = 10_000): Promise<EngineEvent> {
    const deadlineMs = bootMs() + boundMs;
    for (;;) {
      const event = this.events.find((one) => one.kind === kind);
      if (event !== undefined) return event;
      if (bootMs() > deadlineMs) {
        throw new Error(`${this.name} never saw ${kind}: ${JSON.stringify(this.events.slice(-5))}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async close(): Promise<void> {
    this.dropLease();
    await this.engine.close({ lazy: true });
    for (const real of this.#real.splice(0)) closeSync(real);
  }
}

/** A primary `a` and a secondary `b`, connected through session keys that both have. */
export class TestPair {
  readonly folder = mkdtempSync(join(tmpdir(), "mirrorfarm-pair-"));
  a = new TestNode("node1", join(this.folder, "a"));
  b = new TestNode("node2", join(this.folder, "b"));
  #options: { trees?: number; options?: Partial<OpenOptions> } = {};
  /** Between `a` and the replication port of `b`. */
  readonly relay = new Relay(() => this.b.port);

  async open(o: { trees?: number; options?: Partial<OpenOptions> } = {}): Promise<void> {
    this.#options = o;
    await this.a.open(o);
    await this.b.open(o);
    await this.relay.open();
    this.connect();
  }

  connect(): void {
    const [sessionId, replicationKey] = [randomBytes(16), randomBytes(32)];
    this.a.engine.addSession({ sessionId, replicationKey, peerId: this.b.name });
    this.b.engine.addSession({ sessionId, replicationKey, peerId: this.a.name });
    this.a.engine.setPeer([{ host: "127.0.0.1", port: this.relay.port }]);
    this.b.engine.setPeer([{ host: "127.0.0.1", port: this.a.port }]);
  }

  /** `a` serves `epoch` alone, `b` follows, and is brought up to date and required. */
  async attach(epoch = 1): Promise<void> {
    const { a, b } = this;
    a.holdLease(epoch);
    await must(a.engine.serve({ epoch, ackBy: "none" }));
    await must(b.engine.follow({ epoch }));
    await must(a.engine.startResync({ epoch }));
    // On a busy machine a writer is caught up with only after several passes.
    await a.saw("attached", 25_000);
    await must(a.engine.requirePeer(epoch));
  }

  /** `b` takes over as primary of the next epoch; `a` has been closed. */
  async promote(epoch = 2): Promise<void> {
    const { b } = this;
    await must(b.engine.refuseBelow(epoch));
    await must(b.engine.drain());
    b.holdLease(epoch);
    await must(b.engine.serve({ epoch, ackBy: "none" }));
  }

  /** Another life of a node whose agent has been closed: the same folders, a new engine. */
  async reopen(which: "a" | "b"): Promise<void> {
    const { name, folder } = this[which];
    this[which] = new TestNode(name, folder);
    await this[which].open(this.#options);
    this.connect();
  }

  /** `a`, which has been closed, returns as secondary of `b` and is brought up to date. */
  async comeBack(epoch = 2): Promise<void> {
    await this.reopen("a");
    await must(this.a.engine.follow({ epoch }));
    this.b.events.length = 0;
    await must(this.b.engine.startResync({ epoch }));
    await this.b.saw("attached", 25_000);
    await must(this.b.engine.requirePeer(epoch));
  }

  /** Where the two nodes' disks differ, in anything that can be compared; empty when nowhere. */
  differences(number = 0): string[] {
    const tree = (node: TestNode): Tree =>
      new Tree(number, { rootFd: node.rootFd(number), exclusions: [] });
    return [...differencesOf(tree(this.a), tree(this.b))].map(
      (one) => `${one.kind} ${Buffer.from(one.path)}`,
    );
  }

  async close(): Promise<void> {
    await this.a.close();
    await this.b.close();
    await this.relay.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The value of a result that a test takes for granted. */
export async function must<T>(
  promise: Promise<{ ok: true; value: T } | { ok: false; error: unknown }>,
): Promise<T> {
  const result = await promise;
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}
