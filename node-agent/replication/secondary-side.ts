/**
 * The data thread as secondary: admits one primary, lets its resync thread overwrite this copy
 * when the main thread has agreed, then applies the live stream.
 *
 * Nothing that comes over the network changes a file before `admit`, nor after `follow` of a newer
 * epoch, `refuseBelow` or `stop`: those act at once, between two frames.
 */

import { ReceiverOrder, type Refusal } from "#model/replication/receiver-order.ts";
import type { BootMs, Epoch } from "#model/shared/ids.ts";
import type { Result } from "#model/shared/result.ts";
import type { BlockingCalls } from "../fuse/ports.ts";
import type { CoreContext } from "./core-context.ts";
import type { DecodedFrame } from "./frame.ts";
import type { Purpose } from "./hello.ts";
import { LiveConnection } from "./live-connection.ts";
import type { Established, Pollable } from "./pollable.ts";
import { type OperationApplier, Receiver } from "./receiver.ts";
import type { ResyncFailure, ResyncLink } from "./resync-link.ts";

/** What a primary asked for, until the main thread answers. */
type Asked = { readonly epoch: Epoch; readonly attachmentId: string };
/** How far the copy of the present attachment is. */
type CopyState = "none" | "copying" | "complete";

export class SecondarySide {
  readonly order = new ReceiverOrder();
  readonly #context: CoreContext;
  readonly #applier: OperationApplier;
  readonly #receiver: Receiver;
  readonly #live: LiveConnection;
  #asked: Asked | null = null;
  /** The main thread agreed, and the resync thread of an attempt before has yet to end. */
  #isAdmitted = false;
  #worker: ResyncLink | null = null;
  #copy: CopyState = "none";
  #lostAtMs: BootMs | null = null;

  constructor(context: CoreContext, applier: OperationApplier, blocking: BlockingCalls) {
    this.#context = context;
    this.#applier = applier;
    this.#live = new LiveConnection({
      network: context.network,
      take: (decoded) => this.#take(decoded),
      onBatch: () => this.#finishBatch(),
      onLost: () => this.#closeConnection(),
    });
    const onFault = (errno: number, detail: string): void => this.#onFault(errno, detail);
    this.#receiver = new Receiver({ order: this.order, applier, blocking, onFault });
  }

  /** On the wire of the live stream since the start. */
  get bytesSent(): number {
    return this.#live.bytesSent;
  }
  get bytesReceived(): number {
    return this.#live.bytesReceived;
  }
  get operationsApplied(): number {
    return this.#receiver.operationsApplied;
  }
  /** A thread is still writing into this copy. */
  get isCopying(): boolean {
    return this.#worker !== null;
  }

  /** A complete copy takes the live stream of exactly this epoch. */
  isAttachedIn(epoch: Epoch): boolean {
    const { phase, followed } = this.order;
    return phase === "live" && this.#copy === "complete" && followed === epoch;
  }

  *pollables(): Generator<Pollable> {
    if (this.#live.isOpen) yield this.#live;
  }

  /** Receives under `epoch`; returns false when a newer one is known. */
  follow(epoch: Epoch): boolean {
    const before = this.order.followed;
    if (!this.order.follow(epoch).ok) return false;
    if (before !== epoch) this.#endAttachment();
    return true;
  }

  refuseBelow(epoch: Epoch): void {
    this.order.refuseBelow(epoch);
    if (this.order.followed === null) this.#endAttachment();
  }

  /** Receives nothing more; returns the last sequence that was applied. */
  stop(): number {
    const { appliedSequence } = this.order;
    this.order.stop();
    this.#endAttachment();
    return appliedSequence;
  }

  /** The main thread agrees that this copy is overwritten. */
  admit(attachmentId: string): void {
    const asked = this.#asked;
    if (asked === null || asked.attachmentId !== attachmentId || !this.#live.isOpen) return;
    // The thread of an attempt before must have ended, or two would write at once.
    if (this.#worker !== null) {
      this.#worker.cancel();
      this.#isAdmitted = true;
      return;
    }
    this.#isAdmitted = false;
    this.#asked = null;
    const begun = this.order.beginResync(asked.epoch, attachmentId);
    if (!begun.ok) {
      this.#receiver.refuse(begun.error);
      this.#closeConnection();
      return;
    }
    this.#receiver.stop();
    this.#applier.reset();
    this.#copy = "none";
    this.#receiver.answer({ kind: "resyncAdmitted" });
    this.#finishBatch();
  }

  /** A connection whose other end has shown that it has the session's keys. */
  accept(purpose: Purpose, established: Established): void {
    if (purpose === "live") {
      this.#closeConnection();
      this.#lostAtMs = null;
      this.#live.open(established);
      this.#receiver.use(this.#live);
      return;
    }
    const { attachmentId, phase } = this.order;
    const isWanted = phase === "resyncing" && this.#copy === "none" && this.#worker === null;
    if (!isWanted || attachmentId === null) {
      this.#context.network.close(established.fd);
      return;
    }
    this.#copy = "copying";
    const { stateDirectory } = this.#context;
    this.#worker = this.#context.startResync({
      role: "target",
      established,
      attachmentId,
      stateDirectory,
    });
  }

  /** The end of a turn: fsyncs that have ended are acknowledged. */
  flush(): void {
    this.#finishBatch();
  }

  tick(nowMs: BootMs): void {
    this.drainWorker();
    if (this.#isAdmitted && this.#worker === null) this.admit(this.#asked?.attachmentId ?? "");
    if (this.#live.isOpen) this.#acknowledgeRest();
    if (this.order.phase === "none" || this.#live.isOpen) return;
    this.#lostAtMs ??= nowMs;
    // Longer than the primary tries to come back: then it has given this copy up.
    if (nowMs - this.#lostAtMs <= 2 * this.#context.replTimeoutMs) return;
    this.#lostAtMs = null;
    this.#detach("the primary's connection is gone");
  }

  drainWorker(): void {
    this.#worker?.drain((message) => {
      switch (message.kind) {
        case "progress":
          this.#context.emit({ kind: "resyncProgress", progress: message.progress });
          return null;
        case "finished":
          this.onCopied(message.failure);
          return null;
        default:
          return false;
      }
    });
  }

  /** Null, or why the connection is to be closed. */
  #take(decoded: DecodedFrame): string | null {
    const { epoch, frame } = decoded;
    switch (frame.kind) {
      case "beginResync": {
        const judged = this.order.judgeEpoch(epoch);
        if (!judged.ok) return this.#refuse(judged.error);
        const attachmentId = Buffer.from(frame.attachmentId).toString("hex");
        this.#asked = { epoch, attachmentId };
        this.#isAdmitted = false;
        this.#context.emit({ kind: "resyncAsked", epoch, attachmentId });
        return null;
      }
      case "openStream":
        return this.#open(epoch, Buffer.from(frame.attachmentId).toString("hex"));
      case "resumeStream": {
        const attachmentId = Buffer.from(frame.attachmentId).toString("hex");
        const resumed = this.order.resumeStream(epoch, attachmentId);
        if (!resumed.ok) return this.#refuse(resumed.error);
        this.#receiver.begin(resumed.value);
        return null;
      }
      default:
        return reasonOf(this.#receiver.take(decoded));
    }
  }

  #refuse(refusal: Refusal): string | null {
    return reasonOf(this.#receiver.refuse(refusal));
  }

  #open(epoch: Epoch, attachmentId: string): string | null {
    // The primary opens the stream when our resync thread has told its own that all is applied.
    const opened = this.order.openStream(epoch, this.#copy === "none" ? "" : attachmentId);
    if (!opened.ok) return this.#refuse(opened.error);
    this.#receiver.begin(0);
    if (this.#copy === "complete") this.#reportAttached();
    return null;
  }

  /** The resync thread has ended: well (null), or why not. */
  onCopied(failure: ResyncFailure | null): void {
    this.#worker?.close();
    this.#worker = null;
    const { phase } = this.order;
    if (phase === "none") return;
    if (failure !== null) {
      // A primary that has begun anew keeps its connection: this was the attempt before.
      if (this.#asked === null) this.#closeConnection();
      this.#detach(failure.reason);
      // Full, read-only or failing: tried again later, not over and over.
      if (failure.errno !== null) this.#onFault(failure.errno, failure.reason);
      return;
    }
    this.#copy = "complete";
    if (phase === "live") this.#reportAttached();
  }

  #reportAttached(): void {
    const { followed, attachmentId } = this.order;
    if (followed === null || attachmentId === null) return;
    this.#context.emit({ kind: "attached", epoch: followed, attachmentId });
  }

  #onFault(errno: number, detail: string): void {
    this.#copy = "none";
    this.#context.emit({ kind: "localFault", errno, detail });
  }

  #detach(reason: string): void {
    const epoch = this.order.followed ?? 0;
    const kind = this.order.phase === "live" ? "detached" : "resyncFailed";
    this.order.detach();
    this.#receiver.stop();
    this.#worker?.cancel();
    this.#copy = "none";
    this.#context.emit({ kind, epoch, reason });
  }

  #endAttachment(): void {
    this.#closeConnection();
    this.#receiver.stop();
    this.#worker?.cancel();
    this.#asked = null;
    this.#isAdmitted = false;
    this.#copy = "none";
  }

  #finishBatch(): void {
    const sent = this.#receiver.finishBatch();
    if (!sent.ok) this.#closeConnection();
  }

  #acknowledgeRest(): void {
    const sent = this.#receiver.acknowledgeRest();
    if (!sent.ok) this.#closeConnection();
  }

  #closeConnection(): void {
    this.#receiver.disconnect();
    this.#live.close();
  }
}

const reasonOf = (result: Result<void, { readonly reason: string }>): string | null =>
  result.ok ? null : result.error.reason;
