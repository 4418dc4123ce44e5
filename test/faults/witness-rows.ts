/** C28 to C31: the control plane as a voter that is slow, talks nonsense, repeats or forgets. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { startControlPlane, stopControlPlane } from "../lab/cluster.ts";
import { stepClock } from "../lab/wall-clock.ts";
import { WITNESS_FAILURES } from "../lab/witness-fault.ts";
import { pick, type Row } from "./row.ts";
import { other, SETTLED_MS, SOON_MS, type World } from "./world.ts";

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

/** Less than certificates are dated back by: with more, no new connection would be believed. */
const CLOCK_BACK_SECONDS = -240;

/**
 * Fenced for want of the secondary, the primary asks the control plane all the time: none of nine
 * answers may be taken for a grant or end anything. The wall clock goes back on top: when a control
 * plane that fails is asked again must not hang on it.
 */
const failing: Row = {
  id: "C29",
  needsClock: true,
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
      const asked = Map.groupBy(
        world.door
          .requests()
          .filter(({ atMs, from }) => atMs >= fromMs && from.includes(world.address(primary))),
        ({ path }) => path.split("?")[0] ?? path,
      );
      for (const [path, requests] of asked) {
        world.note("C29", `requests in 10 s, ${path}`, (requests.length * 10) / seconds);
        // A few at once, then one a second with jitter, whatever happens meanwhile.
        expect(requests.length, path).toBeLessThanOrEqual(3 + 1.4 * seconds);
      }
      expect(world.machine(primary).log("agent")).toContain("turns this node away (HTTP 403");
      world.door.fault({ kind: "none" });
      world.note("C29", "thawed after", await world.thawed(fence));
      await world.lab.network.heal();
      stepClock(world.machine(primary), 0);
    });
  },
};

/** A lost answer is asked for again at once by the connection's own care: only a second loss shows. */
const HARMS = [
  { kind: "lose-reply", votes: 2, did: /^reply lost \(200\)$/ },
  { kind: "double", votes: 1, did: /^doubled \(200, [0-9]+\)$/ },
  { kind: "late", votes: 1, did: /^late \((200|401|409)/ },
] as const;

/** Each of them to the question that changes most: who leads next. */
const harmedVotes: Row = {
  id: "C30",
  title: "a vote whose answer is lost, that arrives twice, or late, is one vote",
  async run(world, primary) {
    let leader = primary;
    const delayMs = pick(3_000, 60_000);
    for (const { kind, votes, did } of HARMS) {
      await world.settled();
      const [mark, fromMs] = [await world.mark(), Date.now()];
      world.door.fault({ kind, vote: "promote", votes, delayMs });
      await world.cluster.command({ kind: "switchover" });
      leader = other(leader);
      expect(await world.settled()).toBe(leader);
      const harmed = () =>
        world.door
          .requests()
          .filter(({ atMs, did }) => atMs >= fromMs && /lost|doubled|late/.test(did));
      await world.timed(kind, async () => harmed().length === votes, delayMs + SOON_MS);
      for (const request of harmed()) expect(request.did).toMatch(did);
      const epochs = await world.told("epochChanged", mark);
      expect(epochs.map(({ data }) => data?.["toNode"])).toEqual([leader]);
      world.note("C30", kind, world.judge.longestSilenceMs(fromMs));
      world.door.fault({ kind: "none" });
    }
  },
};

const DATABASE = "/srv/mirrorfarm/control-plane.db";
const BACKUP = "/srv/backup";

/** The control plane stops, something is done to its files, and it starts again. */
async function withStoreReplaced(world: World, script: string): Promise<void> {
  await stopControlPlane(world.lab);
  await world.machine("control").mustExec(["sh", "-ec", script]);
  startControlPlane(world.lab, "default");
  await world.timed("it answers", async () => (await world.cluster.people.snapshot()).ok);
}

const putBack = `rm -f ${DATABASE}* && cp -a ${BACKUP}/* /srv/mirrorfarm/`;

/** As docs/CONTROL-PLANE.md tells whoever restores: another identity, so that the nodes notice. */
async function forgetStoreId(world: World): Promise<void> {
  const script = `const database = new (require("node:sqlite").DatabaseSync)("${DATABASE}");
    database.exec("DELETE FROM meta WHERE key='storeId'");
    database.close();`;
  await world.machine("control").mustExec([process.execPath, "-e", script]);
}

const forgotten: Row = {
  id: "C31",
  title:
    "a control plane put back to an older state learns from the nodes; a wiped one harms nobody",
  async run(world, primary) {
    const save = `rm -rf ${BACKUP} && mkdir ${BACKUP} && cp -a ${DATABASE}* ${BACKUP}/`;
    await withStoreReplaced(world, save);
    await world.cluster.command({ kind: "switchover" });
    const leader = other(primary);
    expect(await world.settled()).toBe(leader);
    const epoch = await world.epoch();
    await world.unchanged(leader, async () => {
      await withStoreReplaced(world, `rm -f ${DATABASE}*`);
      await sleep(pick(2_000, 60_000));
    });
    await world.unchanged(leader, async () => {
      await stopControlPlane(world.lab);
      await world.machine("control").mustExec(["sh", "-ec", putBack]);
      await forgetStoreId(world);
      startControlPlane(world.lab, "default");
      // It promotes nobody before both nodes have told it what they know.
      await world.timed(
        "it has learned",
        async () => {
          const { witness } = await world.cluster.view();
          return witness?.epoch === epoch && witness.primary === leader;
        },
        SETTLED_MS,
      );
    });
    await world.settled();
    await world.cluster.command({ kind: "switchover" });
    expect(await world.settled()).toBe(primary);
    expect(await world.epoch()).toBe(epoch + 1);
  },
};

export const witnessRows: readonly Row[] = [slow, failing, harmedVotes];
export const storeRows: readonly Row[] = [forgotten];
