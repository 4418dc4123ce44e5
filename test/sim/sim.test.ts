import { describe, expect, test } from "vitest";
import { runBatch } from "./batch.ts";
import { runPlan } from "./run.ts";
import { planOf } from "./swarm.ts";

const BATCH = {
  ...{ hours: 300 / 3600, stopsAtFirst: true, skips: true, shrinks: false, isEventual: false },
  ...{ onlyFaults: null, say: () => undefined },
};
/**
 * The short form is a fixed set, so that what CI says depends on the code alone. The long one goes
 * on from there, for as many sets as rounds are asked for.
 */
const isLong = process.env["MIRRORFARM_LONG"] === "1";
const ROUNDS = isLong ? Number(process.env["MIRRORFARM_ROUNDS"] || 5) : 1;
const SEEDS = 220 * ROUNDS;
const FIRST_SEED = 1000;

test(
  "no seed of the fixed set breaks an invariant, and together they see everything they must",
  async () => {
    const said: string[] = [];
    const result = await runBatch({
      ...{ ...BATCH, first: FIRST_SEED, seeds: SEEDS },
      say: (text) => said.push(text),
    });
    expect(result.violations, said.join("\n")).toEqual([]);
    expect(result.missing).toEqual([]);
  },
  400_000 * ROUNDS,
);

describe("a seed has one history", () => {
  test.each([7, 8, 9])("seed %i gives the same trace twice", async (seed) => {
    const plan = planOf(seed, 120 / 3600);
    const [first, second] = [await runPlan(plan), await runPlan(plan)];
    expect(second.hash).toBe(first.hash);
    expect(second.steps).toBe(first.steps);
    expect(first.operations).toBeGreaterThan(0);
  });

  test("another seed gives another one", async () => {
    const [first, second] = [await runPlan(planOf(7, 0.03)), await runPlan(planOf(8, 0.03))];
    expect(second.hash).not.toBe(first.hash);
  });

  test.each([2, 5])("leaving out what changes nothing changes nothing (seed %i)", async (seed) => {
    const plan = planOf(seed, 1);
    const short = await runPlan(plan, { skips: true });
    const whole = await runPlan(plan, { skips: false });
    expect(short.seen).toContain("skipped");
    expect(short.steps).toBeLessThan(whole.steps);
    expect(short.hash).toBe(whole.hash);
    expect(short.simulatedMs).toBe(whole.simulatedMs);
  });
});

test("the control run, a witness whose table reads stale, is found out", async () => {
  const result = await runBatch({ ...BATCH, first: 1, seeds: 50, isEventual: true });
  expect(result.violations).toHaveLength(1);
});

test("what the command line prints replays the same violation", async () => {
  const found = await runBatch({ ...BATCH, first: 1, seeds: 50, isEventual: true });
  const seed = found.violations[0]?.seed ?? 0;
  const again = await runBatch({ ...BATCH, first: seed, seeds: 1, isEventual: true });
  expect(again.violations[0]?.text).toBe(found.violations[0]?.text);
  expect(found.violations[0]?.replay).toContain(`--seed ${seed}`);
});
