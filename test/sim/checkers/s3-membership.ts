import type { NodeDisk } from "#model/quorum/disk.ts";
import type { TraceEvent } from "../trace.ts";
import { type Checker, type NodeView, Violation } from "./checker.ts";

/**
 * S3: only a member of the last committed in-sync set becomes primary, but by a person's force. A
 * node that the primary has durably required, and that knows it, is a member for the pair, also
 * while the witness is away and has not recorded it. A set that the witness recorded for a primary
 * which never heard of it, and so never acted, binds the witness, but not the two nodes together.
 */
export class OnlyMembers implements Checker {
  readonly name = "S3";
  #set: readonly string[] = [];
  #epoch = 0;
  readonly #sets = new Map<number, readonly string[]>();
  /** Of the newest epoch that its own primary has on its disk. */
  #actedEpoch = 0;
  #actedSet: readonly string[] = [];
  #joining: string | null = null;
  #joined: string | null = null;
  readonly #forced = new Set<number>();
  readonly #judged = new Set<number>();

  onPersist(node: NodeView, _: NodeDisk | null, now: NodeDisk): void {
    const isKnown = now.epoch > this.#actedEpoch && now.epoch <= this.#epoch;
    if (now.primary === node.id && isKnown) {
      this.#actedEpoch = now.epoch;
      this.#actedSet = this.#sets.get(now.epoch) ?? now.inSync;
    }
    if (now.epoch < this.#epoch) return;
    if (now.primary === node.id) this.#joining = now.joining;
    else if (this.#joining === node.id && !now.outdated) this.#joined = node.id;
    // A primary that was put back to an older state may talk it out of that while it asks already.
    const isAsking = now.asked > now.epoch;
    if (now.outdated && this.#joined === node.id && !isAsking) this.#joined = null;
  }

  onEvent(event: TraceEvent): void {
    if (event.ev === "force") this.#forced.add(event.epoch);
    if (event.ev === "insync") {
      this.#sets.set(event.epoch, event.set);
      if (event.epoch === this.#actedEpoch) this.#actedSet = event.set;
    }
    if (event.ev === "insync" && event.epoch >= this.#epoch) {
      this.#set = event.set;
      this.#epoch = event.epoch;
    }
    if (event.ev !== "grant" || this.#judged.has(event.epoch)) return;
    this.#judged.add(event.epoch);
    const isFirst = this.#set.length === 0;
    if (isFirst || this.#forced.has(event.epoch) || this.#set.includes(event.node)) return;
    if (this.#joined === event.node) return;
    if (this.#actedEpoch < this.#epoch && this.#actedSet.includes(event.node)) return;
    throw new Violation(
      "S3",
      `${event.node} was granted epoch ${event.epoch}, the set was {${this.#set}}`,
    );
  }
}
