import { describe, expect, test } from "vitest";
import { GOALS, type Goal, goalText, judge } from "./goals.ts";
import { goalsMissed, judgeRows, type ResultRow, resultRow } from "./result.ts";
import { Idle } from "./workloads/footprint.ts";
import { workloadsOf } from "./workloads.ts";

const measured = (values: readonly (number | null)[]) => ({
  rounds: values,
  median: values[0] ?? null,
  cpuPercent: 50,
});

function rowWith(part: Partial<ResultRow>): ResultRow {
  return {
    ...{ workload: "fsync-1", measuredBy: "fsync-1", title: "", unit: "/s", better: "more" },
    ...{ targets: { write: measured([800]) }, ratios: {} },
    ...part,
  };
}

describe("a ratio", () => {
  const goal: Goal = { kind: "ratio", row: "fsync-1", of: "dual", atLeast: 0.85 };
  const verdict = (ratio: number | null) =>
    judge(goal, rowWith({ ratios: { "write/dual": ratio, "fsync/dual": 2 } }), true).verdict;

  test("is met at its value, missed below", () => {
    expect(verdict(0.85)).toBe("met");
    expect(verdict(0.849)).toBe("missed");
  });

  test("cannot be told where one of the two was not measured", () => {
    expect(verdict(null)).toBe("not measured");
    expect(judge(goal, rowWith({ ratios: {} }), true).verdict).toBe("not measured");
    expect(judge(goal, undefined, true).verdict).toBe("not measured");
  });
});

test("a bound on a value is met at it, and needs what it speaks of", () => {
  const goal: Goal = { kind: "atMost", row: "rss-files", value: 250, needs: "a million files" };
  const verdict = (value: number, isComplete: boolean) =>
    judge(goal, rowWith({ targets: { write: measured([value]) } }), isComplete).verdict;
  expect(verdict(250, true)).toBe("met");
  expect(verdict(251, true)).toBe("missed");
  expect(verdict(100, false)).toBe("not measured");
});

test("a rate may be missed where the disk does not allow it", () => {
  const goal: Goal = {
    kind: "rateOrShare",
    row: "resync-full",
    of: "native",
    rate: 500,
    share: 0.8,
  };
  const verdict = (rate: number, share: number | null) =>
    judge(
      goal,
      rowWith({ targets: { write: measured([rate]) }, ratios: { "write/native": share } }),
      true,
    ).verdict;
  expect(verdict(500, 0.3)).toBe("met");
  expect(verdict(300, 0.8)).toBe("met");
  expect(verdict(300, 0.7)).toBe("missed");
  expect(verdict(300, null)).toBe("not measured");
});

test("rows get medians, ratios of each round, and what they missed", () => {
  const row = { key: "fsync-1", title: "t", unit: "/s", better: "more" } as const;
  const measure = (target: "write" | "dual", round: number, value: number) => ({
    ...{ target, round, cpuPercent: 10 * round },
    figures: { "fsync-1": value },
  });
  const measures = [
    ...[measure("dual", 1, 1000), measure("dual", 2, 100), measure("dual", 3, 10)],
    ...[measure("write", 1, 500), measure("write", 3, 5)],
  ];
  const result = resultRow(row, "fsync-1", ["dual", "write"], measures, 3);
  expect(result.targets.write?.rounds).toEqual([500, null, 5]);
  expect(result.targets.write?.median).toBe(5);
  expect(result.targets.dual?.cpuPercent).toBe(20);
  expect(result.ratios).toEqual({ "write/dual": 0.5 });
  const judged = judgeRows([result], true);
  expect(judged[0]?.goals.map(({ verdict }) => verdict)).toEqual(["missed", "not measured"]);
  expect(goalsMissed(judged)).toEqual(["fsync-1: >= 0.85 of dual (0.50)"]);
});

test("every goal is of a row that is measured on what it is compared with", () => {
  const workloads = workloadsOf(new Idle().workload());
  for (const goal of GOALS) {
    const owner = workloads.find(({ rows }) => rows.some(({ key }) => key === goal.row));
    expect(owner?.targets, goalText(goal)).toContain("write");
    if ("of" in goal) expect(owner?.targets, goalText(goal)).toContain(goal.of);
  }
  const keys = workloads.flatMap(({ rows }) => rows.map(({ key }) => key));
  expect(new Set(keys).size).toBe(keys.length);
});
