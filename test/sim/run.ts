import { allCheckers } from "./checkers/all.ts";
import { Violation } from "./checkers/checker.ts";
import { Client } from "./client.ts";
import { FAULTS } from "./faults/all.ts";
import type { Fault } from "./faults/fault.ts";
import { bringBack, mend } from "./liveness.ts";
import { startPair } from "./start-pair.ts";
import type { Plan, PlannedFault } from "./swarm.ts";
import type { Line } from "./trace.ts";
import { World, type WorldOptions } from "./world.ts";

export type Outcome = {
  readonly seed: number;
  readonly violation: { readonly invariant: string; readonly text: string } | null;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly operations: number;
  readonly acknowledged: number;
  readonly faults: number;
  readonly seen: ReadonlySet<string>;
  readonly hash: string;
  readonly last: readonly Line[];
  readonly picture: string;
};

export type RunOptions = Pick<WorldOptions, "write" | "skips" | "isEventual">;

const START_MS_MAX = 60_000;

/** Lives through one plan: start, faults while the judges look on, healing, and what must be then. */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  const world = new World({
    ...{ seed: plan.seed, checkers: allCheckers, ...options },
    ...{ addressMovedBy: plan.addressMovedBy, defaultPrimary: plan.defaultPrimary },
    isCrossed: plan.isCrossed,
    sync: plan.sync,
  });
  const onRejection = (error: unknown): void => world.bug(error);
  process.on("unhandledRejection", onRejection);
  let violation: Outcome["violation"] = null;
  try {
    await live(world, plan);
  } catch (error) {
    violation = violationOf(error);
  } finally {
    process.off("unhandledRejection", onRejection);
  }
  return {
    ...{ seed: plan.seed, violation, simulatedMs: world.clock.trueMs, steps: world.clock.steps },
    operations: sum(world.modules.map((module) => module.operations)),
    acknowledged: sum(world.modules.map((module) => module.oracle.ackedCount)),
    ...{ faults: world.faultsBegun, seen: world.seen, hash: world.trace.hash },
    ...{ last: world.trace.last(400), picture: world.picture() },
  };
}

async function live(world: World, plan: Plan): Promise<void> {
  const clients = world.modules.map((module) => new Client(module));
  if (!(await startPair(world, START_MS_MAX))) {
    throw new Violation("L1", `a fresh pair does not start: ${world.picture()}`);
  }
  const startMs = world.clock.trueMs;
  for (const { atMs, lastsMs, perSecond } of plan.bursts) {
    world.clock.after("calendar", atMs, () => {
      for (const client of clients) client.burst(lastsMs, perSecond);
    });
  }
  for (const planned of plan.faults) {
    world.clock.after("calendar", planned.atMs, () => strike(world, planned));
  }
  for (const atMs of plan.mends) {
    if (atMs < plan.lastsMs) world.clock.after("calendar", atMs, () => mend(world));
  }
  await world.runUntil(startMs + plan.lastsMs);
  await bringBack(world, clients, plan.healsCoreOnly);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

const BY_NAME: ReadonlyMap<string, Fault> = new Map(FAULTS.map((fault) => [fault.name, fault]));

function strike(world: World, { id, name, lastsMs }: PlannedFault): void {
  const fault = BY_NAME.get(name);
  if (fault === undefined || world.isHealing) return;
  world.fault(`${name} #${id} for ${Math.round(lastsMs)} ms`);
  for (const row of fault.rows) world.see(row);
  world.faultsBegun += 1;
  const undo = fault.begin(world, world.prng.fork(`fault ${id}`));
  if (undo === null) return;
  world.troubles += 1;
  const end = (): void => {
    if (!world.undoing.delete(end)) return;
    world.troubles -= 1;
    world.fault(`${name} #${id} ends`);
    undo();
  };
  world.undoing.add(end);
  world.clock.after("calendar", lastsMs, end);
}

function violationOf(error: unknown): { invariant: string; text: string } {
  if (error instanceof Violation) return { invariant: error.invariant, text: error.message };
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { invariant: "BUG", text };
}
