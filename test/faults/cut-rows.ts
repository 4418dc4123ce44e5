/** C05 to C10: links that carry nothing, one way or both, and a control plane that is not there. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { canStepClocks, stepClock } from "../lab/wall-clock.ts";
import { stableProcesses } from "./node-facts.ts";
import { pick, type Row } from "./row.ts";
import { other, SOON_MS } from "./world.ts";

const ON_ITS_WAY_MS = 300;

const fullCut: Row = {
  id: "C05",
  title: "of two nodes cut from each other the primary goes on, alone by record before it answers",
  async run(world, primary) {
    const fromMs = Date.now();
    const mark = await world.mark();
    await world.unchanged(primary, async () => {
      // Slow, so that an answer before the record would be seen to come before it.
      world.door.fault({ kind: "slow", delayMs: 300 });
      await world.lab.network.cut(primary, other(primary));
      const cutAtMs = Date.now();
      const recordedAtMs = await world.recordedAlone(primary);
      await world.judge.acknowledges(5, SOON_MS);
      // What was on its way when the link was cut may still arrive; all that follows needed the record.
      const early = world.judge.acksBetween(cutAtMs + ON_ITS_WAY_MS, recordedAtMs - 1);
      expect(early).toEqual([]);
      world.note("C05", "longest silence", world.judge.longestSilenceMs(fromMs));
      world.door.fault({ kind: "none" });
      await world.lab.network.heal();
    });
    await world.settled();
    await world.comparedOnlyChanges(mark);
  },
};

const withoutWitness: Row = {
  id: "C06",
  title:
    "without the control plane nothing changes but an alarm; a switchover asked for at a node works",
  async run(world, primary) {
    const fromMs = Date.now();
    await world.unchanged(primary, async () => {
      await world.machine("control").kill();
      await sleep(pick(3_000, 3_600_000));
    });
    world.note("C06", "longest silence", world.judge.longestSilenceMs(fromMs));
    const asked = await world
      .localAgent(primary)
      .command("ledger", { kind: "switchover", node: other(primary) });
    expect(asked).toMatchObject({ outcome: "done" });
    await world.judge.acknowledges(5, SOON_MS);
    expect((await world.localModule(other(primary)))?.state).toMatch(/ALONE|PRIM/);
    const alarm = "the control plane does not answer";
    const isTold = async () => world.machine(primary).log("agent").includes(alarm);
    await world.timed("an alarm", isTold, 30_000);
    await world.bootControl();
    await world.freshReports();
    expect(await world.settled()).toBe(other(primary));
  },
};

/**
 * C29 has the other end of it: the control plane returns, and the secondary does not. Here the
 * secondary, alone as well, may have asked to lead; then the pair agrees on a newer epoch first.
 */
const witnessThenPeer: Row = {
  id: "C07",
  title: "without control plane and secondary a primary is fenced, and thaws when that one returns",
  async run(world, primary) {
    await world.machine("control").kill();
    const cutAtMs = Date.now();
    await world.isolate(other(primary));
    const fence = await world.fenced(primary);
    expect((await world.localModule(primary))?.why).toContain("no other voter confirms");
    world.note("C07", "last answer after", world.judge.lastAckMs() - cutAtMs);
    await sleep(pick(1_000, 20_000));
    await world.lab.network.heal();
    world.note("C07", "thawed after", await world.thawed(fence));
    await world.bootControl();
    await world.freshReports();
    expect(await world.settled()).toBe(primary);
  },
};

const isolatedPrimary: Row = {
  id: "C08",
  title: "a primary cut from both others fences itself, whatever the time, and is replaced",
  async run(world, primary) {
    const epoch = await world.epoch();
    const cutAtMs = Date.now();
    await world.isolate(primary);
    // By a lease on the wall clock it would now lead for another hour.
    if (canStepClocks) stepClock(world.machine(primary), -3600);
    const fence = await world.fenced(primary);
    const isLed = async () => (await world.epoch()) === epoch + 1;
    await world.timed(`${other(primary)} to lead`, isLed);
    await world.judge.acknowledges(5, SOON_MS);
    world.note("C08", "silence of the address", world.judge.longestSilenceMs(cutAtMs));
    if (pick(false, true)) {
      // giveUpAfter: what it would do with the application for good.
      const isGone = async () => stableProcesses(world.lab, primary).length === 0;
      const limitMs = 45_000;
      world.note("C08", "killed after", await world.timed("the kill", isGone, limitMs));
    }
    if (canStepClocks) stepClock(world.machine(primary), 0);
    await world.lab.network.heal();
    await world.settled();
    // What waited to be written ends with an error: it must never look done.
    for (const call of fence.calls) {
      const code = await call.ended;
      if (call.name.includes("write")) expect(code, call.name).not.toBe(0);
    }
  },
};

const isolatedSecondary: Row = {
  id: "C09",
  title: "a secondary cut from both others waits, and the primary goes on",
  async run(world, primary) {
    const fromMs = Date.now();
    await world.unchanged(primary, async () => {
      await world.isolate(other(primary));
      await world.recordedAlone(primary);
      await world.judge.acknowledges(5, SOON_MS);
      world.note("C09", "longest silence", world.judge.longestSilenceMs(fromMs));
      await sleep(pick(1_000, 60_000));
      const nothing = { hasVip: false, probe: 404, processIds: [], running: [] };
      expect(await world.facts(other(primary))).toEqual(nothing);
      expect((await world.localModule(other(primary)))?.state).toMatch(/WAIT|SECOND/);
      await world.lab.network.heal();
    });
  },
};

/** Between the nodes: as the full cut. Towards the control plane: as its absence. */
const oneWay: Row = {
  id: "C10",
  title: "a link that is cut in one direction counts as cut, without a flap",
  async run(world, primary) {
    const secondary = other(primary);
    const ways = [
      [primary, secondary],
      [secondary, primary],
      [primary, "control"],
      ["control", primary],
    ] as const;
    for (const [from, to] of ways) {
      await world.settled();
      const isBetweenNodes = from !== "control" && to !== "control";
      const mark = await world.mark();
      const fromMs = Date.now();
      await world.unchanged(primary, async () => {
        await world.lab.network.cut(from, to, { oneWay: true });
        if (isBetweenNodes) await world.recordedAlone(primary);
        else await sleep(pick(2_500, 30_000));
        await world.judge.acknowledges(5, SOON_MS);
        await world.lab.network.heal();
      });
      const roles: Record<string, string> = { [primary]: "P", [secondary]: "S", control: "W" };
      const name = `longest silence, ${roles[from]} to ${roles[to]}`;
      world.note("C10", name, world.judge.longestSilenceMs(fromMs));
      // Out once and in once, or not at all.
      await world.settled();
      const changes = await world.told("inSyncChanged,epochChanged", mark);
      expect(changes.map(({ data }) => data?.["inSync"])).toEqual(
        isBetweenNodes ? [primary, "node1,node2"] : [],
      );
    }
  },
};

export const cutRows: readonly Row[] = [
  fullCut,
  withoutWitness,
  witnessThenPeer,
  isolatedPrimary,
  isolatedSecondary,
  oneWay,
];
