import { type Checker, type NodeView, type Scene, Violation } from "./checker.ts";

/** Judged over so long, so that a burst after news is none. */
const WINDOW_MS = 10_000;
/**
 * A heartbeat and an answer 5 times a second each, and now and then a question to the witness. What
 * two modules say of themselves needs two datagrams.
 */
const IDLE_PER_SECOND_MAX = 12;
const ANY_PER_SECOND_MAX = 50;

/** L3: no storms. */
export class NoStorms implements Checker {
  readonly name = "L3";
  readonly #counts = new Map<string, { sinceMs: number; count: number }>();

  onMessage(node: NodeView, scene: Scene): void {
    const window = this.#counts.get(node.id) ?? { sinceMs: scene.nowMs, count: 0 };
    this.#counts.set(node.id, window);
    const lastedMs = scene.nowMs - window.sinceMs;
    if (lastedMs >= WINDOW_MS) {
      const perSecond = (window.count * 1000) / lastedMs;
      const perSecondMax = scene.isIdle ? IDLE_PER_SECOND_MAX : ANY_PER_SECOND_MAX;
      if (perSecond > perSecondMax * scene.moduleCount) {
        throw new Violation("L3", `${node.id} sends ${perSecond.toFixed(1)} messages a second`);
      }
      window.sinceMs = scene.nowMs;
      window.count = 0;
    }
    window.count += 1;
  }
}
