/**
 * Rounds: in each, every workload is measured on all of its targets one right after the other, in
 * an order that is turned by one from round to round, so that no target always comes first.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../lab/command.ts";
import type { BenchLab } from "./bench-lab.ts";
import { inDigits } from "./report.ts";
import type { Measure } from "./result.ts";
import { TARGETS, type TargetName } from "./targets.ts";
import { TimeLeft } from "./time-left.ts";
import type { Workload } from "./workload.ts";

export type Failure = {
  readonly workload: string;
  readonly target: TargetName;
  readonly round: number;
  readonly why: string;
};
export type Measured = {
  /** By the workload's name. */
  readonly measures: ReadonlyMap<string, readonly Measure[]>;
  readonly failures: readonly Failure[];
};

/** What was dirtied before a measure must not be written back during it. */
const SYNC_MS_MAX = 60_000;
/** Of a shorter measure the use of the CPU means nothing. */
const CPU_MS_LEAST = 200;
const WHY_MAX = 300;

type Step = { readonly workload: Workload; readonly target: TargetName; readonly round: number };

/** Each step of a run, in order. */
export function stepsOf(
  workloads: readonly Workload[],
  targets: readonly TargetName[],
  rounds: number,
): Step[] {
  const steps: Step[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const workload of workloads) {
      if (round > (workload.roundsMax ?? rounds)) continue;
      const own = workload.targets.filter((target) => targets.includes(target));
      const turned = own.map((_, index) => own[(index + round - 1) % own.length]);
      for (const target of turned) {
        if (target !== undefined) steps.push({ workload, target, round });
      }
    }
  }
  return steps;
}

export async function runRounds(
  bench: BenchLab,
  workloads: readonly Workload[],
  targets: readonly TargetName[],
): Promise<Measured> {
  const measures = new Map<string, Measure[]>();
  const failures: Failure[] = [];
  const prepared = new Set<string>();
  const steps = stepsOf(workloads, targets, bench.options.rounds);
  const timeLeft = new TimeLeft(steps.map(nameOf));
  for (const step of steps) {
    const { workload, target, round } = step;
    const head = `round ${round}/${bench.options.rounds}  ${nameOf(step)}`;
    try {
      if (!prepared.has(nameOf(step))) await workload.prepare?.(TARGETS[target], bench);
      prepared.add(nameOf(step));
      const startMs = performance.now();
      const measure = await bench.inStep(target, () => measureOnce(step, bench));
      measures.set(workload.name, [...(measures.get(workload.name) ?? []), measure]);
      timeLeft.stepDone(performance.now() - startMs);
      bench.say(`${head}: ${shown(workload, measure)}; ${timeLeft.text()}`);
    } catch (error) {
      if (bench.isEnding) throw error;
      const why = whyFailed(error);
      failures.push({ workload: workload.name, target, round, why });
      timeLeft.stepDone(null);
      bench.say(`${head}: NOT MEASURED: ${why}; ${timeLeft.text()}`);
    }
  }
  return { measures, failures };
}

async function measureOnce({ workload, target, round }: Step, bench: BenchLab): Promise<Measure> {
  await run("sync", [], { limitMs: SYNC_MS_MAX });
  const before = cpuMicroseconds(bench);
  const startMs = performance.now();
  const figures = await workload.measure(TARGETS[target], bench);
  const tookMs = performance.now() - startMs;
  const usedMs = (cpuMicroseconds(bench) - before) / 1000;
  const cpuPercent = tookMs < CPU_MS_LEAST ? null : (usedMs * 100) / tookMs;
  return { target, round, figures, cpuPercent };
}

/** The end of what the command said; its own words before that are long. */
function whyFailed(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^.* ended with (\d+): /s, "code $1: ").slice(0, WHY_MAX);
}

const nameOf = ({ workload, target }: Step): string => `${workload.name} ${target}`;

function shown({ rows }: Workload, { figures, cpuPercent }: Measure): string {
  const values = rows.map(({ key, unit }) => `${inDigits(figures[key] ?? Number.NaN)} ${unit}`);
  const cpu = cpuPercent === null ? "" : `, CPU ${Math.round(cpuPercent)} %`;
  return `${values.join(", ")}${cpu}`;
}

/** Of everything in both nodes' machines, since they were made (cgroup v2 `cpu.stat`). */
function cpuMicroseconds(bench: BenchLab): number {
  return (["node1", "node2"] as const).reduce((sum, node) => {
    const file = join(bench.machine(node).cgroup, "cpu.stat");
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    return sum + Number(/^usage_usec (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
  }, 0);
}
