/** Runs each mutant until something notices it, cheapest first, and tells what did. */
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

const explore = (clocks: string, faults: number, minutes: number): Attempt => ({
  name: `explore, clocks ${clocks}, ${faults} ${faults === 1 ? "fault" : "faults"}`,
  args: [EXPLORE, "--json", "--clocks", clocks, "--faults", `${faults}`],
  limitMs: minutes * 60_000,
});

const words = (text: string): readonly string[] => text.split(" ");
const ONLY_THESE = words("--lost-replies 0 --forces 0 --orders 0");

const ATTEMPTS: Readonly<Record<Mutant["caughtBy"], readonly Attempt[]>> = {
  explore: [
    explore("together", 1, 3),
    explore("together", 2, 10),
    explore("free", 1, 10),
    {
      name: "explore, clocks together, a crash and 2 strays",
      args: [EXPLORE, "--json", ...words("--faults 3 --crashes 1 --strays 2"), ...ONLY_THESE],
      limitMs: 30 * 60_000,
    },
  ],
  exploreThree: [
    {
      name: "explore, 3 nodes, 1 fault",
      args: [EXPLORE, "--json", ...words("--nodes 3 --faults 1")],
      limitMs: 10 * 60_000,
    },
  ],
  sim: [
    {
      name: "simulation",
      args: [SIM, "--json", "--no-shrink", "--seeds", "2000", "--seed", "1"],
      limitMs: 30 * 60_000,
    },
  ],
};

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
  for (const attempt of ATTEMPTS[mutant.caughtBy]) {
    const { code, out, err } = await run(mutant.id, attempt);
    if (code === 1 && out.startsWith("{")) {
      const said: Said = JSON.parse(out);
      const promise = promiseOf(said);
      return { ...base, caughtBy: attempt.name, promise, seconds: seconds(), fault: null };
    }
    if (code !== 0 && code !== 3) {
      const fault = err.trim().split("\n").slice(-3).join(" ") || `exit code ${code}`;
      return { ...base, caughtBy: null, promise: null, seconds: seconds(), fault };
    }
  }
  return { ...base, caughtBy: null, promise: null, seconds: seconds(), fault: null };
}

function run(
  id: string,
  attempt: Attempt,
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const { promise, resolve } = Promise.withResolvers<{
    code: number | null;
    out: string;
    err: string;
  }>();
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
