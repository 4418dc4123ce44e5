import { expect, test } from "vitest";
import type { Checker } from "../sim/checkers/checker.ts";
import { Client } from "../sim/client.ts";
import type { SimNode } from "../sim/sim-node.ts";
import { pairInSync } from "../sim/testing/pair.ts";
import type { World } from "../sim/world.ts";

/** The disk that holds the data fails, on either side. What is acknowledged stays where it is good. */

const write = (world: World): void => new Client(world.shop).burst(5000, 4);

/** Until it is tried again it is no node that others could be in sync with. */
function fail(node: SimNode, error: "EIO" | "EROFS" | "ENOSPC"): void {
  node.faults.dataError = error;
  node.hadDiskFault = true;
}

const isOutOfSync = (world: World, leader: "a" | "b") => () =>
  !(world.leader()?.id === leader && world.shop.record?.inSync.length === 2);

test("a primary whose disk fails hands over to the good copy, and is tried again by itself", async () => {
  const world = await pairInSync();
  fail(world.a, "EIO");
  write(world);
  expect(await world.runWhile(() => world.leader()?.id !== "b", 15_000)).toBe(true);
  // Its copy may lack what its disk refused: it says so, and asks for nothing.
  expect(world.a.shop.quorum?.outdated).toBe(true);
  expect(world.shop.record).toMatchObject({ primary: "b" });
  world.a.faults.dataError = null;
  expect(await world.runWhile(isOutOfSync(world, "b"), 90_000)).toBe(true);
});

test("a disk that became read-only is a failed disk", async () => {
  const world = await pairInSync();
  fail(world.a, "EROFS");
  write(world);
  expect(await world.runWhile(() => world.leader()?.id !== "b", 15_000)).toBe(true);
});

test("a primary whose disk is full goes on leading: the application is told, nobody moves", async () => {
  const world = await pairInSync();
  fail(world.a, "ENOSPC");
  write(world);
  await world.runFor(20_000);
  expect(world.leader()?.id).toBe("a");
  expect(world.shop.record).toMatchObject({ epoch: 1, inSync: ["a", "b"] });
});

test("a secondary whose disk is full leaves the set, is not tried all the time, and comes back", async () => {
  const tries: string[] = [];
  const counter: Checker = {
    name: "tries",
    onText: (text) => void (text.includes("tries its disk again") && tries.push(text)),
  };
  const world = await pairInSync({}, [counter]);
  fail(world.b, "ENOSPC");
  write(world);
  expect(await world.runWhile(() => world.shop.record?.inSync.length !== 1, 15_000)).toBe(true);
  await world.runFor(180_000);
  expect(tries.length).toBeGreaterThanOrEqual(2);
  expect(tries.length).toBeLessThanOrEqual(3);
  expect(world.leader()?.id).toBe("a");
  world.b.faults.dataError = null;
  expect(await world.runWhile(isOutOfSync(world, "a"), 90_000)).toBe(true);
});

test("with nobody to hand over to, a primary whose disk fails goes on, and a start tries a disk at once", async () => {
  const world = await pairInSync();
  world.b.powerCut();
  expect(await world.runWhile(() => world.shop.record?.inSync.length !== 1, 15_000)).toBe(true);
  fail(world.a, "EIO");
  write(world);
  await world.runFor(10_000);
  expect(world.leader()?.id).toBe("a");
});
