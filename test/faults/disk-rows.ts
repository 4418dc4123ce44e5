/** C14 to C18: the disk with the data is full, fails, becomes read-only, hangs or dawdles. */
import { expect } from "vitest";
import type { NodeName } from "../lab/cluster.ts";
import { type DiskTrouble, troubleDisk } from "../lab/faulty-disk/trouble-disk.ts";
import { pick, type Row } from "./row.ts";
import { other, SETTLED_MS, SOON_MS, type World } from "./world.ts";

/** A node whose disk failed tries it again after a minute, or when somebody starts it. */
const TRIED_AGAIN_MS = 60_000 + SETTLED_MS;

const trouble = (world: World, node: NodeName, what: DiskTrouble, delayMs = 0): Promise<void> =>
  troubleDisk(world.machine(node), what, delayMs);

/** As a person would: a file system that has given up is mended by a boot, another by a start. */
async function mend(world: World, node: NodeName, what: DiskTrouble): Promise<void> {
  await trouble(world, node, "ok");
  if (what !== "ro" && what !== "eio") return await world.command(node, "start");
  await world.machine(node).kill({ power: true });
  await world.bootNode(node);
}

/** The secondary leaves the set, the primary goes on alone; mended, the secondary comes back. */
const secondaryFails = (id: string, what: DiskTrouble, title: string): Row => ({
  id,
  title,
  async run(world, primary) {
    const atMs = Date.now();
    await trouble(world, other(primary), what);
    await world.recordedAlone(primary);
    world.note(id, `recorded alone after ${what}`, Date.now() - atMs);
    await world.judge.acknowledges(20, SOON_MS);
    expect((await world.cluster.view()).witness?.primary).toBe(primary);
    await mend(world, other(primary), what);
    expect(await world.settled(TRIED_AGAIN_MS)).toBe(primary);
  },
});

/** The other copy is good: it takes over, and nothing that was acknowledged is missing. */
const primaryFails = (id: string, what: DiskTrouble, title: string): Row => ({
  id,
  title,
  async run(world, primary) {
    const heir = other(primary);
    const atMs = Date.now();
    await trouble(world, primary, what);
    await world.timed(
      `${heir} to lead`,
      async () => (await world.cluster.view()).witness?.primary === heir,
      SETTLED_MS,
    );
    world.note(id, `taken over after ${what}`, Date.now() - atMs);
    await world.judge.acknowledges(20, SOON_MS);
    expect(await world.judge.lost()).toEqual([]);
    await mend(world, primary, what);
    expect(await world.settled(TRIED_AGAIN_MS)).toBe(heir);
  },
});

const slow: Row = {
  id: "C18",
  title: "a secondary whose disk takes 20 ms longer for each call slows writes and moves nobody",
  async run(world, primary) {
    await trouble(world, other(primary), "slow", 20);
    await world.unchanged(primary, () => world.judge.acknowledges(pick(20, 500), SETTLED_MS));
    await trouble(world, other(primary), "ok");
    expect((await world.cluster.view()).witness?.inSync).toHaveLength(2);
  },
};

export const diskRows: readonly Row[] = [
  secondaryFails("C14", "full", "a secondary whose disk is full leaves the set and comes back"),
  secondaryFails("C16", "eio", "a secondary whose disk fails leaves the set and comes back"),
  secondaryFails("C18", "hang", "a secondary whose disk hangs leaves the set and comes back"),
  slow,
  primaryFails("C15", "eio", "a primary whose disk fails hands over to the good copy"),
  primaryFails("C17", "ro", "a primary whose disk became read-only hands over to the good copy"),
];
