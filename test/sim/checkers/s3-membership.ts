import type { NodeDisk } from "#model/quorum/disk.ts";
import type { TraceEvent } from "../trace.ts";
import { type Checker, type NodeView, Violation } from "./checker.ts";

/**
 * S3: only a member of the last committed in-sync set becomes primary, but by a person's force. A
 * node that the primary has durably required, and that knows it, is a member for the pair, also
 * while the witness is away and has not recorded it.
 */
export class OnlyMembers implements Checker {
  readonly name = "S3";
  #set: readonly string[] = [];
  #epoch = 0;
  #joining: string | null = null;
  #joined: string | null = null;
  readonly #forced = new Set<number>();
  readonly #judged = new Set<number>();

  onPersist(node: NodeView, _: NodeDisk | null, now: NodeDisk): void {
    if (now.epoch < this.#epoch) return;
    if (now.primary === node.id) this.#joining = now.joining;
    else if (this.#joining === node.id && !now.outdated) this.#joined = node.id;
    if (now.outdated && this.#joined === node.id) this.#joined = null;
  }

  onEvent(event: TraceEvent): void {
    if (event.ev === "force") this.#forced.add(event.epoch);
    if (event.ev === "insync" && event.epoch >= this.#epoch) {
      this.#set = event.set;
      this.#epoch = event.epoch;
    }
    if (event.ev !== "grant" || this.#judged.has(event.epoch)) return;
    this.#judged.add(event.epoch);
    const isFirst = this.#set.length === 0;
    if (isFirst || this.#forced.has(event.epoch) || this.#set.includes(event.node)) return;
    if (this.#joined === event.node) return;
    throw new Violation(
      "S3",
      `${event.node} was granted epoch ${event.epoch}, the set was {${this.#set}}`,
    );
  }
}
