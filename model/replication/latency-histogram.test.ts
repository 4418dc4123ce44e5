import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  countsSince,
  LATENCY_BOUNDS_MS,
  LatencyHistogram,
  quantileMs,
  totalOf,
} from "./latency-histogram.ts";

describe("a histogram of latencies", () => {
  test("a bound belongs to its own bucket, and what is just above to the next", () => {
    for (const [index, bound] of LATENCY_BOUNDS_MS.entries()) {
      const histogram = new LatencyHistogram();
      histogram.add(bound);
      histogram.add(bound * 1.001);
      expect(histogram.counts[index]).toBe(1);
      expect(histogram.counts[index + 1]).toBe(1);
    }
  });

  test("nothing, less than nothing and for ever have a bucket too", () => {
    const histogram = new LatencyHistogram();
    for (const ms of [0, -5, 1e9, Number.POSITIVE_INFINITY]) histogram.add(ms);
    expect(histogram.counts[0]).toBe(2);
    expect(histogram.counts.at(-1)).toBe(2);
  });

  test("a quantile is never below the truth, and at most twice as much", () => {
    const times = fc.array(fc.double({ min: 0.04, max: 10_000, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 0.9, 0.99, 1), (all, share) => {
        const histogram = new LatencyHistogram();
        for (const ms of all) histogram.add(ms);
        const sorted = [...all].sort((a, b) => a - b);
        const truth = sorted[Math.max(0, Math.ceil(share * all.length) - 1)] ?? 0;
        const told = quantileMs(histogram.counts, share) ?? 0;
        expect(told).toBeGreaterThanOrEqual(truth);
        expect(told).toBeLessThanOrEqual(2 * truth);
      }),
    );
  });

  test("what came since a reading; of nothing there is no quantile", () => {
    const histogram = new LatencyHistogram();
    histogram.add(1);
    const before = histogram.counts;
    expect(quantileMs(countsSince(before, before), 0.5)).toBeNull();
    histogram.add(100);
    const since = countsSince(histogram.counts, before);
    expect(totalOf(since)).toBe(1);
    expect(quantileMs(since, 0.5)).toBe(128);
  });
});
