import { missingOf } from "./coverage.ts";
import { type Outcome, type RunOptions, runPlan } from "./run.ts";
import { shrink } from "./shrink.ts";
import { type Plan, planOf } from "./swarm.ts";

export type BatchOptions = {
  readonly first: number;
  readonly seeds: number;
  readonly hours: number;
  readonly stopsAtFirst: boolean;
  readonly skips: boolean;
  readonly shrinks: boolean;
  readonly isEventual: boolean;
  /** Only the planned faults with these numbers: a shrunk history. */
  readonly onlyFaults: readonly number[] | null;
  readonly write?: (line: string) => void;
  readonly say: (text: string) => void;
};

export type Found = {
  readonly invariant: string;
  readonly seed: number;
  readonly text: string;
  readonly replay: string;
};

export type BatchResult = {
  readonly seeds: number;
  readonly violations: readonly Found[];
  readonly seen: readonly string[];
  readonly missing: readonly string[];
  /** Those with at least 60 operations and a fault in each. */
  readonly clusterHours: number;
  /** Of a core. */
  readonly hoursPerMinute: number;
  readonly eventsPerSecond: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly operations: number;
  readonly faults: number;
};

const OPERATIONS_PER_HOUR_MIN = 60;
const LAST_LINES = 40;

/** Lives through one seed after the other, and sums up. */
export async function runBatch(options: BatchOptions): Promise<BatchResult> {
  const { first, seeds, hours, say } = options;
  const violations: Found[] = [];
  const seen = new Set<string>();
  let [simulatedMs, steps, operations, faults, lived] = [0, 0, 0, 0, 0];
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  for (let seed = first; seed < first + seeds; seed += 1) {
    const outcome = await runPlan(planFor(seed, options), runOptions(options));
    lived += 1;
    for (const one of outcome.seen) seen.add(one);
    steps += outcome.steps;
    operations += outcome.operations;
    faults += outcome.faults;
    const isFull =
      outcome.operations >= (outcome.simulatedMs / 3_600_000) * OPERATIONS_PER_HOUR_MIN;
    if (isFull && outcome.faults > 0) simulatedMs += outcome.simulatedMs;
    if (outcome.violation === null) continue;
    const found = await describe(outcome, options);
    violations.push(found);
    if (options.stopsAtFirst) break;
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const cpu = process.cpuUsage(startedCpu);
  // By the time that this process had a core to itself: others may run beside it.
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  const clusterHours = simulatedMs / 3_600_000;
  const result: BatchResult = {
    ...{
      seeds: lived,
      violations,
      seen: [...seen].sort(),
      missing: missingOf(seen, lived),
      clusterHours,
    },
    ...{ hoursPerMinute: (clusterHours * 60) / cpuSeconds },
    ...{ operations, faults, seconds, cpuSeconds, eventsPerSecond: steps / cpuSeconds },
  };
  say(
    `${lived} seeds, ${clusterHours.toFixed(1)} cluster-hours in ${seconds.toFixed(1)} s ` +
      `(${cpuSeconds.toFixed(1)} s of a core): ${result.hoursPerMinute.toFixed(0)} hours and ` +
      `${Math.round((result.eventsPerSecond * 60) / 1000)},000 events a minute of a core; ` +
      `${operations} operations, ${faults} faults`,
  );
  if (result.missing.length > 0) say(`never seen: ${result.missing.join("; ")}`);
  say(violations.length === 0 ? "no violation" : `${violations.length} violations`);
  return result;

  async function describe(outcome: Outcome, o: BatchOptions): Promise<Found> {
    const { violation, seed } = outcome;
    const { invariant, text } = violation ?? { invariant: "BUG", text: "" };
    say(`\nseed ${seed} breaks ${invariant}: ${text}\n${outcome.picture}`);
    for (const line of outcome.last.slice(-LAST_LINES)) say(JSON.stringify(line));
    let only = o.onlyFaults;
    if (o.shrinks) only = await shrink(planFor(seed, o), invariant, runOptions({ ...o }), say);
    const faultsWord = only === null ? "" : ` --faults ${only.join(",")}`;
    const eventual = o.isEventual ? " --eventual" : "";
    const replay = `npm run sim -- --seed ${seed} --hours ${hours}${faultsWord}${eventual}`;
    say(`replay: ${replay} --trace /tmp/trace.jsonl`);
    return { invariant, seed, text, replay };
  }
}

function planFor(seed: number, { hours, onlyFaults }: BatchOptions): Plan {
  const plan = planOf(seed, hours);
  if (onlyFaults === null) return plan;
  return { ...plan, faults: plan.faults.filter(({ id }) => onlyFaults.includes(id)) };
}

const runOptions = ({ write, skips, isEventual }: BatchOptions): RunOptions => ({
  ...(write === undefined ? {} : { write }),
  ...{ skips, isEventual },
});
