import { describe, expect, test } from "vitest";
import { DEFAULT_BOUNDS } from "./bounds.ts";
import { explore } from "./explore.ts";
import { storyOf } from "./story.ts";

/**
 * The short form: every story with two faults under one clock, every story with one under free
 * clocks. `npm run test:long -- sim` allows one more of each.
 */
const isLong = process.env["MIRRORFARM_LONG"] === "1";
const MINUTES_MAX = isLong ? 240 : 5;

const searched = (clocks: "together" | "free", depthMax = Number.POSITIVE_INFINITY) => {
  const { budget, epochsMax } = DEFAULT_BOUNDS[clocks];
  const faults = budget.faults + (isLong ? 1 : 0);
  const bounds = { epochsMax, budget: { ...budget, faults }, statesMax: 60_000_000, depthMax };
  return explore({ nodeCount: 2, areClocksTogether: clocks === "together", ...bounds });
};

describe("everything that can happen to a pair and its witness", () => {
  test(
    "clocks together: no promise is broken in any state, and every state has an exit",
    async () => {
      const { broken, isComplete, states, cells } = await searched("together");
      expect(broken?.promise).toBeUndefined();
      expect(isComplete).toBe(true);
      // Far fewer would mean that something is not explored any more.
      expect(states).toBeGreaterThan(100_000);
      expect(cells.length).toBeGreaterThan(60);
    },
    MINUTES_MAX * 60_000,
  );

  test(
    "each clock for itself: no acknowledged write rests on any of them",
    async () => {
      const { broken, isComplete, states } = await searched("free");
      expect(broken?.promise).toBeUndefined();
      expect(isComplete).toBe(true);
      expect(states).toBeGreaterThan(30_000);
    },
    MINUTES_MAX * 60_000,
  );

  test("a depth that was merely reached is no proof", async () => {
    const { isComplete, depth, broken } = await searched("together", 3);
    expect({ isComplete, depth, broken }).toEqual({ isComplete: false, depth: 3, broken: null });
  });

  test("a broken promise is told as a story that can be followed", () => {
    const { budget } = DEFAULT_BOUNDS.together;
    const moves = ["a loses its power", "time passes"];
    const told = storyOf(
      { promise: "S0: an example", moves },
      { areClocksTogether: true, budget, nodeCount: 2 },
    );
    expect(told[0]).toBe("A pair in sync:");
    expect(told.filter((line) => /^\d/.test(line))).toEqual([
      "1. a loses its power",
      "2. time passes",
    ]);
    expect(told.join("\n")).toContain("a: dead; on its disk epoch 1 of a {a,b}");
    expect(told.at(-1)).toBe("so: S0: an example");
  });
});
