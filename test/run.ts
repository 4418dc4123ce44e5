/**
 * `npm test`: every stage in turn, each within its budget, and one closing line. Stages never run
 * beside each other: two cores, and the lab measures times.
 *
 *   npm test [-- STAGE ...]                        all stages, or those named
 *   npm run test:long -- [STAGE ...] [--rounds N]  the same cases with full counts and durations
 *
 * The last line says how many tests passed and failed; where something could not be run here (no
 * root, no FUSE, no browser) the last line starts with NOT RUN and names it.
 */
import { closingLines, type NotBegun, type StageEnd } from "./setup/closing-lines.ts";
import { TIMER_MS_MAX } from "./setup/length.ts";
import { runCheck, runProject, stopStages } from "./setup/run-stage.ts";
import type { StageReport } from "./setup/stage-report.ts";

type Stage = {
  readonly name: string;
  readonly minutes: number;
  readonly needsRoot: boolean;
  /**
   * What `npm test` shortens, and what the long form makes of it with `--rounds N`. Null: the short
   * form is the whole, and a long run repeats it N times.
   */
  readonly shortened: { readonly short: string; readonly long: string } | null;
};

/** Minutes on two cores. Their sum bounds `npm test` to 25 minutes. */
const STAGES: readonly Stage[] = [
  { name: "check", minutes: 0.5, needsRoot: false, shortened: null },
  {
    ...{ name: "unit", minutes: 2.5, needsRoot: false },
    shortened: {
      short: "100 random histories of the quorum protocol; few random trees, frames and requests",
      long: "histories for N minutes (5), and 10 × N as many other random cases, of new seeds",
    },
  },
  {
    ...{ name: "sim", minutes: 5, needsRoot: false },
    shortened: {
      short: "all stories with two faults (one under free clocks), and a fixed set of 220 seeds",
      long: "all stories with one fault more, which takes hours, and N (5) times as many seeds",
    },
  },
  {
    ...{ name: "posix", minutes: 5, needsRoot: true },
    shortened: {
      short: "every case but the longest; random programs of a fixed set of 10 seeds",
      long: "every case, and 10 × N (1) as many random programs, of new seeds",
    },
  },
  { name: "contract", minutes: 2, needsRoot: false, shortened: null },
  {
    ...{ name: "lab", minutes: 3, needsRoot: true },
    shortened: { short: "each fault once", long: "each fault N times (3)" },
  },
  {
    ...{ name: "faults", minutes: 3, needsRoot: true },
    shortened: {
      short: "each row of the fault matrix once, its waits of a minute and more cut to seconds",
      long: "every row with its full durations, N times (1)",
    },
  },
  { name: "systemd", minutes: 1, needsRoot: true, shortened: null },
  { name: "browser", minutes: 3, needsRoot: false, shortened: null },
];
const MINUTES_MAX = 25;
const ROUNDS_MAX = 10_000;
/** A stage may overrun its budget on a busy machine; this many times over, something hangs. */
const OVERRUN_MAX = 3;
const LONG_OVERRUN_MAX = 60;

const HELP = `npm test [-- STAGE ...]                        all stages, or those named
npm run test:long -- [STAGE ...] [--rounds N]  the same cases with full counts and durations

stage       budget  short form, and what a long one of N rounds makes of it
${STAGES.map(helpOf).join("\n")}`;

function helpOf({ name, minutes, needsRoot, shortened }: Stage): string {
  const text =
    shortened === null
      ? "the whole; long: N times"
      : `${shortened.short};\n${" ".repeat(20)}long: ${shortened.long}`;
  const root = needsRoot ? " (as root)" : "";
  return `${name.padEnd(10)} ${String(minutes).padStart(4)} min  ${text}${root}`;
}

type Asked = {
  readonly stages: readonly Stage[];
  readonly isLong: boolean;
  /** Null: each stage's own number. */
  readonly rounds: number | null;
};

function refuse(text: string): never {
  console.log(`${text}\n\n${HELP}`);
  process.exit(2);
}

function readArguments(words: string[]): Asked {
  if (words.includes("--help")) {
    console.log(HELP);
    process.exit(0);
  }
  const at = words.indexOf("--rounds");
  const [, text] = at < 0 ? [] : words.splice(at, 2);
  const rounds = at < 0 ? null : Number(text);
  if (rounds !== null && !(Number.isInteger(rounds) && rounds >= 1 && rounds <= ROUNDS_MAX)) {
    refuse(`--rounds ${text ?? ""}: want a number from 1 to ${ROUNDS_MAX}`);
  }
  const isLong = words.includes("--long");
  if (rounds !== null && !isLong) refuse("--rounds is for the long form: npm run test:long");
  const names = words.filter((word) => word !== "--long");
  const unknown = names.find((name) => !STAGES.some((stage) => stage.name === name));
  if (unknown !== undefined) refuse(`there is no stage ${unknown}`);
  const stages = STAGES.filter(({ name }) => names.length === 0 || names.includes(name));
  return { stages, isLong, rounds };
}

/** What is said before a stage begins: its length, and how to have it longer. */
function headOf({ name, minutes, shortened }: Stage, { isLong, rounds }: Asked): string {
  const again = `npm run test:long -- ${name} --rounds N`;
  if (isLong) {
    const what = shortened === null ? `the whole, ${rounds ?? 1} times` : shortened.long;
    return `\n=== ${name}, long${rounds === null ? "" : ` (N = ${rounds})`}: ${what} ===`;
  }
  const text =
    shortened === null
      ? `the whole; to repeat it: ${again}`
      : `shortened: ${shortened.short}\n${again}: ${shortened.long}`;
  return `\n=== ${name}: budget ${minutes} min ===\n${text}`;
}

async function runOnce({ name, minutes }: Stage, asked: Asked): Promise<StageReport> {
  const factor = asked.isLong ? LONG_OVERRUN_MAX * (asked.rounds ?? 1) : OVERRUN_MAX;
  const limitMs = Math.min(minutes * 60_000 * factor, TIMER_MS_MAX);
  if (name === "check") return await runCheck(limitMs);
  const environment = {
    ...(asked.isLong ? { MIRRORFARM_LONG: "1" } : {}),
    ...(asked.rounds === null ? {} : { MIRRORFARM_ROUNDS: String(asked.rounds) }),
  };
  return await runProject(name, environment, limitMs);
}

async function runStage(stage: Stage, asked: Asked): Promise<StageEnd> {
  const sinceMs = Date.now();
  console.log(headOf(stage, asked));
  const times = asked.isLong && stage.shortened === null ? (asked.rounds ?? 1) : 1;
  let [passed, failed] = [0, 0];
  let skipped: readonly string[] = [];
  for (let round = 1; round <= times; round += 1) {
    if (times > 1) console.log(`\n--- ${stage.name}, round ${round} of ${times} ---`);
    const report = await runOnce(stage, asked);
    passed += report.passed;
    failed += report.failed;
    skipped = report.skipped;
  }
  const seconds = (Date.now() - sinceMs) / 1000;
  const budgetMinutes = asked.isLong ? Number.POSITIVE_INFINITY : stage.minutes;
  return { name: stage.name, seconds, budgetMinutes, passed, failed, skipped };
}

async function main(): Promise<void> {
  const minutes = STAGES.reduce((sum, stage) => sum + stage.minutes, 0);
  if (minutes > MINUTES_MAX) throw new Error(`the budgets' sum is ${minutes} min`);
  const asked = readArguments(process.argv.slice(2));
  const ends: StageEnd[] = [];
  const notBegun: NotBegun[] = [];
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      stopStages(signal);
      console.log("\nended before all of it had run");
      process.exit(1);
    });
  }
  for (const stage of asked.stages) {
    if (stage.needsRoot && process.getuid?.() !== 0) {
      notBegun.push({ name: stage.name, needs: "needs root" });
    } else {
      ends.push(await runStage(stage, asked));
    }
  }
  console.log(`\n${closingLines(ends, notBegun).join("\n")}`);
  process.exit(ends.some(({ failed }) => failed > 0) ? 1 : 0);
}

await main();
