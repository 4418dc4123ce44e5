import { Buffer } from "node:buffer";
import type { DirtySnapshot } from "#model/replication/dirty-set.ts";
import { ERRNO } from "../../../node-agent/adapters/linux/errno.ts";
import { Connector } from "../../../node-agent/replication/connector.ts";
import type { CoreContext } from "../../../node-agent/replication/core-context.ts";
import type { Established } from "../../../node-agent/replication/pollable.ts";
import type { ResyncLink, ResyncMessage } from "../../../node-agent/replication/resync-link.ts";
import { SealedConnection } from "../../../node-agent/replication/sealed-connection.ts";
import type { Inode, SimDisk } from "../sim-disk.ts";
import type { Descriptors } from "../sim-sockets.ts";

/**
 * The two threads of a resync, in the shape of node-agent/resync: passes over what differs, each
 * followed by one over what was reported meanwhile; the last while the core is paused; then the
 * live stream is attached, and the target brings everything to its disk before it takes the mark
 * of a half-written copy away. Comparing and copying the files themselves is much simpler here.
 */

type Job = Parameters<CoreContext["startResync"]>[0];

export type ResyncHost = {
  readonly disk: SimDisk;
  readonly descriptors: Descriptors;
  /** On the thread of the resync: later, if the process still lives. */
  readonly after: (delayMs: number, run: () => void) => void;
  readonly nowMs: () => number;
  /** Wakes the core's loop. */
  readonly wake: () => void;
  /** What reading or comparing one file takes. */
  readonly fileMs: number;
  readonly onPhase: (phase: string) => void;
};

type Record =
  | { readonly kind: "names"; readonly names: readonly string[] }
  | {
      readonly kind: "file";
      readonly name: string;
      readonly stamp: number;
      readonly cells: readonly (readonly [number, number])[];
    }
  | { readonly kind: "finish" }
  | { readonly kind: "answer"; readonly failure: string | null };

const CONNECT_MS_MAX = 10_000;
const LOOK_MS = 5;
const SILENCE_MS_MAX = 30_000;
const PASSES_MAX = 12;
/** Files that may be left for the pass during which nobody is served. */
const SMALL_ENOUGH = 3;

export const INCOMPLETE = "resync-incomplete";
export const JOINED = "copy-joined";

/** What both threads have in common: a link to the core, and a channel to each other. */
abstract class Run implements ResyncLink {
  protected readonly host: ResyncHost;
  readonly #said: ResyncMessage[] = [];
  #onAnswer: ((answer: boolean | DirtySnapshot) => void) | null = null;
  #channel: SealedConnection | null = null;
  protected isCancelled = false;
  protected isOver = false;
  #heardMs: number;

  constructor(host: ResyncHost) {
    this.host = host;
    this.#heardMs = host.nowMs();
  }

  drain(take: (message: ResyncMessage) => boolean | DirtySnapshot | null): void {
    for (let said = this.#said.shift(); said !== undefined; said = this.#said.shift()) {
      const answer = take(said);
      const onAnswer = this.#onAnswer;
      if (answer === null || onAnswer === null) continue;
      this.#onAnswer = null;
      this.host.after(0.05, () => onAnswer(answer));
    }
  }

  cancel(): void {
    this.isCancelled = true;
  }

  close(): void {
    this.isCancelled = true;
  }

  protected call(message: ResyncMessage, then: (answer: boolean | DirtySnapshot) => void): void {
    this.#onAnswer = then;
    this.#said.push(message);
    this.host.wake();
  }

  protected finish(failure: string | null): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#channel?.close();
    this.#said.push({ kind: "finished", failure });
    this.host.wake();
  }

  protected open({ fd, sendKey, receiveKey }: Established): void {
    this.#channel = new SealedConnection(this.host.descriptors, fd, sendKey, receiveKey);
    this.#listen();
  }

  protected send(record: Record): void {
    const sent = this.#channel?.send(Buffer.from(JSON.stringify(record)));
    if (sent?.ok === false) this.finish(sent.error.reason);
  }

  protected abstract take(record: Record): void;

  #listen(): void {
    this.host.after(LOOK_MS, () => {
      const channel = this.#channel;
      if (channel === null || this.isOver) return;
      if (this.isCancelled) {
        this.finish("cancelled");
        return;
      }
      const read = channel.read((record) => {
        this.#heardMs = this.host.nowMs();
        this.take(JSON.parse(record.toString()));
        return !this.isOver;
      });
      if (!read.ok) {
        this.finish(read.error.reason);
        return;
      }
      if (this.host.nowMs() - this.#heardMs > SILENCE_MS_MAX) {
        this.finish("timedOut");
        return;
      }
      this.#listen();
    });
  }
}

export class SourceRun extends Run {
  readonly #job: Extract<Job, { role: "source" }>;
  #onTaken: (() => void) | null = null;

  constructor(host: ResyncHost, job: Extract<Job, { role: "source" }>) {
    super(host);
    this.#job = job;
    this.#connect();
  }

  protected override take(record: Record): void {
    if (record.kind !== "answer") {
      this.finish("malformed");
      return;
    }
    if (record.failure !== null) {
      this.finish(record.failure);
      return;
    }
    const onTaken = this.#onTaken;
    this.#onTaken = null;
    onTaken?.();
  }

  #connect(): void {
    const { moduleId, nodeId, session, address, userTimeoutMs } = this.#job;
    const { host } = this;
    let isThere = false;
    const connector = new Connector({
      ...{ purpose: "resync", moduleId, nodeId, userTimeoutMs, network: host.descriptors },
      session: () => session,
      addresses: () => [address],
      onConnected: (established) => {
        isThere = true;
        host.onPhase("comparing");
        this.open(established);
        this.#whole(1);
      },
    });
    const deadlineMs = host.nowMs() + CONNECT_MS_MAX;
    const look = (): void => {
      if (isThere || this.isOver) return;
      if (this.isCancelled || host.nowMs() > deadlineMs) {
        connector.close();
        this.finish(`cannot connect for the resync: ${connector.lastFailure}`);
        return;
      }
      connector.tick(host.nowMs());
      if ((host.descriptors.readiness(connector.fd) & connector.events) !== 0) connector.onReady();
      if (!isThere) host.after(LOOK_MS, look);
    };
    look();
  }

  #say(record: Record, then: () => void): void {
    if (this.isCancelled) {
      this.finish("cancelled");
      return;
    }
    this.#onTaken = then;
    this.send(record);
  }

  /** A pass over everything. */
  #whole(pass: number): void {
    const names = [...this.host.disk.tree.names.keys()].sort();
    this.#say({ kind: "names", names }, () => this.#files(names, () => this.#catchUp(pass + 1)));
  }

  #files(names: readonly string[], then: () => void): void {
    const [name, ...rest] = names;
    if (name === undefined) {
      then();
      return;
    }
    this.host.after(this.host.fileMs, () => {
      if (this.host.disk.faults.dataError === "EIO") {
        this.finish("sourceFault: read");
        return;
      }
      const inode = this.host.disk.tree.names.get(name);
      if (inode === undefined) {
        this.#files(rest, then);
        return;
      }
      this.#say(fileRecord(name, inode), () => this.#files(rest, then));
    });
  }

  #catchUp(pass: number): void {
    if (pass > PASSES_MAX) {
      this.finish("writers were faster");
      return;
    }
    this.call({ kind: "takeDirty" }, (dirty) => {
      const before = pathsOf(dirty);
      if (before.everything) {
        this.#whole(pass);
        return;
      }
      if (before.files.length > SMALL_ENOUGH) {
        this.host.onPhase("catchingUp");
        return this.#pass(before, () => this.#catchUp(pass + 1));
      }
      this.#last(before, pass);
    });
  }

  #last(before: Paths, pass: number): void {
    this.host.onPhase("finalPass");
    this.call({ kind: "pause" }, (isPaused) => {
      if (isPaused !== true) {
        this.finish("the core could not pause");
        return;
      }
      this.call({ kind: "takeDirty" }, (dirty) => {
        const both = joined(before, pathsOf(dirty));
        if (both.everything || both.files.length > 2 * SMALL_ENOUGH) {
          this.call({ kind: "resume" }, () => this.#whole(pass));
          return;
        }
        this.#pass(both, () => this.#attach());
      });
    });
  }

  #attach(): void {
    this.call({ kind: "attach" }, (isAttached) => {
      if (isAttached !== true) {
        this.call({ kind: "resume" }, () => this.finish("the core could not attach"));
        return;
      }
      this.host.onPhase("syncing");
      this.call({ kind: "resume" }, () => this.#say({ kind: "finish" }, () => this.finish(null)));
    });
  }

  #pass(paths: Paths, then: () => void): void {
    const files = (): void => this.#files(paths.files, then);
    if (!paths.listing) {
      files();
      return;
    }
    const names = [...this.host.disk.tree.names.keys()].sort();
    this.#say({ kind: "names", names }, files);
  }
}

export class TargetRun extends Run {
  #isMarked = false;

  constructor(host: ResyncHost, job: Extract<Job, { role: "target" }>) {
    super(host);
    this.open(job.established);
  }

  protected override take(record: Record): void {
    const { disk } = this.host;
    if (record.kind === "answer") {
      this.finish("malformed");
      return;
    }
    const error = disk.faults.dataError ?? disk.faults.stateError;
    if (error !== null && record.kind !== "finish") {
      const failure = `targetFault: errno ${ERRNO[error]}`;
      this.send({ kind: "answer", failure });
      this.finish(failure);
      return;
    }
    if (record.kind === "finish") {
      this.#sync();
      return;
    }
    if (record.kind === "names") this.#names(record.names);
    else this.#file(record);
    this.send({ kind: "answer", failure: null });
  }

  #changing(): void {
    if (this.#isMarked) return;
    this.#isMarked = true;
    this.host.disk.setMarker(INCOMPLETE, true);
  }

  #names(names: readonly string[]): void {
    const { tree } = this.host.disk;
    const wanted = new Set(names);
    for (const name of [...tree.names.keys()]) {
      if (wanted.has(name)) continue;
      this.#changing();
      tree.setNames([[name, null]]);
    }
  }

  #file({ name, stamp, cells }: Extract<Record, { kind: "file" }>): void {
    const { tree } = this.host.disk;
    let inode = tree.names.get(name);
    if (inode === undefined || inode.stamp !== stamp) {
      this.#changing();
      inode = tree.inode(stamp) ?? { stamp, cells: new Map() };
      tree.setNames([[name, inode]]);
    }
    const source = new Map(cells);
    const changed: [number, number][] = [];
    for (const cell of new Set([...inode.cells.keys(), ...source.keys()])) {
      const value = source.get(cell) ?? 0;
      if ((inode.cells.get(cell) ?? 0) !== value) changed.push([cell, value]);
    }
    if (changed.length === 0) return;
    this.#changing();
    tree.setCells(inode, changed);
  }

  #sync(): void {
    const { disk, after } = this.host;
    const mark = disk.tree.mark();
    const { slowMs } = disk.faults;
    if (!Number.isFinite(slowMs)) return;
    after(5 + slowMs, () => {
      if (disk.faults.dataError !== null || disk.faults.stateError !== null) {
        this.send({ kind: "answer", failure: "targetFault: sync" });
        this.finish("targetFault: sync");
        return;
      }
      disk.tree.flushAll(mark);
      disk.setMarker(INCOMPLETE, false);
      this.send({ kind: "answer", failure: null });
      disk.setMarker(JOINED, true);
      this.finish(null);
    });
  }
}

type Paths = {
  readonly everything: boolean;
  readonly listing: boolean;
  readonly files: readonly string[];
};

function pathsOf(dirty: boolean | DirtySnapshot): Paths {
  if (typeof dirty === "boolean") return { everything: true, listing: true, files: [] };
  const paths = dirty.entries.map((entry) => Buffer.from(entry.path).toString());
  const listing = paths.includes("");
  const files = paths.filter((path) => path !== "");
  return { everything: dirty.everything, listing, files };
}

const joined = (a: Paths, b: Paths): Paths => ({
  everything: a.everything || b.everything,
  listing: a.listing || b.listing,
  files: [...new Set([...a.files, ...b.files])],
});

const fileRecord = (name: string, inode: Inode): Record => ({
  ...{ kind: "file", name, stamp: inode.stamp, cells: [...inode.cells] },
});
