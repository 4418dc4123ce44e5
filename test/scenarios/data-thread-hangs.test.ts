import { expect, test } from "vitest";
import { pairInSync } from "../sim/testing/pair.ts";

/**
 * Found by the simulation (S6): a primary whose data thread stood still for ever lost its peer's
 * grant, got the witness's instead, and kept the role although it answered nobody.
 */
test("a primary whose data thread hangs is replaced within hangAfter and 5 s", async () => {
  const world = await pairInSync();
  world.a.machine.hang("data");
  expect(await world.runWhile(() => world.leader()?.id !== "b", 15_000)).toBe(true);
  expect(world.a.shop.application.hasAddress).toBe(false);
  world.a.machine.unhang("data");
  expect(await world.runWhile(() => !world.isInSync(), 60_000)).toBe(true);
});

test("a secondary whose data thread hangs is left behind, and comes back with a new agent", async () => {
  const world = await pairInSync();
  world.b.machine.hang("data");
  expect(await world.runWhile(() => world.authority.inSync.includes("b"), 20_000)).toBe(true);
  expect(world.leader()?.id).toBe("a");
  world.b.machine.unhang("data");
  expect(await world.runWhile(() => !world.isInSync(), 60_000)).toBe(true);
});
