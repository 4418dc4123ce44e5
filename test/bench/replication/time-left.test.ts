import { expect, test } from "vitest";
import { TimeLeft } from "./time-left.ts";

test("a step counts as long as it took last time, an unknown one as the mean", () => {
  const left = new TimeLeft(["a", "b", "c", "a", "b", "c"]);
  expect(left.leftMs).toBe(0);
  left.stepDone(1000);
  left.stepDone(3000);
  // c twice at the mean of 2000, then a and b as known.
  expect(left.leftMs).toBe(2000 + 1000 + 3000 + 2000);
});

test("a step that failed is over, and says nothing about its time", () => {
  const left = new TimeLeft(["a", "a"]);
  left.stepDone(null);
  expect(left.leftMs).toBe(0);
  left.stepDone(500);
  expect(left.text()).toBe("2 of 2, about 0.0 min left");
});
