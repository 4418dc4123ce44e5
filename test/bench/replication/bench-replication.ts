/**
 * What replication costs an application, beside the bare file system, both disks at once, and a peer:
 * sets everything up, measures in rounds, judges, and takes everything down, also on Ctrl-C.
 */
import { BenchLab } from "./bench-lab.ts";
import { MANY_FILES } from "./goals.ts";
import { type BenchOptions, readOptions } from "./options.ts";
import { cpuTable, goalTable, ratioTable, valueTable } from "./report.ts";
import { goalsMissed, type JudgedRow, judgeRows, resultRow } from "./result.ts";
import { type Failure, runRounds } from "./runner.ts";
import { TARGETS, type TargetName } from "./targets.ts";
import type { Workload } from "./workload.ts";
import { footprint, Idle } from "./workloads/footprint.ts";
import { workloadsOf } from "./workloads.ts";

export type ReplicationReport = {
  readonly options: BenchOptions;
  readonly seconds: number;
  /** Targets that were not measured, and why. */
  readonly skipped: Readonly<Partial<Record<TargetName, string>>>;
  readonly rows: readonly JudgedRow[];
  readonly goalsMissed: readonly string[];
  readonly failures: readonly Failure[];
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** As a shell has it: 128 and the number of SIGINT. */
const SIGNALLED = 130;

const known = workloadsOf(new Idle().workload()).map(({ name }) => name);

export const REPLICATION_HELP = `npm run bench -- replication [options]

  --rounds N         rounds (5); each measures every target next to the others
  --seconds N        of each short measure (2); given, pgbench takes as long, otherwise 60
  --peer glusterfs   beside GlusterFS replica 2 too (Debian's glusterfs-server)
  --workloads A,B    only these
  --files N          small files that a returning node finds unchanged (100000)
  --json             the result as JSON on standard output

targets:
${Object.values(TARGETS)
  .map(({ name, says }) => `  ${name.padEnd(10)} ${says}`)
  .join("\n")}

workloads: ${known.join(", ")}`;

/** The options, or why they are refused. */
export function replicationOptions(
  words: Parameters<typeof readOptions>[0],
): BenchOptions | string {
  return readOptions(words, known);
}

export async function benchReplication(
  options: BenchOptions,
  print: (text: string) => void,
): Promise<ReplicationReport> {
  const sinceMs = performance.now();
  const say = (text: string) =>
    print(`${((performance.now() - sinceMs) / 60_000).toFixed(1).padStart(5)} min  ${text}`);
  const idle = new Idle();
  const workloads = workloadsOf(idle.workload()).filter(
    ({ name }) => options.workloads === null || options.workloads.includes(name),
  );
  const starting = BenchLab.up({ options, say });
  // A signal while the lab is being made waits until there is one to take down.
  const end = (signal: NodeJS.Signals) => {
    say(`${signal}: taking everything down`);
    void starting
      .then((bench) => bench.down())
      .catch(() => undefined)
      .finally(() => process.exit(SIGNALLED));
  };
  for (const signal of SIGNALS) process.once(signal, end);
  const bench = await starting;
  try {
    const wanted = new Set(workloads.flatMap(({ targets }) => targets));
    const targets = await bench.startTargets(wanted, async () => {
      idle.figures = footprint(bench, "idle");
    });
    const { measures, failures } = await runRounds(bench, workloads, targets);
    const rows = rowsOf(workloads, targets, measures, options);
    const seconds = Math.round((performance.now() - sinceMs) / 1000);
    return {
      ...{ options, seconds, skipped: bench.skipped, rows, goalsMissed: goalsMissed(rows) },
      failures,
    };
  } catch (error) {
    if (!bench.isEnding) say(bench.logs());
    throw error;
  } finally {
    for (const signal of SIGNALS) process.off(signal, end);
    await bench.down();
  }
}

function rowsOf(
  workloads: readonly Workload[],
  targets: readonly TargetName[],
  measures: Awaited<ReturnType<typeof runRounds>>["measures"],
  { rounds, files }: BenchOptions,
): JudgedRow[] {
  const rows = workloads.flatMap((workload) =>
    workload.rows.map((row) =>
      resultRow(
        row,
        workload.name,
        workload.targets.filter((target) => targets.includes(target)),
        measures.get(workload.name) ?? [],
        Math.min(rounds, workload.roundsMax ?? rounds),
      ),
    ),
  );
  return judgeRows(rows, files >= MANY_FILES);
}

/** For a person. */
export function replicationText(report: ReplicationReport): string {
  const { rows, options, seconds, skipped, failures } = report;
  return [
    `${options.rounds} rounds, ${options.seconds} s each (pgbench ${options.pgbenchSeconds} s), ${Math.round(seconds / 60)} min in all`,
    ...Object.entries(skipped).map(([name, why]) => `without ${name}: ${why}`),
    ...["", valueTable(rows), "", ratioTable(rows), "", cpuTable(rows), "", goalTable(rows), ""],
    `goals missed: ${report.goalsMissed.length}`,
    ...failures.map(
      (one) => `not measured: ${one.workload} ${one.target} in round ${one.round}: ${one.why}`,
    ),
  ].join("\n");
}
