import { expect, test } from "vitest";
import { pairInSync } from "../sim/testing/pair.ts";

/**
 * Found by the simulation (S10): a secondary that could not keep its question on its disk went on
 * to ask it, and told its peer of votes that it would have forgotten.
 */
test("a secondary that cannot keep its question asks nothing, and says only what it has kept", async () => {
  const world = await pairInSync();
  world.b.faults.stateError = "ENOSPC";
  world.a.powerCut();
  // The judges look on: they throw when something is said that no disk knows.
  await world.runFor(30_000);
  expect(world.leader()).toBe(null);
  expect(world.shop.record).toMatchObject({ epoch: 1, primary: "a" });
  world.b.faults.stateError = null;
  world.b.agentDies("restarted when its disk was mended");
  expect(await world.runWhile(() => world.leader()?.id !== "b", 20_000)).toBe(true);
});

test("a primary that cannot keep its state answers nothing more, and the other one takes over", async () => {
  const world = await pairInSync();
  world.a.faults.stateError = "EIO";
  // Something is to be kept: what a person asks for.
  world.a.order("stop");
  expect(await world.runWhile(() => world.a.shop.accepts, 10_000)).toBe(true);
  expect(await world.runWhile(() => world.leader()?.id !== "b", 60_000)).toBe(true);
});
