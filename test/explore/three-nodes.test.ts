import { describe, expect, test } from "vitest";
import { explore } from "./explore.ts";
import { THREE_BOUNDS } from "./three-bounds.ts";

/** The short form: every story of three nodes with one fault. The long one: with two. */
const isLong = process.env["MIRRORFARM_LONG"] === "1";
const MINUTES_MAX = isLong ? 240 : 5;

describe("everything that can happen to three nodes and their witness", () => {
  test(
    "no promise is broken in any state, and every state has an exit",
    async () => {
      const { budget, epochsMax } = THREE_BOUNDS;
      const { broken, isComplete, states, cells } = await explore({
        ...{ nodeCount: 3, areClocksTogether: true, epochsMax, statesMax: 60_000_000 },
        ...{ budget: { ...budget, faults: isLong ? 2 : 1 }, depthMax: Number.POSITIVE_INFINITY },
      });
      expect(broken?.promise).toBeUndefined();
      expect(isComplete).toBe(true);
      // Far fewer would mean that something is not explored any more.
      expect(states).toBeGreaterThan(10_000);
      expect(cells.length).toBeGreaterThan(45);
    },
    MINUTES_MAX * 60_000,
  );
});
