import type { KeptPlane } from "#model/quorum/kept.ts";
import { assertNever } from "#model/shared/assert.ts";
import type { Epoch, NodeId } from "#model/shared/ids.ts";
import type { LeaseCell } from "../peer/lease-cell.ts";
import type {
  EngineEvent,
  OpenOptions,
  PeerAddress,
  ReplicationEngine,
  SessionKey,
  Standing,
} from "../replication/engine.ts";

/** What happened in the data plane, in the words of the quorum protocol's events. */
export type DataPlaneEvent =
  | { readonly kind: "opened"; readonly port: number; readonly dataIsComplete: boolean }
  | { readonly kind: "serving"; readonly epoch: Epoch }
  | { readonly kind: "attachedAsPrimary"; readonly epoch: Epoch }
  | { readonly kind: "attachedAsSecondary"; readonly epoch: Epoch }
  | { readonly kind: "detached"; readonly cause: string }
  | { readonly kind: "stalled"; readonly oldestUnacknowledgedMs: number }
  | { readonly kind: "resyncAsked"; readonly attachmentId: string }
  | { readonly kind: "resyncFailed"; readonly cause: string }
  | { readonly kind: "drained" }
  | { readonly kind: "flushed" }
  | { readonly kind: "flushFailed"; readonly cause: string }
  | { readonly kind: "stoodStill"; readonly lastedMs: number }
  | { readonly kind: "closed"; readonly isSynced: boolean }
  | { readonly kind: "faulted"; readonly cause: string };

/** An engine that an earlier agent opened, and where it stands. */
export type TakenOverEngine = {
  readonly engine: ReplicationEngine;
  readonly standing: Standing;
  readonly port: number;
  readonly dataIsComplete: boolean;
};

export type DataPlaneOptions = {
  newEngine(): ReplicationEngine;
  /** What outlived an earlier agent; null: nothing did. Asked once, before all else. */
  takeOver(open: OpenOptions): Promise<TakenOverEngine | null>;
  /** Brings this node's copy to its disk; false when that failed, or nobody can tell. */
  sync(): Promise<boolean>;
  readonly open: OpenOptions;
  readonly cell: LeaseCell;
  onEvent(event: DataPlaneEvent): void;
  /** Progress, metrics and other facts for people. */
  onEngineEvent(event: EngineEvent): void;
};

/**
 * The life of one mirror module's replication engine, driven by the effects of the quorum protocol.
 * Calls are carried out one after the other, in the order given; each only starts when the one
 * before has ended, and what came of it is reported as an event. An engine is used once: a primary
 * that becomes secondary is closed, because what it has not answered must never be answered.
 */
export class DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #sessions = new Map<string, SessionKey>();
  #addresses: readonly PeerAddress[] = [];
  #engine: ReplicationEngine | null = null;
  #mode: { readonly epoch: Epoch; readonly role: "primary" | "secondary" } | null = null;
  /** What the protocol ordered last. */
  #acknowledgedBy: "peer" | "none" = "peer";
  #queue: Promise<void> = Promise.resolve();
  #askedAttachment: string | null = null;
  #closing = 0;
  /** Ends when the engine that is being opened is open, or is not. */
  #opening: Promise<unknown> = Promise.resolve();
  /** Ends when every engine before is gone: two must never share mounts, port and lease cell. */
  #closings: Promise<unknown> = Promise.resolve();
  /** Rises with every abort: what was asked before it is not carried out any more. */
  #run = 0;
  #isFenced = false;
  #isEnded = false;

  constructor(options: DataPlaneOptions) {
    this.#options = options;
  }

  get isServing(): boolean {
    return this.#mode?.role === "primary";
  }

  get isOpen(): boolean {
    return this.#engine !== null;
  }

  /** Nothing is mounted, and nothing is being unmounted. */
  get isClosed(): boolean {
    return this.#engine === null && this.#closing === 0;
  }

  get engine(): ReplicationEngine | null {
    return this.#engine;
  }

  /**
   * Goes on with what outlived an earlier agent, if `mayKeep` agrees; otherwise that is closed.
   * Before anything else is asked of this data plane.
   */
  async keep(peer: NodeId, mayKeep: (plane: KeptPlane) => boolean): Promise<KeptPlane | null> {
    const taken = await this.#options.takeOver(this.#options.open);
    if (taken === null) return null;
    const { engine, standing, port, dataIsComplete } = taken;
    const { role, epoch, isAttached, isPeerRequired } = standing;
    const isComplete = isAttached && (isPeerRequired || role === "secondary");
    const plane: KeptPlane =
      role === "primary"
        ? { role, epoch, attached: isComplete ? [peer] : [] }
        : { role, epoch, isAttached };
    if (!mayKeep(plane)) {
      await engine.close({ lazy: true });
      return null;
    }
    engine.onEvent((event) => this.#onEngineEvent(engine, event));
    this.#engine = engine;
    this.#mode = { epoch, role };
    this.#options.onEvent({ kind: "opened", port, dataIsComplete });
    // That the peer must acknowledge was not said any more: as if it were attached now.
    if (isAttached && !isComplete) this.#onAttached(engine, epoch);
    return plane;
  }

  addSession(session: SessionKey): void {
    // Two are kept: the newest, and the one that a connection may still be opened under.
    const older = [...this.#sessions.keys()].slice(0, -1);
    for (const id of older) this.#dropSession(id);
    this.#sessions.set(Buffer.from(session.sessionId).toString("hex"), session);
    this.#engine?.addSession(session);
  }

  setPeer(addresses: readonly PeerAddress[]): void {
    this.#addresses = addresses;
    this.#engine?.setPeer(addresses);
  }

  serve(epoch: Epoch, ackBy: "peer" | "none"): void {
    this.#then(async () => {
      const engine = await this.#opened();
      if (engine === null) return;
      const isServing = this.#mode?.role === "primary" && this.#mode.epoch === epoch;
      this.#options.cell.serve(epoch);
      this.#acknowledgedBy = ackBy;
      const done = isServing
        ? await (ackBy === "none" ? engine.acknowledgeAlone(epoch) : engine.requirePeer(epoch))
        : await engine.serve({ epoch, ackBy });
      // Closed while it was asked: its answer says nothing about this node's disk.
      if (engine !== this.#engine) return;
      if (!done.ok && isServing && done.error.kind === "detached") {
        this.#options.onEvent({ kind: "detached", cause: describe(done.error) });
        return;
      }
      if (!done.ok) return this.#fault(`cannot serve epoch ${epoch}: ${describe(done.error)}`);
      this.#mode = { epoch, role: "primary" };
      if (!isServing) this.#options.onEvent({ kind: "serving", epoch });
    });
  }

  follow(epoch: Epoch): void {
    this.#then(async () => {
      // Replies that this node held back as primary must never be given.
      if (this.#mode?.role === "primary") await this.#close(true);
      this.#options.cell.serve(null);
      const engine = await this.#opened();
      if (engine === null) return;
      const done = await engine.follow({ epoch });
      if (engine !== this.#engine) return;
      if (!done.ok) return this.#fault(`cannot follow epoch ${epoch}: ${describe(done.error)}`);
      this.#mode = { epoch, role: "secondary" };
    });
  }

  refuseBelow(epoch: Epoch): void {
    this.#then(async () => {
      await this.#engine?.refuseBelow(epoch);
    });
  }

  drain(): void {
    const drained = () => this.#options.onEvent({ kind: "drained" });
    this.#then(async () => {
      const engine = this.#engine;
      const done = await engine?.drain();
      // A receiver that does not stop is taken away, so that it takes nothing more for certain.
      if (done?.ok === false && engine === this.#engine) await this.#close(true);
      drained();
    }, drained);
  }

  flush(): void {
    const failed = (cause: string) => this.#options.onEvent({ kind: "flushFailed", cause });
    this.#then(
      async () => {
        const done = await this.#engine?.flush();
        if (done === undefined) failed(CLOSED);
        else if (done.ok) this.#options.onEvent({ kind: "flushed" });
        else failed(describe(done.error));
      },
      () => failed(CLOSED),
    );
  }

  resyncPeer(epoch: Epoch): void {
    const failed = (cause: string) => this.#options.onEvent({ kind: "resyncFailed", cause });
    this.#then(
      async () => {
        const done = await this.#engine?.startResync({ epoch });
        if (done === undefined) failed(CLOSED);
        else if (!done.ok) failed(describe(done.error));
      },
      () => failed(CLOSED),
    );
  }

  /**
   * This node's copy may be overwritten: that it is outdated is on the disk. `isForeign`: what it
   * holds is of another history than the primary's, and is kept aside.
   */
  admitResync(isForeign: boolean): void {
    if (this.#askedAttachment === null) return;
    this.#engine?.admitResync(this.#askedAttachment, isForeign);
    this.#askedAttachment = null;
  }

  close(): void {
    const closed = async () => {
      this.#closing += 1;
      await this.#close(false);
      // Also where nothing was open: an agent before this one may have written.
      const isSynced = await this.#options.sync();
      this.#closing -= 1;
      this.#options.onEvent({ kind: "closed", isSynced });
    };
    this.#then(closed, closed);
  }

  /** Ends every open file operation with an error, then mounts again, read-only for everybody. */
  async abort(): Promise<void> {
    // Not queued: what is under way may be waiting for exactly what is aborted here. What was
    // asked before and has not begun would bring back what is taken away.
    this.#run += 1;
    const closing = this.#close(true);
    this.#then(async () => {
      await this.#opened();
    });
    const reopened = this.#queue;
    await closing;
    await reopened;
  }

  /** Ends every open file operation with an error, for good. */
  async end(): Promise<void> {
    this.#isEnded = true;
    this.#run += 1;
    await this.#close(true);
    await this.#queue;
  }

  fence(): void {
    this.#isFenced = true;
    this.#options.cell.fence();
    this.#engine?.fence();
  }

  thaw(): void {
    this.#isFenced = false;
    this.#options.cell.thaw();
    this.#engine?.thaw();
  }

  /** `dropped` runs instead when an abort came first: what waits for an answer gets one. */
  #then(step: () => Promise<void>, dropped: () => unknown = () => undefined): void {
    const run = this.#run;
    this.#queue = this.#queue
      .then(async () => {
        await (run === this.#run ? step() : dropped());
      })
      .catch((error: unknown) => {
        this.#fault(error instanceof Error ? error.message : String(error));
      });
  }

  async #opened(): Promise<ReplicationEngine | null> {
    if (this.#engine !== null) return this.#engine;
    await this.#closings;
    if (this.#isEnded) return null;
    const engine = this.#options.newEngine();
    engine.onEvent((event) => this.#onEngineEvent(engine, event));
    for (const session of this.#sessions.values()) engine.addSession(session);
    engine.setPeer(this.#addresses);
    this.#engine = engine;
    const opening = engine.open(this.#options.open);
    this.#opening = opening;
    const opened = await opening;
    if (engine !== this.#engine) return null;
    if (!opened.ok) {
      this.#engine = null;
      this.#fault(`cannot open the replicated directories: ${describe(opened.error)}`);
      return null;
    }
    const { port, dataIsComplete } = opened.value;
    this.#options.onEvent({ kind: "opened", port, dataIsComplete });
    return engine;
  }

  async #close(lazy: boolean): Promise<void> {
    const engine = this.#engine;
    const opening = this.#opening;
    this.#engine = null;
    this.#mode = null;
    this.#askedAttachment = null;
    this.#options.cell.serve(null);
    this.#closing += 1;
    const closing = Promise.allSettled([this.#closings, opening]).then(async () => {
      await engine?.close({ lazy });
    });
    this.#closings = closing.catch(() => undefined);
    try {
      await closing;
    } finally {
      this.#closing -= 1;
    }
    // A fence that only a dead data thread asked for ends with it.
    if (this.#engine === null && !this.#isFenced) this.#options.cell.thaw();
  }

  #dropSession(id: string): void {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    if (session !== undefined) this.#engine?.dropSession(session.sessionId);
  }

  #fault(cause: string): void {
    this.#options.onEvent({ kind: "faulted", cause });
  }

  #onEngineEvent(engine: ReplicationEngine, event: EngineEvent): void {
    // An engine that was closed may still have something to say: it is no longer of interest.
    if (engine !== this.#engine) return;
    this.#options.onEngineEvent(event);
    if (event.kind === "resyncAsked") this.#askedAttachment = event.attachmentId;
    if (event.kind === "threadFailed") this.#options.cell.fence();
    if (event.kind === "gapNoticed") this.#options.cell.noticeStall(event.endedAtBootMs);
    if (event.kind === "attached") {
      this.#onAttached(engine, event.epoch);
      return;
    }
    const told = translate(event);
    if (told !== null) this.#options.onEvent(told);
  }

  #onAttached(engine: ReplicationEngine, epoch: Epoch): void {
    if (this.#mode?.role !== "primary") {
      this.#options.onEvent({ kind: "attachedAsSecondary", epoch });
      return;
    }
    this.#then(async () => {
      const done = await engine.requirePeer(epoch);
      if (engine !== this.#engine) return;
      if (done.ok) {
        this.#options.onEvent({ kind: "attachedAsPrimary", epoch });
        return;
      }
      // The protocol hears of no attachment, so it gives no new order: its last one holds. Without
      // this every write would wait for good for a node that nobody counts on.
      if (this.#acknowledgedBy === "none") await engine.acknowledgeAlone(epoch);
      this.#options.onEvent({ kind: "detached", cause: describe(done.error) });
    });
  }
}

/** The engine's words in those of the data plane; null for what is only of interest to people. */
function translate(event: Exclude<EngineEvent, { kind: "attached" }>): DataPlaneEvent | null {
  switch (event.kind) {
    case "detached":
      return { kind: "detached", cause: event.reason };
    case "peerFault":
      return { kind: "detached", cause: `the peer's copy failed: ${event.detail}` };
    case "peerRefused":
      return { kind: "detached", cause: event.reason };
    case "stalled":
      return { kind: "stalled", oldestUnacknowledgedMs: event.oldestUnacknowledgedMs };
    case "resyncAsked":
      return { kind: "resyncAsked", attachmentId: event.attachmentId };
    case "resyncFailed":
      return { kind: "resyncFailed", cause: event.reason };
    case "localFault":
      return { kind: "faulted", cause: event.detail };
    case "threadFailed":
      return { kind: "faulted", cause: `the data thread ended: ${event.detail}` };
    case "gapNoticed":
      return { kind: "stoodStill", lastedMs: event.gapMs };
    case "caughtUp":
    case "resyncProgress":
      return null;
    default:
      return assertNever(event);
  }
}

const CLOSED = "the data plane is closed";

function describe(error: { readonly kind: string; readonly detail?: string }): string {
  return error.detail === undefined ? error.kind : `${error.kind}: ${error.detail}`;
}
