import { type RunOptions, runPlan } from "./run.ts";
import type { Plan } from "./swarm.ts";

/** Runs that are spent on one history. */
const RUNS_MAX = 60;

/**
 * Leaves out faults for as long as the same invariant breaks: first halves, then fewer and fewer
 * (Zeller's ddmin). Every fault draws from a stream of its own, so the others stay what they were.
 * Returns the numbers of those that are needed.
 */
export async function shrink(
  plan: Plan,
  invariant: string,
  { write: _, ...options }: RunOptions,
  say: (text: string) => void,
): Promise<readonly number[]> {
  let needed = plan.faults;
  let runs = 0;
  const breaks = async (faults: Plan["faults"]): Promise<boolean> => {
    runs += 1;
    const { violation } = await runPlan({ ...plan, faults }, options);
    return violation?.invariant === invariant;
  };
  for (let parts = 2; needed.length > 1 && parts <= 2 * needed.length && runs < RUNS_MAX; ) {
    const size = Math.ceil(needed.length / parts);
    let isSmaller = false;
    for (let at = 0; at < needed.length && runs < RUNS_MAX; at += size) {
      const rest = [...needed.slice(0, at), ...needed.slice(at + size)];
      if (!(await breaks(rest))) continue;
      needed = rest;
      isSmaller = true;
      break;
    }
    if (isSmaller) parts = Math.max(2, parts - 1);
    else if (size === 1) break;
    else parts *= 2;
  }
  const left = needed.map(
    ({ id, name, atMs }) => `${name} #${id} at ${(atMs / 1000).toFixed(1)} s`,
  );
  say(
    `shrunk from ${plan.faults.length} faults to ${needed.length} in ${runs} runs: ${left.join(", ")}`,
  );
  return needed.map(({ id }) => id);
}
