import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import { until } from "../modules/testing/test-module.ts";
import { ModuleRig } from "./testing/module-rig.ts";
import { verbTarget } from "./verb-target.ts";

const { witnessLeaseMs, giveUpAfterMs } = TIMER_PROFILES.fast;

let rig: ModuleRig;
beforeEach(() => {
  rig = new ModuleRig();
});
afterEach(() => rig.close());

const kinds = (): readonly string[] => rig.told.map(({ kind }) => kind);

describe("a first start", () => {
  test("waits for a person, asks the witness, mounts, then runs the application", async () => {
    rig.files.script("start_prim", "record start_prim");
    await rig.lead();
    expect(rig.record).toMatchObject({ epoch: 1, primary: "node1" });
    expect(rig.calls).toContain("e1 serve 1 none");
    expect(rig.files.recorded()).toEqual(["start_prim"]);
    expect(rig.cell.isLive(rig.nowMs())).toBe(true);
    expect(rig.store.read().disk).toMatchObject({ epoch: 1, primary: "node1" });
  });

  test("starts no application before its directories can be written to", async () => {
    let opened = (): void => undefined;
    rig.onEngine = (engine) => {
      opened = engine.hold("serve");
    };
    rig.files.script("start_prim", "record start_prim");
    await rig.module.start("asBefore");
    rig.module.command({ kind: "start", dataFrom: "node1" });
    await rig.comesTo(() => rig.calls.includes("e1 serve 1 none"));
    expect(rig.files.recorded()).toEqual([]);
    opened();
    await rig.comesTo(() => rig.files.recorded().length > 0);
  });

  test("can be stopped while its directories never come", async () => {
    rig.onEngine = (engine) => engine.fail("serve", { kind: "wrongState", detail: "no" });
    await rig.module.start("asBefore");
    rig.module.command({ kind: "start", dataFrom: "node1" });
    await rig.comesTo(() => rig.module.service.view.state === "ALONE");
    rig.module.command({ kind: "stop" });
    await rig.comesTo(() => rig.module.service.state === "STOP" && rig.module.data.isClosed);
  });
});

describe("in maintenance", () => {
  test("a fenced application is not given up, and what scripts ask for is only told", async () => {
    await rig.lead();
    rig.module.beginMaintenance({ id: "op1", forMs: 600_000, by: "ann", reason: "" });
    rig.isWitnessAway = true;
    rig.pass(witnessLeaseMs + giveUpAfterMs + 5_000);
    expect(rig.module.isFenced).toBe(true);
    expect(kinds()).not.toContain("actionTaken");
    const target = verbTarget(rig.module, (happening) => rig.told.push(happening));
    target.act("stopstart", "stopstart called by watchdog", true);
    expect(rig.module.isStartWanted).toBe(true);
    expect(rig.told.at(-1)).toMatchObject({
      kind: "actionHeldBack",
      data: { action: "stopstart" },
    });
    rig.isWitnessAway = false;
    await rig.comesTo(() => !rig.module.isFenced);
  });

  test("ends by itself, and both are told", async () => {
    await rig.lead();
    rig.module.beginMaintenance({ id: "op1", forMs: 60_000, by: "ann", reason: "" });
    rig.pass(61_000);
    expect(rig.module.isInMaintenance).toBe(false);
    const texts = rig.told.map(({ text }) => text).filter((text) => text.includes("maintenance"));
    expect(texts[0]).toMatch(/^in maintenance until .*, by ann: no automatic action$/);
    expect(texts.at(-1)).toBe("maintenance is over: its time is up; automatic actions again");
  });
});

describe("without a grant", () => {
  beforeEach(async () => {
    await rig.lead();
    rig.isWitnessAway = true;
  });

  test("answers nothing, and goes on where it stopped with the next one", async () => {
    rig.pass(witnessLeaseMs);
    expect(rig.module.isFenced).toBe(true);
    expect(rig.cell.isLive(rig.nowMs())).toBe(false);
    expect(await rig.module.service.announce()).toMatchObject({ outcome: "refused" });
    rig.isWitnessAway = false;
    await rig.comesTo(() => !rig.module.isFenced);
    expect(rig.cell.isLive(rig.nowMs())).toBe(true);
    expect(kinds()).toEqual(expect.arrayContaining(["fenced", "thawed"]));
    expect(rig.module.service.state).toBe("ALONE");
  });

  test("for too long the application is killed, and counts as down only then", async () => {
    const closed = rig.engine.hold("close");
    rig.pass(witnessLeaseMs + giveUpAfterMs + 1_000);
    await until(() => rig.calls.includes("e1 close lazy"));
    await until(() => rig.module.service.state === "WAIT");
    // Its scripts have ended, its mounts have not: the protocol must still wait for the kill.
    expect(rig.module.why).toContain("gave up");
    expect(rig.module.isFenced).toBe(true);
    closed();
    await rig.comesTo(() => !rig.module.why.includes("gave up"));
    expect(rig.cell.servingEpoch).toBeNull();
  });
});

describe("a secondary", () => {
  test("lets its copy be overwritten once it is durably outdated, also if asked before", async () => {
    await rig.follow();
    rig.engine.emit({ kind: "resyncAsked", epoch: 3, attachmentId: "a1" });
    expect(rig.engine.admitted).toEqual([]);
    if (rig.peer !== null) rig.peer = { ...rig.peer, standingVoteAsk: { id: "ask1", epoch: 3 } };
    rig.tick();
    expect(rig.store.read().disk?.outdated).toBe(true);
    expect(rig.engine.admitted).toEqual([{ attachmentId: "a1", isForeign: false }]);
  });

  test("has what it wrote in another history kept aside when its copy is overwritten", async () => {
    await rig.follow();
    // A person forced the peer: its epoch begins a history in which this copy has no part.
    const forced = { epoch: 4, historyId: "h2", copyHistoryId: "h2", inSync: ["node2"] };
    if (rig.peer !== null) rig.peer = { ...rig.peer, ...forced };
    rig.tick();
    rig.engine.emit({ kind: "resyncAsked", epoch: 4, attachmentId: "a1" });
    expect(rig.engine.admitted).toEqual([{ attachmentId: "a1", isForeign: true }]);
  });

  test("is stopped before its directories are closed", async () => {
    rig.files.script("start_second", "record start_second");
    rig.files.script(
      "stop_second",
      'record stop_second; until [ -e "$SAFEUSERVAR/go" ]; do :; done',
    );
    await rig.follow();
    await rig.comesTo(() => rig.module.service.state === "SECOND");
    rig.module.command({ kind: "stop" });
    await rig.comesTo(() => rig.files.recorded().includes("stop_second"));
    rig.pass(10_000);
    expect(rig.module.data.isClosed).toBe(false);
    writeFileSync(join(rig.files.logs, "go"), "");
    await rig.comesTo(() => rig.module.service.state === "STOP" && rig.module.data.isClosed);
  });
});

describe("a stop", () => {
  test("that a start follows is forgotten when a person stops", async () => {
    await rig.lead();
    rig.module.stopStart();
    expect(rig.module.isStartWanted).toBe(true);
    rig.module.command({ kind: "stop" });
    expect(rig.module.isStartWanted).toBe(false);
    await rig.comesTo(() => rig.module.service.state === "STOP" && rig.module.data.isClosed);
    expect(rig.module.disk.isStartWanted).toBe(false);
  });

  test("and start of what is stopped does nothing, now or later", async () => {
    await rig.module.start("asBefore");
    rig.module.stopStart();
    expect(rig.module.isStartWanted).toBe(false);
  });

  test("because the agent ends leaves on the disk that the module shall run", async () => {
    await rig.lead();
    rig.module.stopUntilNextRun();
    expect(rig.store.read().disk?.isStartWanted).toBe(true);
    await rig.comesTo(() => rig.module.service.state === "STOP" && rig.module.data.isClosed);
    expect(rig.store.read().disk).toMatchObject({ isStartWanted: true, isStoppedCleanly: true });
  });
});
