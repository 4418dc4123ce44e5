import type { TraceEvent } from "../trace.ts";
import { type Checker, type Scene, Violation } from "./checker.ts";

/**
 * S4: at the moment a node becomes writable it holds every operation that was ever acknowledged,
 * while a member of the set survives (what no member can keep, the oracle has forgiven).
 */
export class NothingLost implements Checker {
  readonly name = "S4";

  onEvent(event: TraceEvent, scene: Scene): void {
    if (event.ev !== "writable" || !event.on) return;
    const missing = scene.oracle.missing(scene.view(event.node).tree, event.epoch);
    if (missing === null) return;
    const { op, where } = missing;
    const what = `${op.what} (operation ${op.id} of epoch ${op.epoch}): ${where}`;
    throw new Violation("S4", `${event.node} leads epoch ${event.epoch} and lacks ${what}`);
  }
}
