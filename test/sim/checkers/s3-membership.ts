import type { TraceEvent } from "../trace.ts";
import { type Checker, Violation } from "./checker.ts";

/** S3: only a member of the last committed in-sync set becomes primary, but by a person's force. */
export class OnlyMembers implements Checker {
  readonly name = "S3";
  #set: readonly string[] = [];
  #epoch = 0;
  readonly #forced = new Set<number>();
  readonly #judged = new Set<number>();

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
    throw new Violation(
      "S3",
      `${event.node} was granted epoch ${event.epoch}, the set was {${this.#set}}`,
    );
  }
}
