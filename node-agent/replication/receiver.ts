/**
 * The secondary's end of the stream: judges each operation (model/replication/receiver-order.ts),
 * applies it, and acknowledges once per batch received, if anybody waits for it; what nobody waits
 * for is acknowledged with what comes next, or a little later. An fsync goes to a helper thread and is
 * acknowledged by itself when the disk has answered, so that the stream does not wait for it.
 *
 * The acknowledgement is the promise on which the primary answers its application. So it leaves
 * only after the operation has been applied, and never again after the first one that could not
 * be: then this copy leaves the stream and says so.
 */

import type { ReceiverOrder, Refusal } from "#model/replication/receiver-order.ts";
import type { Epoch } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { errnoName } from "../adapters/linux/errno.ts";
import type { BlockingCalls, BlockingKind } from "../fuse/ports.ts";
import type { Applier } from "./applier.ts";
import type { FileTable } from "./file-table.ts";
import { type DecodedFrame, encodeFrame, type Frame } from "./frame.ts";
import type { Operation } from "./operation.ts";
import type { ConnectionLost } from "./sealed-connection.ts";
import type { RecordSink } from "./sender.ts";
import { WireWriter } from "./wire.ts";

/** Performs operations on this node's own directories (applier.ts). */
export interface OperationApplier extends Pick<Applier, "apply" | "reset" | "mutations"> {
  readonly files: Pick<FileTable, "hold" | "releaser">;
}

export type ReceiverPorts = {
  readonly order: ReceiverOrder;
  readonly applier: Pick<OperationApplier, "apply" | "files">;
  readonly blocking: BlockingCalls;
  /** This copy is no longer in step: the attachment is over. */
  readonly onFault: (errno: number, detail: string) => void;
};

/** Why the connection must be closed. */
export type ReceiveError = { readonly kind: "stop"; readonly reason: string };

/** The primary keeps what is not acknowledged, and its window has an end (`WINDOW_LIMITS`). */
const UNACKNOWLEDGED = { operations: 64, bytes: 1024 * 1024 };

type Sync = { readonly sequence: number; readonly operation: Operation };

export class Receiver {
  readonly #ports: ReceiverPorts;
  readonly #answers = new WireWriter(4096);
  #connection: RecordSink | null = null;
  /** Raised whenever the stream ends: a helper thread's answer to a former one is worth nothing. */
  #generation = 0;
  #acknowledged = 0;
  /** Somebody waits for an acknowledgement of what has been applied since the last. */
  #isAwaited = false;
  /** Written since the last acknowledgement. */
  #unacknowledgedBytes = 0;
  /** Fsyncs that found the helpers' queue full; bounded by the primary's window. */
  #waiting: Sync[] = [];
  operationsApplied = 0;

  constructor(ports: ReceiverPorts) {
    this.#ports = ports;
  }

  /** Answers go here from now on. */
  use(connection: RecordSink): void {
    this.#answers.clear();
    this.#connection = connection;
  }

  /** The stream begins, or goes on after operation `sequence`. */
  begin(sequence: number): void {
    this.#acknowledged = sequence;
    this.#isAwaited = false;
    this.answer({ kind: "continueFrom", sequence });
  }

  /** The connection is gone; the attachment may go on with another. */
  disconnect(): void {
    this.#connection = null;
    this.#answers.clear();
  }

  /** The attachment is over: nothing more is acknowledged for it. */
  stop(): void {
    this.#generation += 1;
    this.#waiting = [];
  }

  /** Takes one frame of the live stream. */
  take(decoded: DecodedFrame): Result<void, ReceiveError> {
    const { epoch, frame } = decoded;
    if (frame.kind === "repeatFsync") return this.#repeat(epoch, frame);
    if (frame.kind !== "operation") return stop(`a frame ${frame.kind} came to a secondary`);
    const { order, applier } = this.#ports;
    const judged = order.judgeOperation(epoch, frame.sequence);
    if (!judged.ok) {
      if (judged.error.kind === "violation") return stop(judged.error.reason);
      return this.refuse(judged.error);
    }
    if (judged.value === "duplicate") return ok(undefined);
    const applied = applier.apply(frame.operation);
    if (applied < 0) return this.#fault(frame.sequence, -applied, frame.operation);
    order.applied(frame.sequence);
    this.operationsApplied += 1;
    if (frame.isAwaited) this.#isAwaited = true;
    if (frame.operation.kind === "write") this.#unacknowledgedBytes += frame.operation.data.length;
    return this.#startSync(frame);
  }

  /** The end of a batch: acknowledges what has been applied, if it is awaited or has become much. */
  finishBatch(): Result<void, ConnectionLost> {
    const operations = this.#ports.order.appliedSequence - this.#acknowledged;
    const isMuch =
      operations >= UNACKNOWLEDGED.operations || this.#unacknowledgedBytes >= UNACKNOWLEDGED.bytes;
    if (this.#isAwaited || isMuch) this.#acknowledge();
    return this.#sendAnswers();
  }

  /** Acknowledges what nobody waits for; to be called now and then. */
  acknowledgeRest(): Result<void, ConnectionLost> {
    this.#acknowledge();
    return this.#sendAnswers();
  }

  #acknowledge(): void {
    const { order } = this.#ports;
    this.#isAwaited = false;
    this.#unacknowledgedBytes = 0;
    if (order.phase !== "live" || order.appliedSequence <= this.#acknowledged) return;
    this.#acknowledged = order.appliedSequence;
    this.answer({ kind: "applied", sequence: order.appliedSequence });
  }

  /** Queues one frame for the primary; it leaves with `finishBatch`. */
  answer(frame: Frame): void {
    encodeFrame(this.#answers, this.#ports.order.known, frame);
  }

  /** Tells the primary that its epoch is not accepted; the connection is to be closed. */
  refuse(refusal: Refusal): Result<never, ReceiveError> {
    this.answer({ kind: "refused", known: refusal.known, reason: refusal.reason });
    this.#sendAnswers();
    return stop(refusal.reason);
  }

  #sendAnswers(): Result<void, ConnectionLost> {
    if (this.#answers.length === 0 || this.#connection === null) return ok(undefined);
    const sent = this.#connection.send(this.#answers.written);
    this.#answers.clear();
    return sent;
  }

  #repeat(
    epoch: Epoch,
    frame: Extract<Frame, { kind: "repeatFsync" }>,
  ): Result<void, ReceiveError> {
    const { order } = this.#ports;
    const judged = order.judgeEpoch(epoch);
    if (!judged.ok) return this.refuse(judged.error);
    if (order.phase !== "live" || frame.sequence > order.appliedSequence) {
      return stop("an fsync was repeated that never came");
    }
    return this.#startSync(frame);
  }

  #startSync(sync: Sync): Result<void, ReceiveError> {
    const { operation, sequence } = sync;
    if (operation.kind !== "fsync" && operation.kind !== "syncfs") return ok(undefined);
    const { files } = this.#ports.applier;
    const fd = files.hold(operation.id);
    if (fd < 0) return this.#fault(sequence, -fd, operation);
    const letGo = files.releaser(operation.id);
    const generation = this.#generation;
    const isTaken = this.#ports.blocking.submit(kindOf(operation), fd, (result) => {
      letGo();
      if (generation !== this.#generation) return;
      if (result < 0) this.#fault(sequence, -result, operation);
      else this.#answerDurable(sequence);
      this.#retry();
    });
    if (!isTaken) {
      letGo();
      this.#waiting.push(sync);
    }
    return ok(undefined);
  }

  /** Says too that everything up to it has been applied. */
  #answerDurable(sequence: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, sequence);
    this.answer({ kind: "durable", sequence });
  }

  #retry(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const sync of waiting) this.#startSync(sync);
  }

  /** What the disk or the directory refused cannot be made good here: only a resync can. */
  #fault(sequence: number, errno: number, operation: Operation): Result<never, ReceiveError> {
    const detail = `${operation.kind} (operation ${sequence}): ${errnoName(errno)}`;
    // What was applied before it is still acknowledged: it is true, and callers wait for it.
    this.#acknowledge();
    this.answer({ kind: "fault", sequence, errno, reason: detail });
    this.#sendAnswers();
    this.#ports.order.detach();
    this.stop();
    this.#ports.onFault(errno, detail);
    return stop(detail);
  }
}

function kindOf(operation: Operation): BlockingKind {
  if (operation.kind === "syncfs") return "syncfs";
  return operation.kind === "fsync" && operation.dataOnly ? "fdatasync" : "fsync";
}

const stop = (reason: string): Result<never, ReceiveError> => err({ kind: "stop", reason });
