import { type Checker, type Scene, Violation } from "./checker.ts";

const IN_SYNC_MS = 30_000;

/** L2: after the last fault both nodes are in sync within 30 s and the time that copying takes. */
export class PairReturns implements Checker {
  readonly name = "L2";
  #inSyncMs = 0;

  onStep(scene: Scene): void {
    const sinceMs = scene.syncDueSinceMs;
    if (sinceMs === null) return;
    const waitedMs = scene.nowMs - Math.max(sinceMs, this.#inSyncMs);
    // Also before it is due: what ends it later begins the wait anew.
    if (scene.isInSync) this.#inSyncMs = scene.nowMs;
    else if (waitedMs > IN_SYNC_MS + scene.transferMs)
      throw new Violation("L2", `not in sync for ${Math.round(waitedMs)} ms, and nothing fails`);
  }
}
