/** C28 to C31: the control plane as a voter that is slow, talks nonsense, repeats or forgets. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { stepClock } from "../lab/wall-clock.ts";
import { WITNESS_FAILURES } from "../lab/witness-fault.ts";
import { pick, type Row } from "./row.ts";
import { other, SETTLED_MS, SOON_MS } from "./world.ts";

const slow: Row = {
  id: "C28",
  title: "a slow control plane changes nothing, and confirms a primary all the same",
  async run(world, primary) {
    const fromMs = Date.now();
    await world.unchanged(primary, async () => {
      for (const delayMs of pick([500, 5_000], [500, 2_000, 5_000, 20_000])) {
        world.door.fault({ kind: "slow", delayMs });
        await sleep(pick(1_000, 30_000));
      }
    });
    world.note("C28", "longest silence", world.judge.longestSilenceMs(fromMs));
    const alsoFromMs = Date.now();
    await world.unchanged(primary, async () => {
      world.door.fault({ kind: "slow", delayMs: 500 });
      await world.isolate(other(primary));
      await world.recordedAlone(primary);
      await world.judge.acknowledges(5, SOON_MS);
      world.note("C28", "and without the secondary", world.judge.longestSilenceMs(alsoFromMs));
      await world.lab.network.heal();
    });
    world.door.fault({ kind: "none" });
  },
};

const CLOCK_BACK_SECONDS = -3600;

/**
 * Fenced for want of the secondary, the primary asks the control plane all the time: none of nine
 * answers may be taken for a grant or end anything. The wall clock goes back by an hour on top: how
 * often a control plane that fails is asked must not hang on it.
 */
const failing: Row = {
  id: "C29",
  title: "nine ways to answer nothing useful are an absence, and no more",
  async run(world, primary) {
    await world.unchanged(primary, async () => {
      world.door.fault({ kind: "fail", how: "500" });
      const fromMs = Date.now();
      await world.isolate(other(primary));
      const fence = await world.fenced(primary);
      for (const how of WITNESS_FAILURES) {
        world.door.fault({ kind: "fail", how });
        await sleep(pick(1_200, 2_500));
        const { hasVip, probe, running } = await world.facts(primary);
        expect({ how, hasVip, probe, running }).toEqual({
          ...{ how, hasVip: false, probe: 503, running: [] },
        });
        if (how === "500") stepClock(world.machine(primary), CLOCK_BACK_SECONDS);
      }
      const seconds = (Date.now() - fromMs) / 1000;
      const asked = world.door
        .requests()
        .filter(({ atMs, from }) => atMs >= fromMs && from.includes(world.address(primary)));
      const votes = asked.filter(({ vote }) => vote !== null);
      world.note("C29", "votes asked in 10 s", (votes.length * 10) / seconds);
      world.note("C29", "requests in 10 s", (asked.length * 10) / seconds);
      // Three at once, then one a second.
      expect(votes.length).toBeLessThanOrEqual(3 + seconds);
      world.door.fault({ kind: "none" });
      world.note("C29", "thawed after", await world.thawed(fence));
      await world.lab.network.heal();
      stepClock(world.machine(primary), 0);
    });
  },
};

const HARMS = [
  { kind: "lose-reply", did: /^reply lost \(200\)$/ },
  { kind: "double", did: /^doubled \(200, [0-9]+\)$/ },
  { kind: "late", did: /^late \((200|401|409)/ },
] as const;

/** Each of them to the question that changes most: who leads next. */
const harmedVotes: Row = {
  id: "C30",
  title: "a vote whose answer is lost, that arrives twice, or late, is one vote",
  async run(world, primary) {
    let leader = primary;
    const delayMs = pick(3_000, 60_000);
    for (const { kind, did } of HARMS) {
      await world.settled();
      const [mark, fromMs] = [await world.mark(), Date.now()];
      world.door.fault({ kind, vote: "promote", votes: 1, delayMs });
      await world.cluster.command({ kind: "switchover" });
      leader = other(leader);
      expect(await world.settled()).toBe(leader);
      const harmed = () =>
        world.door
          .requests()
          .filter(({ atMs, did }) => atMs >= fromMs && /lost|doubled|late/.test(did));
      await world.timed(kind, async () => harmed().length > 0, delayMs + SOON_MS);
      expect(harmed().map((request) => request.did)).toEqual([expect.stringMatching(did)]);
      const epochs = await world.told("epochChanged", mark);
      expect(epochs.map(({ data }) => data?.["toNode"])).toEqual([leader]);
      world.note("C30", kind, world.judge.longestSilenceMs(fromMs));
      world.door.fault({ kind: "none" });
    }
  },
  limitMs: 3 * SETTLED_MS,
};

export const witnessRows: readonly Row[] = [slow, failing, harmedVotes];
