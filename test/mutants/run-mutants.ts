/** Runs a mutant until something notices it, smallest run first, and tells what did. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Mutant } from "./mutant.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HOOK = fileURLToPath(new URL("loader-hook.ts", import.meta.url));
const EXPLORE = fileURLToPath(new URL("../explore/cli.ts", import.meta.url));
const SIM = fileURLToPath(new URL("../sim/cli.ts", import.meta.url));

export type Verdict = {
  readonly id: string;
  readonly wrong: string;
  /** null: nothing noticed it. */
  readonly caughtBy: string | null;
  readonly promise: string | null;
  readonly seconds: number;
  /** The mutant could not be made, or its run ended in another way than it should. */
  readonly fault: string | null;
};

type Attempt = {
  readonly name: string;
  readonly args: readonly string[];
  readonly limitMs: number;
};

const words = (text: string): readonly string[] => text.split(" ").filter((word) => word !== "");

const explore = (options: string, minutes: number): Attempt => ({
  name: `explore ${options}`.trim(),
  args: [EXPLORE, "--json", ...words(options)],
  limitMs: minutes * 60_000,
});

const sim = (first: number, seeds: number, minutes: number): Attempt => ({
  name: seeds === 1 ? `simulation, seed ${first}` : `simulation, ${seeds} seeds`,
  args: [SIM, "--json", "--no-shrink", "--seed", `${first}`, "--seeds", `${seeds}`],
  limitMs: minutes * 60_000,
});

/** The run that is known to notice it; and, as the product moves on, all that could. */
const attemptsFor = ({ caughtBy }: Mutant): readonly Attempt[] =>
  "explore" in caughtBy
    ? [explore(caughtBy.explore, 10), explore("--faults 2", 20), explore("--clocks free", 20)]
    : [sim(caughtBy.simSeed, 1, 5), sim(1, 2000, 60)];

/** A broken promise, as the explorer or the simulation names it. */
type Said = {
  readonly broken?: { readonly promise: string } | null;
  readonly violations?: readonly { readonly invariant: string; readonly text: string }[];
};

function promiseOf({ broken, violations }: Said): string {
  const [first] = violations ?? [];
  return broken?.promise ?? (first === undefined ? "?" : `${first.invariant}: ${first.text}`);
}

export async function runMutant(mutant: Mutant): Promise<Verdict> {
  const startedMs = performance.now();
  const base = { id: mutant.id, wrong: mutant.wrong };
  const seconds = () => Math.round((performance.now() - startedMs) / 100) / 10;
  const missed = { ...base, caughtBy: null, promise: null };
  for (const attempt of attemptsFor(mutant)) {
    const { code, out, err } = await run(mutant.id, attempt);
    if (code === 1 && out.startsWith("{")) {
      const said: Said = JSON.parse(out);
      const promise = promiseOf(said);
      return { ...base, caughtBy: attempt.name, promise, seconds: seconds(), fault: null };
    }
    if (code !== 0 && code !== 3) {
      const fault = err.trim().split("\n").slice(-3).join(" ") || `exit code ${code}`;
      return { ...missed, seconds: seconds(), fault };
    }
  }
  return { ...missed, seconds: seconds(), fault: null };
}

/** At once: each has a thread of its own or two, and there are two cores at least. */
const AT_ONCE = 2;

/** Runs them all, a few at once; `done` hears of each as it ends. */
export async function runMutants(
  mutants: readonly Mutant[],
  done: (verdict: Verdict) => void,
): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  const left = [...mutants];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const verdict = await runMutant(next);
      verdicts.push(verdict);
      done(verdict);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return verdicts.sort((x, y) => (x.id < y.id ? -1 : 1));
}

type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

function run(id: string, attempt: Attempt): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const child = spawn(
    process.execPath,
    ["--max-old-space-size=8000", "--import", HOOK, ...attempt.args],
    {
      cwd: ROOT,
      env: { ...process.env, MIRRORFARM_MUTANT: id },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: attempt.limitMs,
    },
  );
  let out = "";
  let err = "";
  child.stdout.on("data", (bytes) => {
    out += String(bytes);
  });
  child.stderr.on("data", (bytes) => {
    err += String(bytes);
  });
  child.on("error", (error) => resolve({ code: null, out, err: error.message }));
  child.on("close", (code, signal) => resolve({ code: signal === null ? code : 3, out, err }));
  return promise;
}
