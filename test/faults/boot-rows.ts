/** C24 to C27: both machines lose their power, and do not come back together. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { NodeName } from "../lab/cluster.ts";
import { stableProcesses } from "./node-facts.ts";
import { pick, type Row } from "./row.ts";
import { other, SETTLED_MS, SOON_MS, type World } from "./world.ts";

/** Longer than a node that boots waits for a better one (bootWait). */
const BOOT_WAIT_MS = 10_000;

async function powerCut(world: World, nodes: readonly NodeName[]): Promise<void> {
  await Promise.all(nodes.map((node) => world.machine(node).kill({ power: true })));
}

const serves = async (world: World, node: NodeName): Promise<boolean> =>
  ["ALONE", "PRIM"].includes((await world.localModule(node).catch(() => undefined))?.state ?? "");

const oneReturns: Row = {
  id: "C24",
  title: "after a power cut of both, in step, the primary returns alone once it has waited",
  async run(world, primary) {
    await powerCut(world, ["node1", "node2"]);
    const bootedAtMs = Date.now();
    await world.bootNode(primary);
    await world.timed("it serves alone", () => serves(world, primary), 2 * BOOT_WAIT_MS + SOON_MS);
    world.note("C24", "serves after", Date.now() - bootedAtMs);
    await world.judge.acknowledges(5, SOON_MS);
    expect(await world.judge.lost()).toEqual([]);
    await world.bootNode(other(primary));
  },
};

const bothReturn: Row = {
  id: "C25",
  title: "after a power cut of both, booted together, the last primary leads again",
  async run(world, primary) {
    for (let round = 1; round <= pick(1, 20); round += 1) {
      const leader = round === 1 ? primary : await world.settled();
      const epoch = await world.epoch();
      await powerCut(world, ["node1", "node2"]);
      const bootedAtMs = Date.now();
      await Promise.all([world.bootNode("node1"), world.bootNode("node2")]);
      await world.judge.acknowledges(1, SETTLED_MS);
      world.note("C25", "serves after", Date.now() - bootedAtMs);
      expect(await world.settled()).toBe(leader);
      // No duel: at most one new epoch was needed to agree.
      expect((await world.epoch()) - epoch).toBeLessThanOrEqual(1);
    }
  },
};

const staleBootsFirst: Row = {
  id: "C26",
  title: "a node that lacks writes waits for the other one, however long that takes",
  async run(world, primary) {
    const stale = other(primary);
    const mark = await world.mark();
    await powerCut(world, [stale]);
    await world.recordedAlone(primary);
    await world.judge.acknowledges(20, SOON_MS);
    await powerCut(world, [primary]);
    await world.bootNode(stale);
    const untilMs = Date.now() + BOOT_WAIT_MS + pick(2_000, 50_000);
    const isUp = async () => (await world.localModule(stale))?.state === "WAIT";
    await world.timed("its agent", isUp);
    while (Date.now() < untilMs) {
      expect((await world.localModule(stale))?.state).toBe("WAIT");
      expect(stableProcesses(world.lab, stale)).toEqual([]);
      await sleep(500);
    }
    expect((await world.localModule(stale))?.why).toContain(primary);
    const bootedAtMs = Date.now();
    await world.bootNode(primary);
    await world.timed("the other one serves", () => serves(world, primary), SETTLED_MS);
    world.note("C26", "serves after", Date.now() - bootedAtMs);
    expect(await world.settled()).toBe(primary);
    // Both lost their power, one after the other: what was written between is in the log of one.
    await world.comparedOnlyChanges(mark);
  },
};

/**
 * The primary went on alone and is then cut off from everybody; a person gives its newest lines up
 * and forces the other node, which writes lines of its own: two histories.
 */
const divergent: Row = {
  id: "C27",
  title: "two histories are never merged: what the one given up had written is kept aside",
  async run(world, primary) {
    const forced = other(primary);
    await world.lab.network.cut(primary, forced);
    const aloneFromMs = await world.recordedAlone(primary);
    await world.judge.acknowledges(5, SOON_MS);
    await world.lab.network.cut(primary, "control");
    await world.fenced(primary);
    const givenUp = new Set(
      world.judge
        .acksBetween(aloneFromMs)
        .filter(({ node }) => node === primary)
        .map(({ id }) => id),
    );
    expect(givenUp.size).toBeGreaterThanOrEqual(5);
    // For as long as the grant of the other one may live, a force is refused.
    await world.timed("the grant's end", async () => {
      const grant = (await world.cluster.view()).witness?.grant;
      return grant === null || grant === undefined || Date.now() > grant.expiresAtMs + 1_000;
    });
    await world.cluster.command({
      ...{ kind: "force-primary", node: forced, confirm: "ledger" },
      seenEpoch: await world.epoch(),
      reason: "the lab wants two histories",
    });
    world.isExcused = ({ id }) => givenUp.has(id);
    await world.judge.acknowledges(5, SOON_MS);
    await world.lab.network.heal();
    expect(await world.settled()).toBe(forced);
    const lost = await world.judge.lost();
    expect(lost.length).toBeGreaterThanOrEqual(5);
    const kept = await world
      .machine(primary)
      .mustExec(["sh", "-c", "cat $(find /srv/mirrorfarm/modules/ledger/aside -name ledger)"]);
    const lines = new Set(kept.split("\n"));
    expect(lost.filter(({ id }) => !lines.has(id))).toEqual([]);
  },
};

export const bootRows: readonly Row[] = [oneReturns, bothReturn, staleBootsFirst, divergent];
