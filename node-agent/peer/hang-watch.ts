import type { BootMs } from "#model/shared/ids.ts";

/** Watches one counter that must move while its thread lives. */
export class HangWatch {
  readonly #hangAfterMs: number;
  #seen = 0;
  #movedAtBootMs: BootMs;

  constructor(hangAfterMs: number, nowBootMs: BootMs) {
    this.#hangAfterMs = hangAfterMs;
    this.#movedAtBootMs = nowBootMs;
  }

  /** Has the counter stood still for `hangAfterMs`? Not a latch: it ends with the next movement. */
  isHung(counter: number, nowBootMs: BootMs): boolean {
    if (counter !== this.#seen) {
      this.#seen = counter;
      this.#movedAtBootMs = nowBootMs;
    }
    return nowBootMs - this.#movedAtBootMs >= this.#hangAfterMs;
  }
}
