import type { BootMs } from "#model/shared/ids.ts";

/** Failures that may follow each other at once, before the pace below holds. */
const BURST_MAX = 3;
/** Then one attempt per this time. */
const INTERVAL_MS = 1_000;

/**
 * Keeps a node from hammering a control plane that fails: success costs nothing, each failure
 * takes one of three tokens, and a token comes back every second. An attempt without a token is
 * not made. Jitter, as nodes that lost the control plane together must not come back together.
 */
export class FailurePace {
  readonly #nowMs: () => BootMs;
  readonly #random: () => number;
  #tokens = BURST_MAX;
  #refilledAtMs: BootMs;

  /**
   * `random` gives 0..1. The clock is one that nobody sets: by the wall clock a step back would
   * keep this node from asking until that time has passed once more.
   */
  constructor(nowMs: () => BootMs, random: () => number) {
    this.#nowMs = nowMs;
    this.#random = random;
    this.#refilledAtMs = nowMs();
  }

  /** May an attempt be made now? */
  get mayTry(): boolean {
    const nowMs = this.#nowMs();
    const gained = Math.floor((nowMs - this.#refilledAtMs) / INTERVAL_MS);
    if (gained > 0) {
      this.#tokens = Math.min(BURST_MAX, this.#tokens + gained);
      this.#refilledAtMs += gained * INTERVAL_MS;
    }
    return this.#tokens > 0;
  }

  noteSuccess(): void {
    this.#tokens = BURST_MAX;
    this.#refilledAtMs = this.#nowMs();
  }

  noteFailure(): void {
    if (this.#tokens === BURST_MAX) {
      // The first failure of a row starts the clock somewhere within the next interval.
      this.#refilledAtMs = this.#nowMs() + Math.floor(this.#random() * INTERVAL_MS);
    }
    this.#tokens = Math.max(0, this.#tokens - 1);
  }
}
