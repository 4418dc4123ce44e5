/**
 * What the product wants to reach, as data, and the judgement. Goals are for the default mode,
 * sync="write", whose promise is the stronger one; the other mode's ratios stand beside it.
 */
import { median } from "../statistics.ts";
import type { ResultRow } from "./result.ts";
import type { TargetName } from "./targets.ts";

export type Goal = { readonly row: string } & (
  | {
      readonly kind: "ratio";
      readonly of: TargetName;
      /** So many times as good as `of`, at least. */
      readonly atLeast: number;
    }
  | { readonly kind: "atMost"; readonly value: number; readonly needs?: string }
  /** So much, or that share of what `of` does here, whichever is less. */
  | {
      readonly kind: "rateOrShare";
      readonly of: TargetName;
      readonly rate: number;
      readonly share: number;
    }
);

export type Verdict = "met" | "missed" | "not measured";
export type Judged = {
  readonly goal: string;
  readonly measured: number | null;
  readonly verdict: Verdict;
};

const JUDGED: TargetName = "write";

const ratio = (row: string, of: TargetName, atLeast: number): Goal => ({
  ...{ kind: "ratio", row, of, atLeast },
});
const eachRatio = (rows: readonly string[], of: TargetName, atLeast: number): Goal[] =>
  rows.map((row) => ratio(row, of, atLeast));

/** Below this many files "a million files known" is not what was measured. */
export const MANY_FILES = 1_000_000;

export const GOALS: readonly Goal[] = [
  ...eachRatio(["fsync-1", "fsync-4"], "dual", 0.85),
  ...eachRatio(["fsync-1", "fsync-4"], "glusterfs", 2),
  ratio("dsync-1", "dual", 0.7),
  ratio("dsync-1", "glusterfs", 2),
  ratio("small-fsync", "dual", 0.7),
  ratio("small-fsync", "glusterfs", 5),
  ratio("small", "glusterfs", 15),
  // At most 1.3 times as long as the floor.
  ...eachRatio(["buffered-1", "buffered-4"], "floor", 1 / 1.3),
  ratio("buffered-1", "glusterfs", 4),
  ratio("buffered-4", "glusterfs", 7),
  ...eachRatio(["sequential-fresh", "sequential-written"], "dual", 0.8),
  ...eachRatio(["sequential-fresh", "sequential-written"], "glusterfs", 2.5),
  ...eachRatio(["read-warm", "randread-warm"], "native", 0.9),
  ratio("read-warm-writable", "native", 0.6),
  ratio("read-cold", "native", 0.85),
  ...eachRatio(
    ["read-warm", "read-warm-writable", "read-cold", "randread-warm", "randread-cold"],
    "glusterfs",
    1.5,
  ),
  ratio("untar", "glusterfs", 15),
  ...eachRatio(["sqlite-wal", "sqlite-journal", "pgbench"], "native", 0.85),
  ...eachRatio(["sqlite-wal", "sqlite-journal", "pgbench"], "glusterfs", 2.5),
  { kind: "rateOrShare", row: "resync-full", of: "native", rate: 500, share: 0.8 },
  // Ten per cent above what changed, metadata included.
  { kind: "atMost", row: "resync-delta-sent", value: 1.1 },
  { kind: "atMost", row: "resync-unchanged-time", value: 5 },
  { kind: "atMost", row: "rss-idle", value: 150 },
  { kind: "atMost", row: "rss-files", value: 250, needs: "a million files" },
];

/** In words, as printed and in the JSON. */
export function goalText(goal: Goal): string {
  switch (goal.kind) {
    case "ratio":
      return goal.atLeast < 1 && goal.of === "floor"
        ? `at most ${(1 / goal.atLeast).toFixed(1)} times as long as the floor`
        : `>= ${goal.atLeast} of ${goal.of}`;
    case "atMost":
      return `<= ${goal.value}${goal.needs === undefined ? "" : ` with ${goal.needs}`}`;
    case "rateOrShare":
      return `>= ${goal.rate}, or >= ${goal.share} of ${goal.of}`;
  }
}

/** `isComplete`: what the goal needs (a million files) was there. */
export function judge(goal: Goal, row: ResultRow | undefined, isComplete: boolean): Judged {
  const judged = (measured: number | null, isMet: boolean): Judged => ({
    goal: goalText(goal),
    measured,
    verdict: measured === null ? "not measured" : isMet ? "met" : "missed",
  });
  if (row === undefined) return judged(null, false);
  const value = row.targets[JUDGED]?.median ?? null;
  const ratioTo = (of: TargetName) => row.ratios[`${JUDGED}/${of}`] ?? null;
  switch (goal.kind) {
    case "ratio": {
      const found = ratioTo(goal.of);
      return judged(found, found !== null && found >= goal.atLeast);
    }
    case "atMost": {
      if (goal.needs !== undefined && !isComplete) return judged(null, false);
      return judged(value, value !== null && value <= goal.value);
    }
    case "rateOrShare": {
      const share = ratioTo(goal.of);
      if (value === null) return judged(null, false);
      if (value >= goal.rate) return judged(value, true);
      return judged(share, share !== null && share >= goal.share);
    }
  }
}

/** The median of the rounds that have a value; null when none has. */
export function medianOf(rounds: readonly (number | null)[]): number | null {
  const values = rounds.filter((value) => value !== null);
  return values.length === 0 ? null : median(values);
}
