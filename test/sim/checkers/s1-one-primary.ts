import type { TraceEvent } from "../trace.ts";
import { type Checker, type Scene, Violation } from "./checker.ts";

/**
 * After a hypervisor let a machine go on, it may not know for so long that it was held: until the
 * first answer of another voter, and where none comes until the rest of its lease has run out.
 */
const RESUMED_MS_MAX = 1900;

/**
 * S1: an epoch has one primary, and two nodes never accept operations at the same true time. A
 * frozen node accepts nothing. One that a hypervisor held may believe its lease for a moment, in
 * which nothing is acknowledged (S5 looks at every acknowledgement). Whoever forces a node to be
 * primary answers for the other one being off. And no reply leaves without a live grant.
 */
export class OnePrimary implements Checker {
  readonly name = "S1";
  #forced = 0;
  readonly #primaries = new Map<number, string>();

  onEvent(event: TraceEvent, scene: Scene): void {
    if (event.ev === "ack" && !scene.view(event.node).mayAnswer) {
      const what = `operation ${event.op} in epoch ${event.epoch}`;
      throw new Violation("S1", `${event.node} acknowledges ${what} without a live grant`);
    }
    if (event.ev === "force") this.#forced = event.epoch;
    if (event.ev !== "grant" && !(event.ev === "writable" && event.on)) return;
    const known = this.#primaries.get(event.epoch);
    if (known !== undefined && known !== event.node) {
      throw new Violation("S1", `epoch ${event.epoch} has two primaries: ${known}, ${event.node}`);
    }
    this.#primaries.set(event.epoch, event.node);
  }

  onStep(scene: Scene): void {
    const accepting = scene.nodes.filter((node) => node.accepts);
    if (accepting.length < 2) return;
    if (accepting.some((node) => (node.servedEpoch ?? 0) < this.#forced)) return;
    if (accepting.some((node) => node.resumedForMs <= RESUMED_MS_MAX)) return;
    const who = accepting.map((node) => `${node.id} (epoch ${node.servedEpoch})`);
    throw new Violation("S1", `two accept operations at once: ${who.join(" and ")}`);
  }
}
