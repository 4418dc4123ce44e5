/**
 * A limit on bytes per second (`reiallowedbw`): a token bucket of a quarter of a second, so that
 * short bursts pass and the average holds. Pure but for the clock it is given.
 */
import type { ResyncClock } from "./resync.ts";

const BURST_MS = 250;

export class Bandwidth {
  readonly #bytesPerSecond: number | null;
  readonly #clock: ResyncClock;
  #tokens: number;
  #filledAtMs: number;

  constructor(bytesPerSecond: number | null, clock: ResyncClock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
    this.#tokens = 0;
    this.#filledAtMs = clock.nowMs();
  }

  /** Counts `bytes` as sent; milliseconds to wait before the next are sent. */
  spend(bytes: number): number {
    if (this.#bytesPerSecond === null) return 0;
    const perMs = this.#bytesPerSecond / 1000;
    const nowMs = this.#clock.nowMs();
    const filled = this.#tokens + (nowMs - this.#filledAtMs) * perMs;
    this.#tokens = Math.min(filled, BURST_MS * perMs) - bytes;
    this.#filledAtMs = nowMs;
    return this.#tokens >= 0 ? 0 : Math.ceil(-this.#tokens / perMs);
  }
}
