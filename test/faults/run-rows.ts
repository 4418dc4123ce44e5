import { afterAll, beforeAll, describe, expect, onTestFailed, test } from "vitest";
import { canStepClocks } from "../lab/wall-clock.ts";
import { pick, type Row } from "./row.ts";
import { SETTLED_MS, World } from "./world.ts";

const ROUNDS = Number(process.env["MIRRORFARM_ROUNDS"] || 1);
/** Each wait inside has a bound of its own; an hour without the control plane is the longest row. */
const ROW_MS_MAX = pick(300_000, 4_500_000);

/**
 * "Fencing is real", with real processes: rows of the fault matrix, one after the other on one
 * cluster in the lab. Each row begins with a primary and a secondary in step and clients that append
 * lines all the time; after each, nothing that was acknowledged may be missing, the pair must be in
 * step again, and exactly one node may serve. Times are printed, not asserted.
 *
 * `npm test` runs each row once in a short form; `npm run test:long -- faults` with the durations
 * and counts of the matrix, `--rounds N` times.
 */
export function runRows(
  rows: readonly Row[],
  options: Parameters<typeof World.create>[0] = {},
): void {
  let world: World;

  beforeAll(async () => {
    world = await World.create(options);
  }, 180_000);

  afterAll(async () => {
    console.log(`measured, in ms: ${JSON.stringify(world?.measured, null, 2)}`);
    await world?.end();
  }, 60_000);

  const rounds = Array.from({ length: ROUNDS }, (_, index) => index + 1);
  describe.each(rounds)("round %i", () => {
    for (const row of rows) {
      test.skipIf(row.needsClock === true && !canStepClocks)(
        `${row.id}: ${row.title}`,
        async () => {
          onTestFailed(async ({ task }) => {
            const errors = task.result?.errors?.map(({ stack }) => stack).join();
            console.log(`${row.id} failed: ${errors}\n${world.cluster.logs()}`);
            await world.repair();
          });
          const primary = await world.settled();
          await row.run(world, primary);
          await world.judged();
        },
        ROW_MS_MAX,
      );
    }

    test(
      "in the end both copies are equal",
      async () => {
        expect(await world.sameTrees()).toBe(true);
        // Whatever happens to a node, what it says of itself is in the form that was agreed.
        expect(world.cluster.logs()).not.toContain("Invalid input");
      },
      SETTLED_MS,
    );
  });
}
