/**
 * `npm test`: every stage in turn, each within its budget, and one closing line. Stages never run
 * beside each other: two cores, and the lab measures times.
 *
 *   npm test [-- STAGE ...]            all stages, or those named
 *   npm run test:long -- STAGE [--rounds N]   the same cases with full counts and durations
 *
 * The last line says how many tests passed and failed; where something could not be run here (no
 * root, no FUSE, no browser) the last line starts with NOT RUN and names it.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Stage = { readonly name: string; readonly minutes: number; readonly needsRoot: boolean };

/** Minutes on two cores. Their sum bounds `npm test` to 25 minutes. */
const STAGES: readonly Stage[] = [
  { name: "check", minutes: 0.5, needsRoot: false },
  { name: "unit", minutes: 2.5, needsRoot: false },
  { name: "sim", minutes: 5, needsRoot: false },
  { name: "posix", minutes: 5, needsRoot: true },
  { name: "contract", minutes: 3, needsRoot: false },
  { name: "lab", minutes: 3, needsRoot: true },
  { name: "faults", minutes: 3, needsRoot: true },
  { name: "browser", minutes: 3, needsRoot: false },
];

type Outcome = { passed: number; failed: number; skipped: string[]; seconds: number };

const isLong = process.env["MIRRORFARM_LONG"] === "1" || process.argv.includes("--long");

/** Runs one command, its output straight to ours, killed past `limitMs`. Resolves to its exit code. */
function runCommand(command: string, args: readonly string[], limitMs: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const child = spawn(command, args, {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...(isLong ? { MIRRORFARM_LONG: "1" } : {}) },
  });
  const timer = setTimeout(() => {
    console.log(`\nstage stopped: over its limit of ${Math.round(limitMs / 60_000)} minutes`);
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), 20_000).unref();
  }, limitMs);
  child.on("error", () => resolve(127));
  child.on("exit", (code) => {
    clearTimeout(timer);
    resolve(code ?? 1);
  });
  return promise;
}

type VitestReport = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
};

async function runStage(stage: Stage): Promise<Outcome> {
  const startedMs = Date.now();
  const seconds = () => (Date.now() - startedMs) / 1000;
  // A stage may overrun its budget on a busy machine; three times over, something hangs.
  const limitMs = stage.minutes * 60_000 * (isLong ? 60 : 3);
  if (stage.name === "check") {
    const code = await runCommand("npm", ["run", "--silent", "check"], limitMs);
    return {
      passed: code === 0 ? 1 : 0,
      failed: code === 0 ? 0 : 1,
      skipped: [],
      seconds: seconds(),
    };
  }
  const folder = mkdtempSync(join(tmpdir(), "mirrorfarm-test-"));
  const reportPath = join(folder, "report.json");
  const code = await runCommand(
    "vitest",
    [
      "run",
      "--project",
      stage.name,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${reportPath}`,
      "--passWithNoTests",
    ],
    limitMs,
  );
  const outcome: Outcome = {
    passed: 0,
    failed: code === 0 ? 0 : 1,
    skipped: [],
    seconds: seconds(),
  };
  if (existsSync(reportPath)) {
    const report: VitestReport = JSON.parse(readFileSync(reportPath, "utf8"));
    outcome.passed = report.numPassedTests;
    outcome.failed = Math.max(outcome.failed, report.numFailedTests);
    for (const file of report.testResults) {
      for (const test of file.assertionResults) {
        const isSkipped = test.status !== "passed" && test.status !== "failed";
        if (isSkipped) outcome.skipped.push(test.fullName);
      }
    }
  }
  rmSync(folder, { recursive: true, force: true });
  return outcome;
}

function readArguments(): readonly Stage[] {
  const words = process.argv.slice(2);
  const rounds = words.indexOf("--rounds");
  if (rounds >= 0) process.env["MIRRORFARM_ROUNDS"] = words.splice(rounds, 2)[1] ?? "";
  const names = words.filter((word) => !word.startsWith("--"));
  const unknown = names.filter((name) => !STAGES.some((stage) => stage.name === name));
  if (unknown.length > 0 || words.includes("--help")) {
    console.log(`usage: npm test [-- STAGE ...], npm run test:long -- STAGE [--rounds N]`);
    console.log(
      `stages: ${STAGES.map((stage) => `${stage.name} (${stage.minutes} min)`).join(", ")}`,
    );
    process.exit(unknown.length > 0 ? 2 : 0);
  }
  return names.length === 0 ? STAGES : STAGES.filter((stage) => names.includes(stage.name));
}

async function main(): Promise<void> {
  const stages = readArguments();
  const rows: string[] = [];
  const notRun: string[] = [];
  let passed = 0;
  let failed = 0;
  for (const stage of stages) {
    if (stage.needsRoot && process.getuid?.() !== 0) {
      notRun.push(`${stage.name} (needs root: sudo npm test -- ${stage.name})`);
      continue;
    }
    console.log(`\n=== ${stage.name}: budget ${stage.minutes} min ===`);
    const outcome = await runStage(stage);
    passed += outcome.passed;
    failed += outcome.failed;
    notRun.push(...outcome.skipped.map((name) => `${stage.name}: ${name}`));
    const over = outcome.seconds > stage.minutes * 60 ? "  over budget" : "";
    rows.push(
      `${stage.name.padEnd(10)} ${outcome.seconds.toFixed(0).padStart(5)} s  ` +
        `${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped.length} not run${over}`,
    );
  }
  console.log(`\n${rows.join("\n")}\n`);
  console.log(`${passed} passed, ${failed} failed`);
  if (notRun.length > 0) console.log(`NOT RUN: ${notRun.join("; ")}`);
  process.exit(failed > 0 ? 1 : 0);
}

await main();
