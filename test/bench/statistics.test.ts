import { expect, test } from "vitest";
import { median, medianRatio, percentile } from "./statistics.ts";

test("takes the lower of two middle values, and none of none", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2);
  expect(median([])).toBeNaN();
});

test("a percentile is one of the values, by nearest rank", () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect(percentile(values, 99)).toBe(198);
  expect(percentile(values, 100)).toBe(200);
  expect(percentile([7], 99)).toBe(7);
});

test("divides within each round, not the medians of all rounds", () => {
  // Half as fast in every round, on a disk that gets slower.
  expect(medianRatio([500, 50, 5], [1000, 100, 10], "more")).toBe(0.5);
  // The medians' own ratio would be 1.
  expect(medianRatio([10, 20, 90], [40, 20, 10], "more")).toBe(1);
  expect(medianRatio([10, 20, 30], [30, 40, 10], "more")).toBe(0.5);
});

test("of what shall be small, twice the peer's time is half as good", () => {
  expect(medianRatio([2, 4], [1, 2], "less")).toBe(0.5);
});

test("leaves out a round in which one of the two is missing", () => {
  expect(medianRatio([null, 4, 9], [1, 2, null], "more")).toBe(2);
  expect(medianRatio([1, null], [null, 1], "more")).toBeNull();
  expect(medianRatio([1], [0], "more")).toBeNull();
});
