import { type ChildProcess, spawn } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freshDisk, type NodeDisk } from "#model/quorum/disk.ts";
import type { ModuleState } from "#model/states/lifecycle.ts";
import { readProcess } from "../modules/process-table.ts";
import { until } from "../modules/testing/test-module.ts";
import type { Standing } from "../replication/engine.ts";
import { FakeEngine } from "./testing/fake-engine.ts";
import { ModuleRig } from "./testing/module-rig.ts";

/** An agent that finds what an earlier one left: its data process, and the application. */

let rig: ModuleRig;
let application: ChildProcess;
beforeEach(async () => {
  rig = new ModuleRig();
  const [file = "", ...args] = rig.files.containment.wrap(["sleep", "600"]);
  const env = { ...process.env, ...rig.files.containment.environment };
  application = spawn(file, args, { stdio: "ignore", env });
  await until(() => rig.files.containment.processIds().includes(application.pid ?? -1));
});
afterEach(async () => {
  application.kill("SIGKILL");
  await rig.close();
});

const KNOWN = { epoch: 3, historyId: "h1", inSync: ["node1", "node2"] } as const;
const STANDING: Standing = {
  ...{ role: "primary", epoch: 3, isAttached: true, isPeerRequired: true },
};

function left(o: {
  readonly standing?: Partial<Standing>;
  readonly disk?: Partial<NodeDisk>;
  readonly state: ModuleState;
  readonly to?: ModuleState;
}): FakeEngine {
  rig.store.write({
    ...freshDisk("shop", "node1", "boot1", false),
    ...{ ...KNOWN, primary: "node1", copyHistoryId: "h1", isStartWanted: true },
    ...{ isStoppedCleanly: false },
    ...o.disk,
  });
  rig.record = {
    ...{ ...KNOWN, moduleId: "shop", storeId: "store1", primary: "node1", version: 7 },
    ...{ grant: null, requests: [], isRecovering: false, reports: [], outOfSetSinceMs: {} },
  };
  rig.lifeCycle.write({ state: o.state, to: o.to ?? null });
  const engine = new FakeEngine("kept", rig.calls);
  const standing = { ...STANDING, ...o.standing };
  rig.survivor = { engine, standing, port: 7410, dataIsComplete: true };
  return engine;
}

const isAlive = (): boolean =>
  !["Z", undefined].includes(readProcess(application.pid ?? -1)?.state);

/** In its own time: one that runs ahead would take the node's patience away. */
const comesTo = (holds: () => boolean): Promise<void> =>
  until(() => {
    rig.tick();
    return holds();
  });

test("holds it until it has a grant of its own, and goes on where it stood", async () => {
  const engine = left({ state: "PRIM" });
  rig.isWitnessAway = true;
  await rig.module.start("asBefore");
  expect([rig.module.isFenced, rig.cell.isFenced, isAlive()]).toEqual([true, true, true]);
  rig.isWitnessAway = false;
  await comesTo(() => !rig.module.isFenced);
  // The peer, though not heard, has the stream as before: it must acknowledge until that breaks.
  await comesTo(() => rig.calls.includes("kept requirePeer 3"));
  expect(rig.cell.isLive(rig.nowMs())).toBe(true);
  engine.emit({ kind: "detached", epoch: 3, reason: "the stream broke" });
  await comesTo(() => rig.calls.includes("kept acknowledgeAlone 3"));
  expect(rig.calls.filter((call) => /serve|open|close/.test(call))).toEqual([]);
  await comesTo(() => rig.module.service.state === "ALONE");
  expect(isAlive()).toBe(true);
});

test.each<[string, Parameters<typeof left>[0]]>([
  ["a script was in the middle of something", { state: "ALONE", to: "PRIM" }],
  ["the application did not run", { state: "WAIT" }],
  ["the disk knows a newer epoch", { state: "PRIM", disk: { epoch: 4, primary: "node2" } }],
  ["the machine was started anew", { state: "PRIM", disk: { bootId: "boot0" } }],
  ["a person stopped the module", { state: "PRIM", disk: { isStartWanted: false } }],
])("ends it where %s", async (_why, what) => {
  left(what);
  // Nothing of it may count any more.
  rig.cell.serve(3);
  rig.cell.setStandingVote(3);
  await rig.module.start("asBefore");
  expect(rig.calls[0]).toBe("kept close lazy");
  await until(() => !isAlive());
  expect(rig.cell.isLive(rig.nowMs())).toBe(false);
});
