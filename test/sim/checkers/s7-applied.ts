import type { TraceEvent } from "../trace.ts";
import { type Checker, type Scene, Violation } from "./checker.ts";

/**
 * S7: a receiver applies no operation of an epoch below the one that it is bound to, none twice,
 * and none out of order. (Its node may have voted for a newer one a moment before the data loop
 * hears of it: what was received until then is applied first, and nobody serves from it before.)
 */
export class AppliedInOrder implements Checker {
  readonly name = "S7";
  readonly #last = new Map<string, number>();

  onEvent(event: TraceEvent, scene: Scene): void {
    if (event.ev === "lose") this.#last.delete(event.node);
    if (event.ev !== "apply") return;
    const last = this.#last.get(event.node) ?? 0;
    if (event.op <= last) {
      throw new Violation("S7", `${event.node} applies operation ${event.op} after ${last}`);
    }
    this.#last.set(event.node, event.op);
    const bound = scene.view(event.node).boundEpoch;
    if (event.epoch < bound) {
      throw new Violation(
        "S7",
        `${event.node} applies operation ${event.op} of epoch ${event.epoch}, bound to ${bound}`,
      );
    }
  }
}
