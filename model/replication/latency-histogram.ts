/**
 * How long something took, counted in buckets: bucket `i` holds what took at most
 * `LATENCY_BOUNDS_MS[i]` and more than the bound before it; the last one holds the rest. Each bound
 * is twice the one before, so that a figure read from it is at most twice the truth, over five
 * orders of magnitude and in a few words of memory.
 */

/** Upper bounds in milliseconds: 1/32 ms to 16.4 s. */
export const LATENCY_BOUNDS_MS: readonly number[] = Array.from(
  { length: 20 },
  (_, index) => 2 ** (index - 5),
);

/** One number a bucket; one more than there are bounds. */
export type LatencyCounts = readonly number[];

export class LatencyHistogram {
  readonly #counts: number[] = Array.from({ length: LATENCY_BOUNDS_MS.length + 1 }, () => 0);

  /** A copy that no later `add` changes. */
  get counts(): LatencyCounts {
    return [...this.#counts];
  }

  /** Takes milliseconds; what is negative, as after a clock's step, counts as nothing. */
  add(ms: number): void {
    const exact = Math.ceil(Math.log2(Math.max(ms, Number.MIN_VALUE))) + 5;
    const index = Math.max(0, Math.min(exact, this.#counts.length - 1));
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }
}

/** What was counted between two readings of one histogram. */
export const countsSince = (now: LatencyCounts, before: LatencyCounts): LatencyCounts =>
  now.map((count, index) => count - (before[index] ?? 0));

export const totalOf = (counts: LatencyCounts): number => counts.reduce((sum, n) => sum + n, 0);

/**
 * The bound that a share of them did not exceed: `quantile(counts, 0.99)` is an upper bound of the
 * 99th percentile. Null when nothing was counted; Infinity when it lies beyond the last bound.
 */
export function quantileMs(counts: LatencyCounts, share: number): number | null {
  const total = totalOf(counts);
  if (total === 0) return null;
  let seen = 0;
  for (const [index, count] of counts.entries()) {
    seen += count;
    if (seen >= share * total) return LATENCY_BOUNDS_MS[index] ?? Number.POSITIVE_INFINITY;
  }
  return Number.POSITIVE_INFINITY;
}
