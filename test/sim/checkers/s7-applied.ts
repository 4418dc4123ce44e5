import type { TraceEvent } from "../trace.ts";
import { type Checker, type Scene, Violation } from "./checker.ts";

/**
 * S7: a receiver applies no operation of an epoch below one that it has persisted or voted for,
 * none twice, and none out of order.
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
    const disk = scene.view(event.node).quorum;
    const bound = Math.max(disk?.epoch ?? 0, disk?.pairVote?.terms.epoch ?? 0);
    if (event.epoch < bound) {
      throw new Violation(
        "S7",
        `${event.node} applies operation ${event.op} of epoch ${event.epoch}, bound to ${bound}`,
      );
    }
  }
}
