import { type Checker, type Scene, Violation } from "./checker.ts";

const IN_SYNC_MS = 30_000;
const LOOK_MS = 500;

/** L2: after the last fault both nodes are in sync within 30 s and the time that copying takes. */
export class PairReturns implements Checker {
  readonly name = "L2";
  #inSyncMs = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;

  onStep(scene: Scene): void {
    const { nowMs, syncDueSinceMs: sinceMs } = scene;
    if (sinceMs === null || nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    if (scene.isInSync) this.#inSyncMs = nowMs;
    const waitedMs = nowMs - Math.max(sinceMs, this.#inSyncMs);
    if (waitedMs <= IN_SYNC_MS + scene.transferMs) return;
    throw new Violation("L2", `not in sync for ${Math.round(waitedMs)} ms, and nothing fails`);
  }
}
