/** One stage of `npm test`: a command in a process group of its own, which is gone afterwards. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readReport, type StageReport } from "./stage-report.ts";

const KILL_AFTER_MS = 20_000;
const running = new Set<ChildProcess>();

/** To the stage and all that it started, as the terminal would for a foreground group. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** Ends whatever stage runs now, for whoever ends this program. */
export function stopStages(signal: NodeJS.Signals): void {
  for (const child of running) signalGroup(child, signal);
}

type Ended = { readonly code: number; readonly isStopped: boolean };

/** Runs one command, its output straight to ours, stopped past `limitMs`. */
function runCommand(
  command: readonly string[],
  environment: NodeJS.ProcessEnv,
  limitMs: number,
): Promise<Ended> {
  const [program = "", ...args] = command;
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const env = { ...process.env, ...environment };
  const child = spawn(program, args, {
    ...{ stdio: ["ignore", "inherit", "inherit"], env, detached: true },
  });
  running.add(child);
  let isStopped = false;
  const timer = setTimeout(() => {
    isStopped = true;
    signalGroup(child, "SIGTERM");
    setTimeout(() => signalGroup(child, "SIGKILL"), KILL_AFTER_MS).unref();
  }, limitMs);
  const end = (code: number) => {
    clearTimeout(timer);
    // What was told to stop may leave behind what does not listen.
    if (isStopped) signalGroup(child, "SIGKILL");
    running.delete(child);
    resolve({ code, isStopped });
  };
  child.on("error", (error) => {
    console.log(`cannot run ${program}: ${error.message}`);
    end(127);
  });
  child.on("exit", (code) => end(code ?? 1));
  return promise;
}

/** `npm run check`, which counts as one test. */
export async function runCheck(limitMs: number): Promise<StageReport> {
  const { code, isStopped } = await runCommand(["npm", "run", "--silent", "check"], {}, limitMs);
  if (isStopped) sayStopped("check", limitMs, []);
  const isGood = code === 0 && !isStopped;
  return { passed: isGood ? 1 : 0, failed: isGood ? 0 : 1, skipped: [], running: [] };
}

/** The Vitest project of that name. */
export async function runProject(
  name: string,
  environment: NodeJS.ProcessEnv,
  limitMs: number,
): Promise<StageReport> {
  const folder = mkdtempSync(join(tmpdir(), "mirrorfarm-test-"));
  const path = join(folder, "report");
  const command = ["vitest", "run", "--project", name, "--passWithNoTests"];
  const more = { ...environment, MIRRORFARM_STAGE_REPORT: path };
  const { code, isStopped } = await runCommand(command, more, limitMs);
  const report = readReport(path);
  rmSync(folder, { recursive: true, force: true });
  if (isStopped) sayStopped(name, limitMs, report.running);
  // Vitest may fail for what no test says: an exception of nobody's, a file that does not load.
  const isGood = code === 0 && !isStopped;
  return { ...report, failed: Math.max(report.failed, isGood ? 0 : 1) };
}

function sayStopped(name: string, limitMs: number, tests: readonly string[]): void {
  const minutes = (limitMs / 60_000).toFixed(1);
  console.log(`\n${name} was stopped after ${minutes} minutes: something in it hangs`);
  for (const test of tests) console.log(`  had not ended: ${test}`);
}
