/**
 * The primary's end of the stream: takes operations from the FUSE servers in the order of their
 * effects, puts as many as come in one turn of the loop into one sealed record, and lets a caller
 * be answered when the window's rules allow it (model/replication/sender-window.ts).
 *
 * What has been sent is kept until it is acknowledged, so that a stream whose connection broke
 * goes on where the secondary stopped, without a resync.
 */

import { LatencyHistogram } from "#model/replication/latency-histogram.ts";
import { type Need, SenderWindow, type WindowLimits } from "#model/replication/sender-window.ts";
import { assert } from "#model/shared/assert.ts";
import type { BootMs, Epoch } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { encodeFrame, type Frame } from "./frame.ts";
import type { Operation, OperationKind, OperationSink } from "./operation.ts";
import { WRITE_BYTES_MAX } from "./operation-codec.ts";
import type { ConnectionLost } from "./sealed-connection.ts";
import { WireWriter } from "./wire.ts";

/** A batch is sent at the end of a turn, or as soon as it holds this much. */
const BATCH_BYTES = 256 * 1024;
/** What an operation without data is counted as in the window; an upper bound for most. */
const SMALL_OPERATION_BYTES = 256;

/** The connection as the sender uses it (SealedConnection, or a twin in tests). */
export interface RecordSink {
  send(plaintext: Uint8Array): Result<void, ConnectionLost>;
}

/**
 * When a plain write is answered: `write` when the peer has applied it, `fsync` at once, as only an
 * fsync promises anything. Everything else waits for the peer in both.
 */
export type SyncMode = "write" | "fsync";

export type SenderOptions = { readonly syncMode?: SyncMode; readonly limits?: WindowLimits };

type Batch = { readonly lastSequence: number; readonly bytes: Buffer };

/** What makes a copy differ; the others only name files, or ask for what is there already. */
const CHANGES_FILES: Readonly<Record<OperationKind, boolean>> = {
  ...{ bind: false, orphan: false, forget: false, fsync: false, syncfs: false, touch: false },
  ...{ create: true, mkdir: true, symlink: true, link: true, unlink: true, rmdir: true },
  ...{ rename: true, write: true, truncate: true, fallocate: true },
  ...{ setattr: true, setxattr: true, removexattr: true },
};

export class Sender implements OperationSink {
  readonly window: SenderWindow<() => void>;
  readonly #writeNeeds: Need;
  #epoch: Epoch = 0;
  #connection: RecordSink | null = null;
  #batch = new WireWriter();
  /** Sent or to be sent when a connection is back; in order. */
  #kept: Batch[] = [];
  /** Fsyncs without an answer, to be repeated after a reconnect. */
  readonly #syncs = new Map<number, Operation>();
  /** How `hurry` failed, until `flush` says so. */
  #failed: Result<void, ConnectionLost> | null = null;
  /** Set by the loop at each turn: a clock call per operation would be waste. */
  nowMs: BootMs = 0;
  operationsSubmitted = 0;
  bytesSubmitted = 0;
  /** From an operation's submission to its caller's answer, of those that waited for the peer. */
  readonly latencies = new LatencyHistogram();
  /** Changes, and bytes written by them, since the peer is not required: its copy may lack them. */
  #alone = { changes: 0, bytes: 0 };

  constructor({ syncMode = "write", limits }: SenderOptions = {}) {
    this.window = new SenderWindow((done, sinceMs) => {
      if (sinceMs !== null) this.latencies.add(this.nowMs - sinceMs);
      done();
    }, limits);
    this.#writeNeeds = syncMode === "fsync" ? "nothing" : "applied";
  }

  /** The epoch this node leads; in every frame from now on. */
  lead(epoch: Epoch): void {
    assert(epoch >= this.#epoch, "an epoch never goes back");
    this.#epoch = epoch;
  }

  /** What was changed here without the peer; nothing while it must acknowledge. */
  get alone(): { readonly changes: number; readonly bytes: number } {
    return this.window.isPeerRequired ? { changes: 0, bytes: 0 } : this.#alone;
  }

  submit(operation: Operation, done?: () => void): boolean {
    if (operation.kind === "write" && operation.data.length > WRITE_BYTES_MAX) {
      return this.#submitInParts(operation, done);
    }
    this.operationsSubmitted += 1;
    if (operation.kind === "write") this.bytesSubmitted += operation.data.length;
    this.#countAlone(operation);
    const need = this.#needOf(operation);
    const isSync = need === "durable";
    const data = operation.kind === "write" ? operation.data.length : 0;
    const sequence = this.window.submit({
      bytes: data + SMALL_OPERATION_BYTES,
      need,
      tag: done ?? null,
      nowMs: this.nowMs,
    });
    if (sequence !== null) {
      const isAwaited = done !== undefined && need === "applied" && this.window.isPeerRequired;
      encodeFrame(this.#batch, this.#epoch, { kind: "operation", sequence, operation, isAwaited });
      if (isSync && done !== undefined) this.#syncs.set(sequence, operation);
      if (this.#batch.length >= BATCH_BYTES) this.#sendBatch();
    }
    return !this.window.isFull;
  }

  #needOf({ kind }: Operation): Need {
    if (kind === "fsync" || kind === "syncfs") return "durable";
    return kind === "write" ? this.#writeNeeds : "applied";
  }

  #countAlone(operation: Operation): void {
    if (this.window.isPeerRequired) this.#alone = { changes: 0, bytes: 0 };
    if (this.window.isPeerRequired || !CHANGES_FILES[operation.kind]) return;
    const bytes = operation.kind === "write" ? operation.data.length : 0;
    this.#alone = { changes: this.#alone.changes + 1, bytes: this.#alone.bytes + bytes };
  }

  /** One frame holds 1 MiB; the caller waits for the last part, which implies the others. */
  #submitInParts(o: Extract<Operation, { kind: "write" }>, done?: () => void): boolean {
    let hasRoom = true;
    for (let at = 0; at < o.data.length; at += WRITE_BYTES_MAX) {
      const data = o.data.subarray(at, at + WRITE_BYTES_MAX);
      const isLast = at + WRITE_BYTES_MAX >= o.data.length;
      const part = { ...o, offsetBytes: o.offsetBytes + at, data };
      hasRoom = this.submit(part, isLast ? done : undefined);
    }
    return hasRoom;
  }

  /**
   * A fresh attachment: the stream starts at sequence 1 on `connection`. What was submitted
   * before is in the copy that the resync made.
   */
  attach(connection: RecordSink, attachmentId: Uint8Array): Result<void, ConnectionLost> {
    this.#forgetStream();
    this.window.attach();
    this.#connection = connection;
    return this.sendControl({ kind: "openStream", attachmentId });
  }

  /** The connection broke; the attachment may go on with another one. */
  disconnect(): void {
    this.#connection = null;
  }

  /** The attachment is over. */
  detach(): void {
    this.#forgetStream();
    this.#connection = null;
    this.window.detach();
  }

  /** The stream goes on: the secondary has applied everything up to `sequence`. */
  resume(connection: RecordSink, sequence: number): Result<void, ConnectionLost> {
    const acknowledged = this.#acknowledge({ kind: "applied", sequence });
    if (!acknowledged.ok) return acknowledged;
    this.#connection = connection;
    for (const batch of this.#kept) {
      const sent = connection.send(batch.bytes);
      if (!sent.ok) return sent;
    }
    for (const lost of this.window.undurableSequences()) {
      const operation = this.#syncs.get(lost);
      if (operation === undefined) continue;
      const sent = this.sendControl({ kind: "repeatFsync", sequence: lost, operation });
      if (!sent.ok) return sent;
    }
    return ok(undefined);
  }

  /** What came in leaves now, as it will take the peer's disk a while; failing is `flush`'s matter. */
  hurry(): void {
    const sent = this.flush();
    this.#failed = sent.ok ? null : sent;
  }

  /** The end of a turn: what came in leaves. */
  flush(): Result<void, ConnectionLost> {
    const failed = this.#failed;
    this.#failed = null;
    if (failed !== null) return failed;
    return this.#batch.length === 0 ? ok(undefined) : this.#sendBatch();
  }

  /** Sends one frame that is no operation, after everything submitted so far. */
  sendControl(frame: Frame): Result<void, ConnectionLost> {
    const flushed = this.flush();
    if (!flushed.ok) return flushed;
    if (this.#connection === null) return ok(undefined);
    const bytes = new WireWriter(256);
    encodeFrame(bytes, this.#epoch, frame);
    return this.#connection.send(bytes.written);
  }

  /** Takes the secondary's `applied` or `durable`. An error means that the peer is not to be trusted. */
  acknowledge(
    frame: Extract<Frame, { kind: "applied" | "durable" }>,
  ): Result<void, ConnectionLost> {
    return this.#acknowledge(frame);
  }

  #acknowledge(
    frame: Extract<Frame, { kind: "applied" | "durable" }>,
  ): Result<void, ConnectionLost> {
    const { sequence } = frame;
    const result =
      frame.kind === "applied"
        ? this.window.acknowledgeApplied(sequence)
        : this.window.acknowledgeDurable(sequence);
    if (!result.ok) {
      const reason = `operation ${sequence} was acknowledged, ${result.error.lastSequence} is the last`;
      return err({ kind: "connectionLost", reason });
    }
    if (frame.kind === "durable") this.#syncs.delete(sequence);
    const applied = this.window.appliedSequence;
    let done = 0;
    while ((this.#kept[done]?.lastSequence ?? Number.POSITIVE_INFINITY) <= applied) done += 1;
    if (done > 0) this.#kept = this.#kept.slice(done);
    return ok(undefined);
  }

  #sendBatch(): Result<void, ConnectionLost> {
    const bytes = this.#batch.take();
    this.#kept.push({ lastSequence: this.window.lastSequence, bytes });
    return this.#connection === null ? ok(undefined) : this.#connection.send(bytes);
  }

  #forgetStream(): void {
    this.#failed = null;
    this.#batch.clear();
    this.#kept = [];
    this.#syncs.clear();
  }
}
