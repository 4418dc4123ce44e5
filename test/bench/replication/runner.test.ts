import { expect, test } from "vitest";
import { stepsOf } from "./runner.ts";
import type { Workload } from "./workload.ts";

const workload = (name: string, roundsMax: number): Workload => ({
  ...{ name, rows: [], targets: ["native", "write", "glusterfs"], roundsMax },
  measure: async () => ({}),
});

test("each round measures all targets of a workload side by side, another one first each time", () => {
  const steps = stepsOf([workload("a", 5), workload("b", 1)], ["native", "write"], 2);
  expect(
    steps.map(({ round, workload: { name }, target }) => `${round} ${name} ${target}`),
  ).toEqual([
    ...["1 a native", "1 a write", "1 b native", "1 b write"],
    ...["2 a write", "2 a native"],
  ]);
});
