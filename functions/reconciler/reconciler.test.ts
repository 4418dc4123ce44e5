import { describe, expect, test } from "vitest";
import type { WitnessRecord } from "#model/quorum/record.ts";
import { putCluster } from "../clusters/configure.ts";
import { openControlPlane } from "../clusters/control-plane.ts";
import { EVERYWHERE } from "../clusters/records.ts";
import { systemRandom } from "../local/adapters.ts";
import {
  memoryBlobStore,
  memoryEventLog,
  memoryRecordStore,
} from "../stores/memory/memory-store.ts";
import type { AddressDriver, AddressWant, Observation, Step } from "./address-driver.ts";
import { CALL_MS_MAX, LOOKS_MS, RETRY_MS, RETRY_MS_MAX, Reconciler } from "./reconciler.ts";

/** Timers that fire when the test says so. */
function manualTimers() {
  const waiting: { atMs: number; fire: () => void; isCancelled: boolean }[] = [];
  const clock = { now: 1_800_000_000_000, nowMs: () => clock.now };
  const timers = {
    after(delayMs: number, fire: () => void) {
      const entry = { atMs: clock.now + delayMs, fire, isCancelled: false };
      waiting.push(entry);
      return {
        cancel: () => {
          entry.isCancelled = true;
        },
      };
    },
  };
  const due = () => waiting.filter((entry) => !entry.isCancelled).map((e) => e.atMs - clock.now);
  /** Advances in the order of the timers and lets what they start settle. */
  const advance = async (byMs: number) => {
    const endMs = clock.now + byMs;
    for (;;) {
      const [next] = waiting
        .filter((entry) => !entry.isCancelled && entry.atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      next.isCancelled = true;
      clock.now = Math.max(clock.now, next.atMs);
      next.fire();
      await settle();
    }
    clock.now = endMs;
  };
  return { clock, timers, advance, due };
}
/** The memory stores answer within promises, so a few turns of the loop are enough. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

const recordOf = (epoch: number, primary: string): WitnessRecord => ({
  moduleId: "shop",
  storeId: "store-1",
  version: epoch,
  epoch,
  historyId: "h",
  primary,
  inSync: [primary],
  grant: null,
  requests: [],
  isRecovering: false,
  reports: [],
});

async function open() {
  const time = manualTimers();
  const cp = openControlPlane({
    clock: time.clock,
    timers: time.timers,
    random: systemRandom,
    records: memoryRecordStore("store-1"),
    log: memoryEventLog(1000),
    blobs: memoryBlobStore(),
    logger: { log: () => {} },
  });
  const nodes = ["node1", "node2"].map((id) => ({
    id,
    addresses: { default: `10.0.0.${id.at(-1)}` },
  }));
  await putCluster(cp, "prod", { nodes, addressDriver: "arp" }, "person:ann");
  const cluster = await cp.clusters.read(EVERYWHERE, "prod");
  if (cluster === null) throw new Error("no cluster");
  const module = {
    id: "shop",
    mode: "mirror" as const,
    version: 1,
    sha256: "0".repeat(64),
    bytes: 1,
    nodes: ["node1", "node2"],
    uploadedAtMs: 0,
    uploadedBy: "person:ann",
  };
  await cp.clusters.write(EVERYWHERE, "prod", cluster.version, {
    ...cluster.value,
    modules: [module],
  });
  const world = { record: recordOf(1, "node1"), addressOn: "nowhere", stepWorks: true };
  const log: string[] = [];
  const driver: AddressDriver = {
    kind: "fake",
    async observe(want: AddressWant): Promise<Observation> {
      const kind = world.addressOn === want.nodeId ? "agrees" : "differs";
      return { kind, address: "10.0.0.50", text: `on ${world.addressOn}` };
    },
    async step(want: AddressWant): Promise<Step> {
      log.push(`${want.nodeId}@${want.epoch}`);
      if (world.stepWorks) world.addressOn = want.nodeId;
      return { kind: world.stepWorks ? "done" : "retry", text: "tried" };
    },
  };
  const arbiter = {
    vote: () => Promise.reject(new Error("not here")),
    record: async () => world.record,
    forget: async () => {},
  };
  const reconciler = new Reconciler({ cp, arbiter, driverOf: () => driver });
  const view = async () => (await cp.addresses.read("prod", "shop"))?.value;
  return { ...time, cp, world, log, driver, reconciler, view };
}

const LAST_LOOK_MS = Math.max(...LOOKS_MS.afterMove);
const GAP_MS_MAX = 15_000;

describe("the reconciler", () => {
  test("moves the address to the recorded primary and says so once it has seen it there", async () => {
    const { reconciler, log, view, cp } = await open();
    reconciler.ask("prod", "shop");
    await settle();
    expect(log).toEqual(["node1@1"]);
    expect(await view()).toMatchObject({ state: "confirmed", wantedNode: "node1", epoch: 1 });
    const told = await cp.events.after("prod", 0, 100);
    expect(told.filter((event) => event.kind === "addressConfirmed")).toHaveLength(1);
  });

  test("looks again after a move, and mends what an older call put back", async () => {
    const { reconciler, log, world, advance } = await open();
    reconciler.ask("prod", "shop");
    await settle();
    for (let steps = 2; steps < 6; steps += 1) {
      world.addressOn = "node2";
      await advance(GAP_MS_MAX);
      expect(log).toHaveLength(steps);
    }
    await advance(LAST_LOOK_MS);
    expect(log).toHaveLength(5);
  });

  test("tries again with growing pauses while a step does not take, and stops when it did", async () => {
    const { reconciler, log, world, advance, view } = await open();
    world.stepWorks = false;
    reconciler.ask("prod", "shop");
    await settle();
    expect(log).toHaveLength(1);
    await advance(RETRY_MS);
    expect(log).toHaveLength(2);
    await advance(10 * 60_000);
    const tries = log.length;
    expect(tries).toBeGreaterThan(15);
    expect(tries).toBeLessThan((10 * 60_000) / RETRY_MS_MAX + 10);
    expect(await view()).toMatchObject({ state: "requested" });
    world.stepWorks = true;
    await advance(RETRY_MS_MAX);
    expect(await view()).toMatchObject({ state: "confirmed" });
  });

  test("reads the record anew before each step, so a newer epoch takes over midway", async () => {
    const { reconciler, log, world, driver, view } = await open();
    const step = driver.step.bind(driver);
    driver.step = async (want) => {
      const stepped = await step(want);
      if (want.epoch === 1) world.record = recordOf(2, "node2");
      return stepped;
    };
    reconciler.ask("prod", "shop");
    await settle();
    expect(log).toEqual(["node1@1", "node2@2"]);
    expect(await view()).toMatchObject({ state: "confirmed", wantedNode: "node2", epoch: 2 });
  });

  test("acts on nothing while it does not know", async () => {
    const { reconciler, log, driver, view } = await open();
    driver.observe = async () => ({ kind: "unknown", address: null, text: "no answer" });
    reconciler.ask("prod", "shop");
    await settle();
    expect(log).toEqual([]);
    expect(await view()).toMatchObject({ state: "unknown" });
  });

  test("works on one look per cluster at a time, however often it is asked", async () => {
    const { reconciler, driver } = await open();
    let running = 0;
    let most = 0;
    let looks = 0;
    driver.observe = async () => {
      running += 1;
      looks += 1;
      most = Math.max(most, running);
      await settle();
      running -= 1;
      return { kind: "agrees", address: null, text: "" };
    };
    for (let i = 0; i < 50; i += 1) reconciler.ask("prod", "shop");
    await settle();
    await settle();
    expect(most).toBe(1);
    expect(looks).toBeLessThanOrEqual(2);
  });

  test("finds what a call of a process before it did late, though it began with all well", async () => {
    const { reconciler, world, advance, log } = await open();
    world.addressOn = "node1";
    reconciler.ask("prod", "shop");
    await settle();
    expect(log).toEqual([]);
    await advance(100_000);
    world.addressOn = "node2";
    await advance(GAP_MS_MAX);
    expect(log).toEqual(["node1@1"]);
  });

  test("moves nothing by a table that was put back, before the nodes told it what it forgot", async () => {
    const { reconciler, world, log } = await open();
    for (const odd of [{ isRecovering: true }, { storeId: "store-0" }]) {
      world.record = { ...recordOf(1, "node1"), ...odd };
      reconciler.ask("prod", "shop");
      await settle();
      expect(log).toEqual([]);
    }
    world.record = recordOf(1, "node1");
    reconciler.ask("prod", "shop");
    await settle();
    expect(log).toEqual(["node1@1"]);
  });

  test("is well again within 10 s, however long the cloud failed", async () => {
    const { reconciler, world, advance } = await open();
    world.stepWorks = false;
    reconciler.ask("prod", "shop");
    await settle();
    await advance(10 * 60_000);
    world.stepWorks = true;
    await advance(10_000);
    expect(world.addressOn).toBe("node1");
  });

  test("lets a call that hangs go, and mends what that does when it ends after all", async () => {
    const { reconciler, world, driver, advance, view, timers, log } = await open();
    const { step } = driver;
    driver.step = async (want) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      timers.after(120_000, resolve);
      await promise;
      return await step(want);
    };
    reconciler.ask("prod", "shop");
    await settle();
    await advance(CALL_MS_MAX);
    expect(await view()).toMatchObject({ state: "requested" });
    // The cloud is well again, and another node leads.
    driver.step = step;
    world.record = recordOf(2, "node2");
    await advance(10_000);
    expect(world.addressOn).toBe("node2");
    await advance(100_000);
    expect(world.addressOn).toBe("node2");
    expect(log).toContain("node1@1");
  });

  test("survives a driver that throws, and tries again", async () => {
    const { reconciler, driver, advance } = await open();
    let looks = 0;
    driver.observe = async () => {
      looks += 1;
      throw new Error("broken");
    };
    reconciler.ask("prod", "shop");
    await settle();
    await advance(RETRY_MS);
    expect(looks).toBe(2);
  });
});
