/**
 * The data thread as primary: connects to the secondary, has its copy brought up to date, attaches
 * the live stream to it and keeps it, through a broken connection too if that is short.
 *
 * An attachment goes through these stages:
 * - `asking`: connected; the secondary's main thread is asked whether its copy may be overwritten.
 * - `copying`: resync threads on both nodes compare and copy, while mutations are noted here.
 * - `syncing`: the copy equalled ours at an instant at which nothing was handled; the stream has
 *   run since, and the secondary brings its copy to stable storage.
 * - `attached`: done. Only now may the peer be required, and recorded as in sync.
 *
 * A connection lost before `syncing` ends the attempt. Later the stream waits `replTimeoutMs` for
 * a new connection and goes on where the secondary stopped.
 */

import { pointOf } from "#model/replication/change-record.ts";
import {
  planResync,
  type ResyncPlan,
  type TargetRecord,
} from "#model/replication/decide-resync.ts";
import { DirtySet } from "#model/replication/dirty-set.ts";
import type { BootMs, Epoch } from "#model/shared/ids.ts";
import { ERRNO, isDiskError } from "../adapters/linux/errno.ts";
import type { BegunPoint } from "./change-keeper.ts";
import { Connector } from "./connector.ts";
import type { CoreContext, ServedTrees } from "./core-context.ts";
import { DurablePoints } from "./durable-points.ts";
import type { PeerAddress } from "./engine.ts";
import { ATTACHMENT_ID_BYTES, type DecodedFrame, encodeFrame, type Frame } from "./frame.ts";
import { LiveConnection } from "./live-connection.ts";
import type { Established, Pollable } from "./pollable.ts";
import type { ResyncAnswer, ResyncFailure, ResyncLink, ResyncMessage } from "./resync-link.ts";
import type { Sender } from "./sender.ts";
import { WireWriter } from "./wire.ts";

/** The secondary's main thread must connect, follow and persist within this. */
const ASKING_MS_MAX = 15_000;
/** A secondary that does not know our epoch yet is asked again after this. */
const ASK_AGAIN_MS = 100;
/** No pause of the application for the last pass is longer, whatever the resync thread does. */
const PAUSE_MS_MAX = 3000;

type Stage = "asking" | "copying" | "syncing" | "attached";
type Attachment = {
  readonly id: Buffer;
  readonly epoch: Epoch;
  stage: Stage;
  askedAtMs: BootMs;
  worker: ResyncLink | null;
  /** The instant at which both copies were equal, to be noted by both. */
  point: BegunPoint | null;
  /** Where the present connection leads: the resync thread goes there too. */
  address: PeerAddress | null;
  /** Since when there is no connection, or null. */
  brokenAtMs: BootMs | null;
};

export class PrimarySide {
  readonly #context: CoreContext;
  readonly #sender: Sender;
  readonly #trees: ServedTrees;
  readonly #dirty = new DirtySet();
  readonly #points: DurablePoints;
  #attachment: Attachment | null = null;
  readonly #live: LiveConnection;
  #connector: Connector | null = null;
  #pausedAtMs: BootMs | null = null;
  /** Milliseconds by which each request is delayed, so that a resync can catch up. */
  slowMs = 0;

  constructor(context: CoreContext, sender: Sender, trees: ServedTrees) {
    this.#context = context;
    this.#sender = sender;
    this.#trees = trees;
    this.#points = new DurablePoints({ ...context, sender });
    this.#live = new LiveConnection({
      network: context.network,
      take: (decoded) => this.#take(decoded),
      onLost: (reason) => this.#lost(reason),
    });
  }

  /** On the wire of the live stream since the start. */
  get bytesSent(): number {
    return this.#live.bytesSent;
  }
  get bytesReceived(): number {
    return this.#live.bytesReceived;
  }
  /** The live stream runs and its copy is complete. */
  get isAttached(): boolean {
    return this.#attachment?.stage === "attached";
  }
  /** Operations travel to the peer, its copy complete or about to be. */
  get isStreaming(): boolean {
    return this.#attachment?.stage === "syncing" || this.isAttached;
  }
  /** No request may be handled: the last pass of a resync runs. */
  get isPaused(): boolean {
    return this.#pausedAtMs !== null;
  }
  *pollables(): Generator<Pollable> {
    if (this.#live.isOpen) yield this.#live;
    if (this.#connector !== null) yield this.#connector;
  }

  /** Begins a new attachment; one that stands or is being made is over. */
  start(epoch: Epoch): void {
    this.end();
    this.#attachment = {
      id: this.#context.network.randomBytes(ATTACHMENT_ID_BYTES),
      epoch,
      stage: "asking",
      askedAtMs: this.#context.nowMs(),
      worker: null,
      point: null,
      address: null,
      brokenAtMs: null,
    };
    this.#connect();
  }

  /** Ends an attachment that is not complete yet. */
  cancelResync(): void {
    if (!this.isAttached) this.#fail("cancelled");
  }

  /** This node's own directories are no longer what the stream said: only a resync helps. */
  diverged(detail: string): void {
    this.#fail(detail);
  }

  /** The attachment is over, without a word to anybody here. */
  end(): void {
    this.#closeConnection();
    this.#attachment?.worker?.cancel();
    this.#attachment?.worker?.close();
    this.#attachment = null;
    this.#points.stop();
    this.#stopWatching();
    if (this.#sender.window.isAttached) this.#sender.detach();
  }

  /** The end of a turn of the loop: what came in leaves. */
  flush(): void {
    const flushed = this.#sender.flush();
    if (!flushed.ok) this.#lost(flushed.error.reason);
  }

  /** Deadlines, and what the resync thread said. */
  tick(nowMs: BootMs): void {
    this.drainWorker();
    this.#connector?.tick(nowMs);
    if (this.isAttached) this.#points.tick(nowMs);
    const attachment = this.#attachment;
    if (attachment === null) return;
    if (attachment.stage === "asking" && nowMs - attachment.askedAtMs > ASKING_MS_MAX) {
      this.#fail(`the peer did not admit a resync: ${this.#connector?.lastFailure ?? "silent"}`);
      return;
    }
    const { brokenAtMs } = attachment;
    if (brokenAtMs !== null && nowMs - brokenAtMs > this.#context.replTimeoutMs) {
      this.#fail(`no connection to the peer: ${this.#connector?.lastFailure ?? "lost"}`);
      return;
    }
    if (this.#pausedAtMs !== null && nowMs - this.#pausedAtMs > PAUSE_MS_MAX)
      this.#pausedAtMs = null;
    this.#giveUpSlowPeer(nowMs);
  }

  drainWorker(): void {
    const worker = this.#attachment?.worker;
    worker?.drain((message) => this.#onWorker(message));
  }

  /** A copy that is not required yet must not hold the application up when its node hangs. */
  #giveUpSlowPeer(nowMs: BootMs): void {
    const { window } = this.#sender;
    if (!window.isAttached || window.isPeerRequired) return;
    const oldestMs = window.oldestSubmittedAtMs();
    if (oldestMs !== null && nowMs - oldestMs > this.#context.replTimeoutMs) {
      this.#fail("the peer did not keep up");
    }
  }

  #connect(delayMs = 0): void {
    const { moduleId, nodeId, network, sessions, addresses, replTimeoutMs } = this.#context;
    this.#connector?.close();
    this.#connector = new Connector({
      purpose: "live",
      moduleId,
      nodeId,
      network,
      userTimeoutMs: replTimeoutMs,
      notBeforeMs: this.#context.nowMs() + delayMs,
      session: () => sessions.newest(),
      addresses,
      onConnected: (established, address) => this.#onConnected(established, address),
    });
    this.#connector.tick(this.#context.nowMs());
  }

  #onConnected(established: Established, address: PeerAddress): void {
    const attachment = this.#attachment;
    this.#connector = null;
    if (attachment === null) {
      // Nobody wants the connection after all.
      this.#context.network.close(established.fd);
      return;
    }
    this.#live.open(established);
    attachment.address = address;
    const attachmentId = attachment.id;
    const kind = attachment.stage === "asking" ? "beginResync" : "resumeStream";
    this.#say({ kind, attachmentId });
  }

  /** One frame outside the stream: before it begins, or before it goes on. */
  #say(frame: Frame): void {
    const bytes = new WireWriter(256);
    encodeFrame(bytes, this.#attachment?.epoch ?? 0, frame);
    const sent = this.#live.send(bytes.written);
    if (!sent.ok) this.#lost(sent.error.reason);
  }

  /** Null, or why the connection must be closed. */
  #take({ epoch, frame }: DecodedFrame): string | null {
    const attachment = this.#attachment;
    if (attachment === null) return "no attachment is wanted";
    switch (frame.kind) {
      case "refused":
        this.#onRefused(attachment, frame.known, frame.reason);
        return null;
      case "fault":
        this.#context.emit({ kind: "peerFault", errno: frame.errno, detail: frame.reason });
        this.#fail(`the peer failed: ${frame.reason}`);
        return null;
      case "resyncAdmitted":
        return attachment.stage === "asking" ? this.#copy(attachment) : "nothing was asked";
      case "continueFrom":
        return this.#onContinue(attachment, frame.sequence);
      case "applied":
      case "durable": {
        // What another epoch acknowledged says nothing about this one.
        if (epoch !== attachment.epoch) return `an acknowledgement of epoch ${epoch}`;
        const acknowledged = this.#sender.acknowledge(frame);
        return acknowledged.ok ? null : acknowledged.error.reason;
      }
      case "pointNoted":
        if (epoch === attachment.epoch) this.#points.noted(frame.sequence);
        return null;
      default:
        return `a frame ${frame.kind} came to a primary`;
    }
  }

  #onContinue(attachment: Attachment, sequence: number): string | null {
    if (attachment.stage !== "syncing" && attachment.stage !== "attached") {
      return "no stream was opened";
    }
    if (attachment.brokenAtMs === null) return null;
    attachment.brokenAtMs = null;
    const resumed = this.#sender.resume(this.#live, sequence);
    this.#points.ask();
    return resumed.ok ? null : resumed.error.reason;
  }

  #onRefused(attachment: Attachment, known: Epoch, reason: string): void {
    // It has not been told of this epoch yet: its main thread is about to.
    if (attachment.stage === "asking" && known <= attachment.epoch) {
      this.#closeConnection();
      this.#connect(ASK_AGAIN_MS);
      return;
    }
    this.#context.emit({ kind: "peerRefused", epoch: known, reason });
    this.#fail(reason);
  }

  #copy(attachment: Attachment): string | null {
    const { sessions, moduleId, nodeId, replTimeoutMs, resyncBytesPerSecond } = this.#context;
    const session = sessions.newest();
    if (session === null || attachment.address === null) return "the session is gone";
    attachment.stage = "copying";
    // Everything from before is in the record of changes, or compared anyway.
    this.#dirty.take();
    this.#trees.watch(this.#dirty);
    attachment.worker = this.#context.startResync({
      role: "source",
      moduleId,
      nodeId,
      address: attachment.address,
      session,
      bytesPerSecond: resyncBytesPerSecond,
      userTimeoutMs: replTimeoutMs,
    });
    return null;
  }

  #onWorker(message: ResyncMessage): ResyncAnswer | null {
    switch (message.kind) {
      case "plan":
        return this.#plan(message.target);
      case "takeDirty":
        return this.#dirty.take();
      case "pause":
        this.#pausedAtMs = this.#context.nowMs();
        return this.#attachment?.stage === "copying";
      case "resume":
        this.#pausedAtMs = null;
        return true;
      case "slow":
        this.slowMs = message.milliseconds;
        return true;
      case "attach":
        return this.#attach();
      case "progress":
        this.#context.emit({ kind: "resyncProgress", progress: message.progress });
        return null;
      case "finished":
        this.onCopied(message.failure);
        return null;
    }
  }

  #plan(target: TargetRecord): ResyncPlan {
    const { record } = this.#context.keeper;
    const plan = planResync(record, target);
    // Older points are nobody's any more.
    if (plan.kind === "delta" && target.kind === "record") record.settle(target.point);
    return plan;
  }

  /** Both copies are equal at this instant: from here on every operation travels. */
  #attach(): boolean {
    const attachment = this.#attachment;
    if (attachment?.stage !== "copying" || !this.#live.isOpen) return false;
    // The pause was too long and requests have been handled since: the copies differ again.
    if (this.#pausedAtMs === null) return false;
    attachment.stage = "syncing";
    this.#stopWatching();
    attachment.point = this.#context.keeper.beginPoint(pointOf(attachment.id.toString("hex"), 0));
    const opened = this.#sender.attach(this.#live, attachment.id);
    if (!opened.ok) {
      this.#lost(opened.error.reason);
      return true;
    }
    this.#trees.onAttach();
    return true;
  }

  /** The resync thread has ended: well (null), or why not. */
  onCopied(failure: ResyncFailure | null): void {
    const attachment = this.#attachment;
    if (attachment === null) return;
    attachment.worker?.close();
    attachment.worker = null;
    if (failure !== null || attachment.stage !== "syncing") {
      const errno = failure?.errno ?? 0;
      if (isDiskError(errno)) {
        this.#context.emit({ kind: "localFault", errno, detail: failure?.reason ?? "" });
      }
      this.#fail(failure?.reason ?? "the resync ended without an attachment");
      return;
    }
    this.#syncOwn(attachment);
  }

  /** The peer has noted the first point; so does this node, when its own disk has it. */
  #syncOwn(attachment: Attachment): void {
    const { rootFds, blocking, keeper } = this.#context;
    let [left, failed] = [rootFds.length, 0];
    const synced = (result: number): void => {
      left -= 1;
      failed = Math.min(failed, result);
      if (left > 0 || attachment !== this.#attachment) return;
      if (failed < 0 || attachment.point === null) this.#attached(attachment);
      else keeper.commitPoint(attachment.point, () => this.#attached(attachment));
    };
    for (const rootFd of rootFds) {
      if (!blocking.submit("syncfs", rootFd, synced)) synced(-ERRNO.EAGAIN);
    }
  }

  #attached(attachment: Attachment): void {
    if (attachment !== this.#attachment) return;
    attachment.stage = "attached";
    this.#sender.window.complete();
    const attachmentId = attachment.id.toString("hex");
    this.#points.start(attachmentId, this.#context.nowMs());
    this.#context.emit({ kind: "attached", epoch: attachment.epoch, attachmentId });
  }

  #lost(reason: string): void {
    this.#closeConnection();
    const attachment = this.#attachment;
    if (attachment === null) return;
    if (attachment.stage === "copying") {
      this.#fail(reason);
      return;
    }
    if (attachment.stage !== "asking") attachment.brokenAtMs ??= this.#context.nowMs();
    this.#connect();
  }

  #fail(reason: string): void {
    const attachment = this.#attachment;
    if (attachment === null) return;
    const { epoch } = attachment;
    const kind = attachment.stage === "attached" ? "detached" : "resyncFailed";
    this.end();
    this.#context.emit({ kind, epoch, reason });
  }

  #closeConnection(): void {
    this.#connector?.close();
    this.#connector = null;
    this.#sender.disconnect();
    this.#live.close();
  }

  #stopWatching(): void {
    this.#trees.watch(null);
    this.#pausedAtMs = null;
    this.slowMs = 0;
  }
}
