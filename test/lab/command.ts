/** Runs a command to its end, bounded in time and output. Tests and the lab use nothing else. */
import { spawn } from "node:child_process";

export type Finished = {
  /** Exit code; 128 + n when signal n ended it; 124 when the time ran out (as timeout(1)). */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
};

const OUTPUT_BYTES_MAX = 8 * 1024 * 1024;

export type RunOptions = {
  readonly limitMs?: number;
  readonly input?: string;
  readonly environment?: Record<string, string>;
};

export function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const { promise, resolve, reject } = Promise.withResolvers<Finished>();
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...options.environment },
  });
  const out: { stdout: string; stderr: string } = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      if (out[name].length < OUTPUT_BYTES_MAX) out[name] += text;
    });
  }
  let isOverTime = false;
  const timer = setTimeout(() => {
    isOverTime = true;
    child.kill("SIGKILL");
  }, options.limitMs ?? 30_000);
  child.on("error", reject);
  child.on("close", (code) => {
    clearTimeout(timer);
    resolve({ code: isOverTime ? 124 : (code ?? 128), ...out });
  });
  // A command that does not read its input ends early: that is no failure of ours.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  return promise;
}

/** As `run`, but an exit code other than 0 is an error that shows what the command said. */
export async function must(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const done = await run(command, args, options);
  if (done.code !== 0) {
    const said = (done.stderr || done.stdout).trim().slice(-2000);
    throw new Error(`${command} ${args.join(" ")} ended with ${done.code}: ${said}`);
  }
  return done.stdout;
}

/** Looks until `probe` answers something else than null; never a fixed sleep. Throws at the bound. */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | null> | T | null,
  limitMs: number,
  everyMs = 50,
): Promise<T> {
  const endMs = performance.now() + limitMs;
  let lastError: unknown = null;
  for (;;) {
    try {
      const found = await probe();
      if (found !== null) return found;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > endMs) {
      throw new Error(`waited ${limitMs} ms in vain for ${what}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
