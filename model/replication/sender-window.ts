/**
 * The primary's side of the replicated stream, without the stream: which operations have been
 * submitted, which of them the peer has acknowledged, and which may therefore be answered to the
 * application. The data thread puts sockets and clocks around it; a simulator can put others.
 *
 * Words. An *attachment* is one uninterrupted agreement with a secondary that its copy equals
 * ours up to a sequence number; sequences start at 1 in each. *Applied* means that the peer
 * performed the operation (its page cache has it); *durable* that its disk has it, asked for by
 * fsync. An operation is *released* when its caller may be answered.
 *
 * The rule that no clock may bend: while the peer is required, an operation that needs anything of
 * it is released only by its own acknowledgement, or by an attachment completed after it (whose
 * copy contains it). `stopRequiring` is the one other way, and it is called only after the set without the peer
 * has been recorded.
 */

import { assert } from "#model/shared/assert.ts";
import type { BootMs } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";

/**
 * What the peer must have done before the caller is answered: performed the operation, made it
 * durable, or nothing yet. The last still travels in its place in the stream, so that an fsync
 * after it covers it.
 */
export type Need = "nothing" | "applied" | "durable";

export type WindowLimits = { readonly operationsMax: number; readonly bytesMax: number };

/** Enough for 1 MiB writes in flight; small enough that a stalled peer costs little memory. */
export const WINDOW_LIMITS: WindowLimits = { operationsMax: 8192, bytesMax: 32 * 1024 * 1024 };

/** The peer acknowledged what was never sent: the link is closed, nothing is released. */
export type WindowError = {
  readonly kind: "impossibleAcknowledgement";
  readonly sequence: number;
  readonly lastSequence: number;
};

/** `waitedSinceMs`: when it was submitted; null when it did not have to wait. */
export type Release<Tag> = (tag: Tag, waitedSinceMs: BootMs | null) => void;

type Entry<Tag> = {
  readonly sequence: number;
  readonly bytes: number;
  readonly need: Need;
  readonly submittedAtMs: BootMs;
  tag: Tag | null;
};

/** `Tag` is whatever the caller wants back when an operation is released. */
export class SenderWindow<Tag> {
  readonly #limits: WindowLimits;
  readonly #release: Release<Tag>;
  #isPeerRequired = false;
  #isAttached = false;
  #nextSequence = 1;
  #appliedSequence = 0;
  #bytes = 0;
  /** Sent, not yet acknowledged as applied; in order of sequence, so a queue. */
  #unapplied: Entry<Tag>[] = [];
  #head = 0;
  /** Applied there, durability asked for and not yet confirmed. */
  readonly #undurable = new Map<number, Entry<Tag>>();
  /** Submitted while no stream ran, or in one that died: only a complete attachment has them. */
  #stranded: Entry<Tag>[] = [];
  #strandedBytes = 0;

  constructor(release: Release<Tag>, limits: WindowLimits = WINDOW_LIMITS) {
    this.#release = release;
    this.#limits = limits;
  }

  get isAttached(): boolean {
    return this.#isAttached;
  }
  get isPeerRequired(): boolean {
    return this.#isPeerRequired;
  }
  /** The last sequence given out in this attachment; 0 before the first. */
  get lastSequence(): number {
    return this.#nextSequence - 1;
  }
  get appliedSequence(): number {
    return this.#appliedSequence;
  }
  /** Operations that the peer has not acknowledged as asked, waiting callers or not. */
  get unacknowledgedCount(): number {
    return this.#queued + this.#undurable.size + this.#stranded.length;
  }
  /** Bytes of operations that the peer has not acknowledged as applied. */
  get unacknowledgedBytes(): number {
    return this.#bytes + this.#strandedBytes;
  }
  /** True when the caller should stop taking requests until acknowledgements arrive. */
  get isFull(): boolean {
    return (
      this.unacknowledgedCount >= this.#limits.operationsMax ||
      this.unacknowledgedBytes >= this.#limits.bytesMax
    );
  }
  get #queued(): number {
    return this.#unapplied.length - this.#head;
  }

  /**
   * Takes one operation; returns its sequence, or null when no stream runs and there is nothing to
   * send. `tag` is released at once when nothing is needed, or the peer is not required.
   */
  submit(o: {
    readonly bytes: number;
    readonly need: Need;
    readonly tag: Tag | null;
    readonly nowMs: BootMs;
  }): number | null {
    const waits = this.#isPeerRequired && o.need !== "nothing" ? o.tag : null;
    const sequence = this.#isAttached ? this.#nextSequence : null;
    const entry: Entry<Tag> = {
      sequence: sequence ?? 0,
      bytes: o.bytes,
      need: o.need,
      submittedAtMs: o.nowMs,
      tag: waits,
    };
    if (sequence !== null) {
      this.#nextSequence += 1;
      this.#bytes += o.bytes;
      this.#unapplied.push(entry);
    } else if (waits !== null) {
      this.#stranded.push(entry);
    }
    if (waits === null && o.tag !== null) this.#release(o.tag, null);
    return sequence;
  }

  /** The peer applied everything up to `sequence`. A repeated or late acknowledgement is harmless. */
  acknowledgeApplied(sequence: number): Result<void, WindowError> {
    const lastSequence = this.lastSequence;
    if (sequence > lastSequence) {
      return err({ kind: "impossibleAcknowledgement", sequence, lastSequence });
    }
    if (sequence > this.#appliedSequence) this.#appliedSequence = sequence;
    for (;;) {
      const entry = this.#unapplied[this.#head];
      if (entry === undefined || entry.sequence > sequence) break;
      this.#head += 1;
      this.#bytes -= entry.bytes;
      if (entry.need === "durable") this.#undurable.set(entry.sequence, entry);
      else this.#free(entry);
    }
    this.#compact();
    return ok(undefined);
  }

  /** The peer made operation `sequence` durable. Its own order: fsyncs end when they end. */
  acknowledgeDurable(sequence: number): Result<void, WindowError> {
    const lastSequence = this.lastSequence;
    if (sequence > lastSequence) {
      return err({ kind: "impossibleAcknowledgement", sequence, lastSequence });
    }
    // Durable implies applied, and the stream is applied in order.
    const applied = this.acknowledgeApplied(sequence);
    if (!applied.ok) return applied;
    const entry = this.#undurable.get(sequence);
    if (entry === undefined) return ok(undefined);
    this.#undurable.delete(sequence);
    this.#free(entry);
    return ok(undefined);
  }

  /** A new attachment: the stream starts at sequence 1; what is still waited for is stranded. */
  attach(): void {
    this.#strand();
    this.#isAttached = true;
    this.#nextSequence = 1;
    this.#appliedSequence = 0;
  }

  /** The peer's copy is complete and durable up to the start of this attachment. */
  complete(): void {
    assert(this.#isAttached, "only an attachment can be completed");
    const done = this.#stranded;
    this.#stranded = [];
    this.#strandedBytes = 0;
    for (const entry of done) this.#free(entry);
  }

  /** The attachment is over. What waits goes on waiting: only the record's word releases it. */
  detach(): void {
    this.#strand();
    this.#isAttached = false;
  }

  /** From now on every operation waits for the peer. */
  requirePeer(): void {
    this.#isPeerRequired = true;
  }

  /** The set without the peer has been recorded: everything that waits is released, in order. */
  stopRequiring(): void {
    this.#isPeerRequired = false;
    const waiting = [
      ...this.#stranded,
      ...this.#undurable.values(),
      ...this.#unapplied.slice(this.#head),
    ];
    this.#stranded = [];
    this.#strandedBytes = 0;
    if (!this.#isAttached) this.#undurable.clear();
    for (const entry of waiting) this.#free(entry);
  }

  /** Sequences of fsyncs that the peer applied and has not confirmed: repeated after a reconnect. */
  undurableSequences(): readonly number[] {
    return [...this.#undurable.keys()];
  }

  /** When the oldest operation without its acknowledgement was submitted; null when none is. */
  oldestSubmittedAtMs(): BootMs | null {
    let oldest = this.#stranded[0]?.submittedAtMs ?? null;
    const queued = this.#unapplied[this.#head]?.submittedAtMs ?? null;
    if (queued !== null && (oldest === null || queued < oldest)) oldest = queued;
    for (const entry of this.#undurable.values()) {
      if (oldest === null || entry.submittedAtMs < oldest) oldest = entry.submittedAtMs;
      // A Map iterates in order of insertion, which is the order of sequences: the first is enough.
      break;
    }
    return oldest;
  }

  #strand(): void {
    const left = [...this.#undurable.values(), ...this.#unapplied.slice(this.#head)];
    this.#undurable.clear();
    this.#unapplied = [];
    this.#head = 0;
    this.#bytes = 0;
    for (const entry of left) {
      if (entry.tag !== null) this.#stranded.push(entry);
    }
  }

  #free(entry: Entry<Tag>): void {
    const { tag } = entry;
    if (tag === null) return;
    entry.tag = null;
    this.#release(tag, entry.submittedAtMs);
  }

  #compact(): void {
    if (this.#head === this.#unapplied.length) {
      this.#unapplied = [];
      this.#head = 0;
    } else if (this.#head >= 1024) {
      this.#unapplied = this.#unapplied.slice(this.#head);
      this.#head = 0;
    }
  }
}
