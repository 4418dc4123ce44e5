/** From single measures to rows: medians, ratios, goals. Pure. */
import { medianRatio } from "../statistics.ts";
import { GOALS, type Judged, judge, medianOf } from "./goals.ts";
import type { TargetName } from "./targets.ts";
import type { Figures, Row } from "./workload.ts";

/** One workload on one target in one round. */
export type Measure = {
  readonly target: TargetName;
  readonly round: number;
  readonly figures: Figures;
  /** Of one core, by both nodes together, the workload's own program included; null: too short. */
  readonly cpuPercent: number | null;
};

export type TargetResult = {
  /** By round; null where it was not measured. */
  readonly rounds: readonly (number | null)[];
  readonly median: number | null;
  readonly cpuPercent: number | null;
};

export type ResultRow = {
  /** The row's key. */
  readonly workload: string;
  /** The workload that it was measured by, which may have several rows; its CPU is of all of them. */
  readonly measuredBy: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "more" | "less";
  readonly targets: Readonly<Partial<Record<TargetName, TargetResult>>>;
  /** `write/native` and so on: how many times as good, medians of the ratios of each round. */
  readonly ratios: Readonly<Record<string, number | null>>;
};
export type JudgedRow = ResultRow & { readonly goals: readonly Judged[] };

const OURS: readonly TargetName[] = ["write", "fsync"];
const PEERS: readonly TargetName[] = ["native", "dual", "glusterfs", "floor"];

export function resultRow(
  row: Row,
  measuredBy: string,
  targets: readonly TargetName[],
  measures: readonly Measure[],
  rounds: number,
): ResultRow {
  const results: Partial<Record<TargetName, TargetResult>> = {};
  for (const target of targets) {
    const own = measures.filter((measure) => measure.target === target);
    const byRound = Array.from(
      { length: rounds },
      (_, index) => own.find(({ round }) => round === index + 1)?.figures[row.key] ?? null,
    );
    results[target] = {
      rounds: byRound,
      median: medianOf(byRound),
      cpuPercent: medianOf(own.map(({ cpuPercent }) => cpuPercent)),
    };
  }
  const ratios: Record<string, number | null> = {};
  const all = [...OURS.map((one) => [one, PEERS] as const), ["dual", ["native"]] as const];
  for (const [ours, peers] of all) {
    for (const peer of peers) {
      const [mine, other] = [results[ours], results[peer]];
      if (mine === undefined || other === undefined) continue;
      ratios[`${ours}/${peer}`] = medianRatio(mine.rounds, other.rounds, row.better);
    }
  }
  const { key, title, unit, better } = row;
  return { workload: key, measuredBy, title, unit, better, targets: results, ratios };
}

/** Each row with its goals. `isComplete`: as many files were known as a goal speaks of. */
export function judgeRows(rows: readonly ResultRow[], isComplete: boolean): JudgedRow[] {
  return rows.map((row) => ({
    ...row,
    goals: GOALS.filter((goal) => goal.row === row.workload).map((goal) =>
      judge(goal, row, isComplete),
    ),
  }));
}

/** `"fsync-1: >= 2 of glusterfs (1.6)"` for each goal that was measured and missed. */
export const goalsMissed = (rows: readonly JudgedRow[]): string[] =>
  rows.flatMap(({ workload, goals }) =>
    goals
      .filter(({ verdict }) => verdict === "missed")
      .map(({ goal, measured }) => `${workload}: ${goal} (${measured?.toFixed(2)})`),
  );
