/** C03, C04, C34 and stalled threads: a machine, a thread or a clock that stands still or jumps. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { type AgentThread, stallThread } from "../lab/agent-process.ts";
import type { NodeName } from "../lab/cluster.ts";
import { stepClock } from "../lab/wall-clock.ts";
import { pick, type Row } from "./row.ts";
import { other, SOON_MS, type World } from "./world.ts";

const HOUR_SECONDS = 3600;

/** Longer than that without the other node, and it may take over in its own right. */
const UNNOTICED_MS_MAX = 1_500;

const shortFreezes: Row = {
  id: "C03",
  title: "a primary that stands still for 0.5 or 1 s stays primary",
  async run(world, primary) {
    for (let round = 1; round <= pick(1, 25); round += 1) {
      for (const durationMs of [500, 1_000]) {
        const fromMs = Date.now();
        await world.unchanged(primary, async () => {
          return (await world.freezeFor([primary], durationMs)) < UNNOTICED_MS_MAX;
        });
        const name = `longest silence around ${durationMs} ms`;
        world.note("C03", name, world.judge.longestSilenceMs(fromMs));
      }
    }
  },
};

/** Reads a file of the directory again and again, and writes down when each read was answered. */
const READER = `while [ ! -e /run/reads.end ]; do
  head -c 1 /srv/data/ledger > /dev/null && date +%s%3N >> /run/reads
done; rm -f /run/reads /run/reads.end`;

const readTimes = (world: World, node: NodeName): readonly number[] => {
  const path = world.machine(node).path("/run/reads");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").map(Number) : [];
};

/**
 * By the clock the primary's lease counts for another second. But it stood still, and nobody can
 * confirm it: so it answers nothing, though nothing has expired, and goes on when it is confirmed.
 */
const unconfirmed: Row = {
  id: "gap",
  title: "after a gap nothing is answered before another voter has confirmed the epoch",
  async run(world, primary) {
    const machine = world.machine(primary);
    const reading = machine.exec(["sh", "-c", READER], { limitMs: 120_000 });
    await world.timed("reads", async () => readTimes(world, primary).length > 10);
    await world.unchanged(primary, async () => {
      const stoppedAtMs = Date.now();
      machine.freeze();
      await world.isolate(primary);
      await sleep(Math.max(0, stoppedAtMs + 500 - Date.now()));
      const thawedAtMs = Date.now();
      machine.thaw();
      await sleep(400);
      const untilMs = Date.now();
      await world.lab.network.heal();
      const reads = readTimes(world, primary).filter((at) => at >= thawedAtMs && at < untilMs);
      // One may have been answered before the gap, and only its reader went on after it.
      expect(reads.length).toBeLessThanOrEqual(1);
      return Date.now() - stoppedAtMs < UNNOTICED_MS_MAX;
    });
    writeFileSync(machine.path("/run/reads.end"), "");
    await reading;
  },
};

const stalled = (thread: AgentThread, durationMs: number): Row => ({
  id: `stall ${thread}`,
  title: `a ${thread} thread that stands still for ${durationMs / 1000} s changes no role`,
  async run(world, primary) {
    const fromMs = Date.now();
    await world.unchanged(primary, async () => {
      const stoodMs = await stallThread(world.machine(primary), thread, durationMs);
      expect(stoodMs).toBeGreaterThanOrEqual(durationMs);
    });
    world.note(`stall ${thread}`, "longest silence", world.judge.longestSilenceMs(fromMs));
  },
});

/** B leads meanwhile; what A does when it goes on must harm nobody. */
const frozenPrimary = (durationMs: number): Row => ({
  id: "C04",
  title: `a primary frozen for ${durationMs / 1000} s is replaced, and answers nothing when it goes on`,
  async run(world, primary) {
    const epoch = await world.epoch();
    const machine = world.machine(primary);
    const heir = other(primary);
    const frozenAtMs = Date.now();
    machine.freeze();
    await world.timed(`${heir} to lead`, async () => (await world.epoch()) === epoch + 1);
    world.note("C04", "decided", Date.now() - frozenAtMs);
    await world.judge.acknowledges(5, SOON_MS);
    world.note("C04", "silence of the address", world.judge.longestSilenceMs(frozenAtMs));
    await sleep(Math.max(0, frozenAtMs + durationMs - Date.now()));
    const thawedAtMs = Date.now();
    machine.thaw();
    await world.timed("the old address to leave", async () => !(await world.facts(primary)).hasVip);
    world.note("C04", "old address off after", Date.now() - thawedAtMs);
    const isGone = async () => (await world.facts(primary)).processIds.length === 0;
    await world.timed("the old application to be gone", isGone);
    world.note("C04", "old application gone after", Date.now() - thawedAtMs);
    await world.settled();
    expect(await world.epoch()).toBe(epoch + 1);
    // It could tell its client at most of what it had been told before it stood still.
    const late = world.judge.acksBetween(thawedAtMs).filter(({ node }) => node === primary);
    expect(late.length).toBeLessThanOrEqual(1);
  },
});

const frozenSecondary = (durationMs: number): Row => ({
  id: "C04",
  title: `a secondary frozen for ${durationMs / 1000} s leaves the set, and service goes on`,
  async run(world, primary) {
    const fromMs = Date.now();
    await world.unchanged(primary, async () => {
      world.machine(other(primary)).freeze();
      await world.recordedAlone(primary);
      await world.judge.acknowledges(5, SOON_MS);
      world.note("C04", "silence, secondary frozen", world.judge.longestSilenceMs(fromMs));
      await sleep(Math.max(0, fromMs + durationMs - Date.now()));
      world.machine(other(primary)).thaw();
    });
  },
});

const frozenBoth = (durationMs: number): Row => ({
  id: "C04",
  title: `both frozen for ${durationMs / 1000} s go on in the same roles`,
  async run(world, primary) {
    const fromMs = Date.now();
    await world.unchanged(primary, async () => {
      await world.freezeFor(["node1", "node2"], durationMs);
    });
    const silentMs = world.judge.longestSilenceMs(fromMs);
    world.note("C04", "back after both", silentMs - durationMs);
  },
});

const clockSteps: Row = {
  id: "C34",
  needsClock: true,
  title: "the wall clock of either node may jump by an hour, once or each second",
  async run(world, primary) {
    const fromMs = Date.now();
    await world.unchanged(primary, async () => {
      for (const node of [primary, other(primary)]) {
        const machine = world.machine(node);
        for (const hours of [1, -1]) {
          stepClock(machine, hours * HOUR_SECONDS);
          const { sentAtMs } = (await world.local(node)).report;
          // The agent lives in that hour: otherwise nothing has been shown.
          expect(Math.abs(sentAtMs - Date.now() - hours * HOUR_SECONDS * 1000)).toBeLessThan(
            60_000,
          );
          await sleep(pick(500, 20_000));
          await world.judge.acknowledges(5, SOON_MS);
        }
        await strobe(world, node, pick(2, 60));
      }
    });
    world.note("C34", "longest silence", world.judge.longestSilenceMs(fromMs));
  },
};

async function strobe(world: World, node: NodeName, seconds: number): Promise<void> {
  for (let second = 1; second <= seconds; second += 1) {
    stepClock(world.machine(node), (second % 2 === 0 ? -1 : 1) * HOUR_SECONDS);
    await sleep(1_000);
  }
  stepClock(world.machine(node), 0);
}

const FREEZES_MS = pick([4_000], [1_000, 10_000, 30_000, 60_000, 120_000]);

export const standStillRows: readonly Row[] = [
  shortFreezes,
  unconfirmed,
  stalled("main", pick(3_000, 8_000)),
  stalled("data", pick(3_000, 8_000)),
  clockSteps,
  ...FREEZES_MS.filter((ms) => ms > 3_000).map(frozenPrimary),
  ...FREEZES_MS.filter((ms) => ms > 3_000).map(frozenSecondary),
  ...FREEZES_MS.map(frozenBoth),
];
