/**
 * The secondary's side of the replicated stream, without the stream: which connection, frame and
 * sequence it may accept. It never guesses: what is out of order, from an older epoch, or of an
 * attachment it does not hold, is refused, and nothing is changed.
 *
 * Epochs. The node accepts frames of exactly the epoch it was told to follow. An older one comes
 * from a deposed primary. A newer one comes from a primary that this node has not heard of yet:
 * it is refused too, until the quorum protocol has persisted that epoch, and the primary tries
 * again. After a durable vote (`refuseBelow`) not even the followed epoch is accepted any more.
 */

import type { Epoch } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";

export type Refusal = {
  readonly kind: "refused";
  /** The newest epoch that this node follows or has voted for. */
  readonly known: Epoch;
  readonly reason: string;
};
/** The peer broke the protocol: the link is closed. */
export type Violation = { readonly kind: "violation"; readonly reason: string };

/** How far the attachment of this copy has come. */
export type AttachmentPhase = "none" | "resyncing" | "live";

export class ReceiverOrder {
  #followed: Epoch | null = null;
  #floor: Epoch = 0;
  #attachmentId: string | null = null;
  #phase: AttachmentPhase = "none";
  #appliedSequence = 0;

  get followed(): Epoch | null {
    return this.#followed;
  }
  get attachmentId(): string | null {
    return this.#attachmentId;
  }
  get phase(): AttachmentPhase {
    return this.#phase;
  }
  get appliedSequence(): number {
    return this.#appliedSequence;
  }
  /** The newest epoch this node has heard of through `follow` or `refuseBelow`. */
  get known(): Epoch {
    return Math.max(this.#followed ?? 0, this.#floor);
  }

  /** Receive under `epoch`. An attachment of another epoch is over. */
  follow(epoch: Epoch): Result<void, Refusal> {
    if (epoch < this.known) {
      return err(this.#refusal(`epoch ${epoch} is older than ${this.known}`));
    }
    if (this.#followed !== epoch) this.detach();
    this.#followed = epoch;
    this.#floor = epoch;
    return ok(undefined);
  }

  /** A vote for `epoch` is durable: nothing older is accepted from here on. */
  refuseBelow(epoch: Epoch): void {
    if (epoch > this.#floor) this.#floor = epoch;
    if (this.#followed !== null && this.#followed < this.#floor) this.stop();
  }

  /** About to be promoted, or stopped: nothing is received until `follow`. */
  stop(): void {
    this.#followed = null;
    this.detach();
  }

  /** The attachment is over: only a new one, with its resync, is accepted after this. */
  detach(): void {
    this.#attachmentId = null;
    this.#phase = "none";
  }

  /** May anything of `epoch` be received at all? */
  judgeEpoch(epoch: Epoch): Result<void, Refusal> {
    if (this.#followed === null) return err(this.#refusal("this node follows no primary"));
    if (epoch < this.known) {
      return err(this.#refusal(`epoch ${epoch} is older than ${this.known}`));
    }
    if (epoch > this.#followed) {
      return err(this.#refusal(`epoch ${epoch} is not known here yet`));
    }
    return ok(undefined);
  }

  /** A resync into this copy begins; the former attachment, if any, is over. */
  beginResync(epoch: Epoch, attachmentId: string): Result<void, Refusal> {
    const judged = this.judgeEpoch(epoch);
    if (!judged.ok) return judged;
    this.#attachmentId = attachmentId;
    this.#phase = "resyncing";
    this.#appliedSequence = 0;
    return ok(undefined);
  }

  /** The live stream of a resynced copy opens; it starts after sequence 0. */
  openStream(epoch: Epoch, attachmentId: string): Result<void, Refusal> {
    const judged = this.judgeEpoch(epoch);
    if (!judged.ok) return judged;
    if (attachmentId !== this.#attachmentId || this.#phase !== "resyncing") {
      return err(this.#refusal("this copy was not resynced for that attachment"));
    }
    this.#phase = "live";
    this.#appliedSequence = 0;
    return ok(undefined);
  }

  /** The stream comes back after its connection was lost; answers from where it goes on. */
  resumeStream(epoch: Epoch, attachmentId: string): Result<number, Refusal> {
    const judged = this.judgeEpoch(epoch);
    if (!judged.ok) return judged;
    if (attachmentId !== this.#attachmentId || this.#phase !== "live") {
      return err(this.#refusal("that attachment is over"));
    }
    return ok(this.#appliedSequence);
  }

  /**
   * May the operation `sequence` be applied now? Yes for the next one; "duplicate" for one that
   * was applied before (resent after a reconnect); anything else is a violation.
   */
  judgeOperation(
    epoch: Epoch,
    sequence: number,
  ): Result<"apply" | "duplicate", Refusal | Violation> {
    const judged = this.judgeEpoch(epoch);
    if (!judged.ok) return judged;
    if (this.#phase !== "live") return err(this.#refusal("no attachment is live"));
    if (sequence <= this.#appliedSequence) return ok("duplicate");
    if (sequence !== this.#appliedSequence + 1) {
      const reason = `operation ${sequence} came after ${this.#appliedSequence}`;
      return err({ kind: "violation", reason });
    }
    return ok("apply");
  }

  /** Operation `sequence`, judged "apply", has been performed. */
  applied(sequence: number): void {
    this.#appliedSequence = sequence;
  }

  #refusal(reason: string): Refusal {
    return { kind: "refused", known: this.known, reason };
  }
}
