/** What a run prints. */
import { table } from "../statistics.ts";
import type { JudgedRow } from "./result.ts";
import type { TargetName } from "./targets.ts";

const COLUMNS: readonly TargetName[] = ["native", "dual", "write", "fsync", "glusterfs", "floor"];
/** What stands beside each goal's own ratio anyway. */
const RATIOS = ["write/native", "write/dual", "fsync/native", "write/glusterfs", "write/floor"];

/** Three digits that mean something, and no power of ten. */
export function inDigits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(digits, 3));
}

const cell = (value: number | null | undefined): string => inDigits(value ?? Number.NaN);

export function valueTable(rows: readonly JudgedRow[]): string {
  const columns = COLUMNS.filter((name) => rows.some(({ targets }) => targets[name] !== undefined));
  return table([
    ["medians", "unit", ...columns],
    ...rows.map(({ title, unit, targets }) => [
      title,
      unit,
      ...columns.map((name) => cell(targets[name]?.median)),
    ]),
  ]);
}

export function ratioTable(rows: readonly JudgedRow[]): string {
  const some = rows.filter(({ ratios }) => RATIOS.some((name) => (ratios[name] ?? null) !== null));
  return table([
    ["times as good (medians of each round's ratio)", ...RATIOS],
    ...some.map(({ title, ratios }) => [title, ...RATIOS.map((name) => cell(ratios[name]))]),
  ]);
}

/** Rows of one workload share its CPU. */
const isFirst = ({ measuredBy }: JudgedRow, index: number, all: readonly JudgedRow[]): boolean =>
  all.findIndex((row) => row.measuredBy === measuredBy) === index &&
  Object.values(all[index]?.targets ?? {}).some(({ cpuPercent }) => cpuPercent !== null);

export function cpuTable(rows: readonly JudgedRow[]): string {
  const columns = COLUMNS.filter((name) => rows.some(({ targets }) => targets[name] !== undefined));
  return table([
    ["CPU, % of one core, both nodes and the program", ...columns],
    ...rows
      .filter(isFirst)
      .map(({ title, targets }) => [
        title,
        ...columns.map((name) => cell(targets[name]?.cpuPercent)),
      ]),
  ]);
}

export function goalTable(rows: readonly JudgedRow[]): string {
  return table([
    ["goals of sync=write", "goal", "measured", ""],
    ...rows.flatMap(({ title, goals }) =>
      goals.map(({ goal, measured, verdict }) => [title, goal, cell(measured), verdict]),
    ),
  ]);
}
