import { expect, test } from "vitest";
import { Client } from "../sim/client.ts";
import { pairInSync } from "../sim/testing/pair.ts";

/**
 * Found by the simulation (L2): a resync ended at the secondary just while that had judged its
 * primary lost. It forgot that its copy was complete; the primary knew, and required it for ever.
 */
test("a copy that is completed while its node does not follow is known when it follows again", async () => {
  const world = await pairInSync();
  new Client(world.shop).burst(5_000, 20);
  await world.runFor(6_000);
  world.a.shop.resyncPhase = "";
  world.b.agentDies("killed");
  for (let ms = 0; ms < 30_000 && world.a.shop.resyncPhase === ""; ms += 1) await world.runFor(1);
  expect(world.a.shop.resyncPhase).toBe("comparing");
  world.a.machine.hang("data");
  // Longer than hangAfter: the primary's heartbeats leave this module out.
  const target = () => world.b.shop.hosted?.module.target.state;
  await world.runWhile(() => target() === "SECOND", 20_000);
  expect(target()).toBe("WAIT");
  world.a.machine.unhang("data");
  expect(await world.runWhile(() => !world.isInSync(), 60_000)).toBe(true);
});
