import { describe, expect, test } from "vitest";
import type { ModuleReport } from "#model/contract/report.ts";
import { openControlPlane } from "../../clusters/control-plane.ts";
import { systemRandom, systemTimers } from "../../local/adapters.ts";
import {
  memoryBlobStore,
  memoryEventLog,
  memoryRecordStore,
} from "../../stores/memory/memory-store.ts";
import { report } from "../../testing/test-report.ts";
import { arpDriver } from "./arp-driver.ts";

const NOW_MS = 1_800_000_000_000;
const want = {
  clusterId: "prod",
  moduleId: "shop",
  epoch: 2,
  nodeId: "node2",
  nodeAddress: "10.0.0.2",
  nodes: ["node1", "node2"],
};

interface Said extends Partial<Pick<ModuleReport, "state" | "readiness">> {
  readonly has: boolean;
  readonly epoch: number;
  /** Milliseconds before now. */
  readonly receivedAgoMs?: number;
  readonly sinceAgoMs?: number;
  readonly fenced?: boolean;
}

async function open(said: Readonly<Record<string, Said>>) {
  const cp = openControlPlane({
    clock: { nowMs: () => NOW_MS },
    timers: systemTimers,
    random: systemRandom,
    records: memoryRecordStore("store-1"),
    log: memoryEventLog(100),
    blobs: memoryBlobStore(),
    logger: { log: () => {} },
  });
  for (const [nodeId, one] of Object.entries(said)) {
    const { events, ...whole } = report(one.state ?? "ALONE");
    const [module] = whole.modules;
    if (module === undefined || module.quorum === null) throw new Error("no module");
    const quorum = { ...module.quorum, epoch: one.epoch, fenced: one.fenced ?? false };
    const vips = [{ address: "10.0.0.50", interface: "eth0", present: one.has, epoch: one.epoch }];
    const sinceMs = NOW_MS - (one.sinceAgoMs ?? 60_000);
    const readiness = one.readiness ?? "Ready";
    const modules = [{ ...module, quorum, vips, sinceMs, readiness }];
    const receivedAtMs = NOW_MS - (one.receivedAgoMs ?? 100);
    const clock = { receivedAtMs, offsetMs: 0, errorMs: 5, silenceTold: false };
    await cp.reports.write("prod", nodeId, 0, { report: { ...whole, modules }, ...clock });
  }
  return { cp, driver: arpDriver(cp) };
}
const observe = async (said: Readonly<Record<string, Said>>) =>
  (await (await open(said)).driver.observe(want)).kind;

describe("the driver for addresses that the nodes move themselves", () => {
  test.each<[string, Readonly<Record<string, Said>>, string]>([
    ["the primary has it", { node2: { has: true, epoch: 2 } }, "agrees"],
    ["the primary lacks it", { node2: { has: false, epoch: 2 } }, "differs"],
    ["the primary is silent", { node2: { has: true, epoch: 2, receivedAgoMs: 60_000 } }, "unknown"],
    ["the primary never reported", {}, "unknown"],
    ["the primary is in an older epoch", { node2: { has: false, epoch: 1 } }, "unknown"],
    [
      "the primary is starting",
      { node2: { has: false, epoch: 2, readiness: "Transient" } },
      "unknown",
    ],
    ["the primary is fenced", { node2: { has: false, epoch: 2, fenced: true } }, "unknown"],
    [
      "the other still has it",
      { node1: { has: true, epoch: 1 }, node2: { has: true, epoch: 2 } },
      "differs",
    ],
    [
      "the other had it in its last words",
      {
        node1: { has: true, epoch: 1, receivedAgoMs: 4_000 },
        node2: { has: true, epoch: 2, sinceAgoMs: 2_500 },
      },
      "agrees",
    ],
  ])("%s", async (_name, said, expected) => {
    expect(await observe(said)).toBe(expected);
  });

  test("asks whoever has it wrongly to take it off, once, under the epoch", async () => {
    const { cp, driver } = await open({
      node1: { has: true, epoch: 1 },
      node2: { has: true, epoch: 2 },
    });
    await driver.step(want);
    await driver.step(want);
    const operations = await cp.operations.list("prod");
    expect(operations).toHaveLength(1);
    expect(operations[0]?.value.operation).toMatchObject({
      kind: "withdraw-address",
      epoch: 2,
      steps: [{ nodeId: "node1" }],
    });
  });

  test("asks the primary to put it on when it lacks it", async () => {
    const { cp, driver } = await open({ node2: { has: false, epoch: 2 } });
    await driver.step(want);
    const [made] = await cp.operations.list("prod");
    expect(made?.value.operation).toMatchObject({
      kind: "announce-address",
      steps: [{ nodeId: "node2" }],
    });
  });
});
