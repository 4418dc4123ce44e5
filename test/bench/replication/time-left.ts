/** How long the rest of a run takes: each step as long as it took last time. */

export class TimeLeft {
  readonly #steps: readonly string[];
  readonly #tookMs = new Map<string, number>();
  #done = 0;

  /** `steps`: the names of all of them, in order. A name comes again in each round. */
  constructor(steps: readonly string[]) {
    this.#steps = steps;
  }

  /** The next step is over; null when it failed and says nothing about the next time. */
  stepDone(tookMs: number | null): void {
    const name = this.#steps[this.#done];
    if (name !== undefined && tookMs !== null) this.#tookMs.set(name, tookMs);
    this.#done += 1;
  }

  /** A step that has not been measured yet counts as the mean of those that have. */
  get leftMs(): number {
    const known = [...this.#tookMs.values()];
    const meanMs = known.length === 0 ? 0 : known.reduce((sum, one) => sum + one, 0) / known.length;
    return this.#steps
      .slice(this.#done)
      .reduce((sum, name) => sum + (this.#tookMs.get(name) ?? meanMs), 0);
  }

  text(): string {
    const minutes = (this.leftMs / 60_000).toFixed(1);
    return `${this.#done} of ${this.#steps.length}, about ${minutes} min left`;
  }
}
