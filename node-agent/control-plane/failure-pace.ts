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
  readonly #nowMs: () => number;
  readonly #random: () => number;
  #tokens = BURST_MAX;
  #refilledAtMs: number;

  /** `random` gives 0..1. */
  constructor(nowMs: () => number, random: () => number) {
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
