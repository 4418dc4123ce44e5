import { describe, expect, test } from "vitest";
import type { SimNode } from "#model/quorum/testing/sim-node.ts";
import { World } from "#model/quorum/testing/world.ts";
import { force } from "./force-words.ts";

/** A person works on the machines: nothing is done by itself, and that ends by itself. */

const HOUR_MS = 3_600_000;

const on = (node: SimNode, forMs: number, id = "work-1") =>
  node.command({
    ...{ kind: "maintenanceOn", id, forMs, nowUnixMs: node.unixMs },
    ...{ by: "ann", reason: "new memory" },
  });
const isOn = (node: SimNode): boolean => node.disk?.maintenance?.isOver === false;

/** In sync, and both nodes were told. */
function world(forMs: number, options: ConstructorParameters<typeof World>[0] = {}): World {
  const w = new World(options);
  w.startInSync();
  for (const node of w.nodes) on(node, forMs);
  w.runFor(1000);
  return w;
}

describe("in maintenance", () => {
  test("the primary dies: nobody is promoted, and at its end the failover happens", () => {
    const w = world(60_000);
    w.a.crashOs();
    w.runFor(50_000);
    expect(w.leader()).toBe(null);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a" });
    expect(w.b.reason).toContain("in maintenance until 2027-01-15 08:");
    expect(w.b.reason).toContain("by ann: no automatic action");
    expect(w.b.reason).toContain("would have taken over: a is lost");
    w.runUntil("b leads", () => w.b.canAnswer(), 12_000);
    expect(w.b.reports.join("\n")).toContain("maintenance is over: its time is up");
  });

  test("the primary is rebooted in order: nobody takes over, and it goes on where it was", () => {
    const w = world(HOUR_MS);
    w.a.command({ kind: "stop" });
    w.runUntil("a stopped", () => w.a.disk?.isStoppedCleanly === true, 20_000);
    w.a.crashOs();
    w.runFor(60_000);
    expect(w.leader()).toBe(null);
    w.a.boot(true, "start");
    w.runUntil("a leads", () => w.a.canAnswer(), 20_000);
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record).toMatchObject({ epoch: 1, primary: "a" });
  });

  test("the last primary's OS dies: it does not start from what its disk kept", () => {
    const w = world(HOUR_MS);
    w.a.crashOs();
    w.a.boot();
    w.b.crash();
    w.runFor(60_000);
    expect(w.leader()).toBe(null);
    expect(w.record?.epoch).toBe(1);
    expect(w.a.reason).toContain("would have taken over");
  });

  test("a fenced primary stays fenced, and is not given up", () => {
    const w = world(HOUR_MS);
    w.cutPair();
    w.cutWitness();
    w.runUntil("fenced", () => w.a.isFenced);
    w.runFor(3 * w.timers.giveUpAfterMs);
    expect(w.a.ran("killApplication")).toBe(0);
    expect(w.a.reason).toContain("fenced");
    w.heal();
    w.runUntil("thawed where it stood", () => w.a.canAnswer(), 5000);
    expect(w.record?.epoch).toBe(1);
  });

  test("safety is not switched off: one that a newer epoch deposed is killed at once", () => {
    const w = world(HOUR_MS);
    w.cutPair();
    w.cutWitness("a");
    w.runFor(10_000);
    w.b.command(force(1));
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
    w.heal();
    w.runUntil("a was killed", () => w.a.ran("killApplication") === 1, 5000);
  });

  test("the role does not go back to the preferred node", () => {
    const w = new World({ config: { defaultPrimary: { kind: "node", nodeId: "a" } } });
    w.startInSync();
    w.a.crashOs();
    w.runUntil("b leads", () => w.b.canAnswer());
    on(w.b, 120_000);
    w.a.boot();
    w.runUntil("in sync", () => w.isInSync());
    w.runFor(60_000);
    expect(w.record?.primary).toBe("b");
    w.runUntil("it goes back when all is over", () => w.a.canAnswer(), 120_000);
  });

  test("a checker's wait is noted, and obeyed when the maintenance is over", () => {
    const w = world(60_000);
    w.a.tell({ kind: "blockingChanged", blocker: "intf.eth0 is down" });
    w.runFor(30_000);
    expect(w.a.target).toBe("PRIM");
    expect(w.a.reports.join("\n")).toContain("would have gone to WAIT: intf.eth0 is down");
    w.runUntil("a waits", () => w.a.target === "WAIT", 40_000);
    w.runUntil("b leads", () => w.b.canAnswer());
  });

  test("the pair decides nothing by itself while the witness is away", () => {
    const w = world(HOUR_MS);
    w.cutWitness();
    w.a.crashOs();
    w.runFor(2000);
    w.a.boot();
    w.runFor(60_000);
    expect([w.a.disk?.epoch, w.b.disk?.epoch]).toEqual([1, 1]);
  });

  test("copies are still brought up to date", () => {
    const w = world(HOUR_MS);
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.b.boot(false);
    w.runUntil("in sync", () => w.isInSync());
  });
});

describe("in maintenance people's commands are done", () => {
  test("a switchover", () => {
    const w = world(HOUR_MS);
    w.a.command({ kind: "switchover" });
    w.runUntil("b leads", () => w.b.canAnswer(), 3000);
    w.runUntil("in sync", () => w.isInSync());
  });

  test("a switchover by the pair, the witness being away", () => {
    const w = world(HOUR_MS);
    w.cutWitness();
    w.runFor(10_000);
    w.a.command({ kind: "switchover" });
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
  });

  test("a first start, and a forced primary", () => {
    const w = new World();
    for (const node of w.nodes) {
      node.boot();
      on(node, HOUR_MS);
      node.command({ kind: "start", dataFrom: null });
    }
    w.runUntil("in sync", () => w.isInSync());
    w.a.crashOs();
    w.runFor(20_000);
    w.b.command(force(1));
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
  });

  test("a person ends it before its time", () => {
    const w = world(HOUR_MS);
    w.a.crashOs();
    w.runFor(20_000);
    w.b.command({ kind: "maintenanceOff", by: "bob" });
    w.runUntil("b leads", () => w.b.canAnswer(), 5000);
    expect(w.b.reports.join("\n")).toContain("bob ended it");
  });
});

describe("maintenance ends by itself", () => {
  test("after a week at most, however much was asked for", () => {
    const w = world(1000 * HOUR_MS);
    expect(w.a.disk?.maintenance?.forMs).toBe(7 * 24 * HOUR_MS);
  });

  test("across a restart of the agent and away from everybody", () => {
    const w = world(60_000);
    w.cutPair();
    w.cutWitness();
    w.runFor(20_000);
    w.b.crash();
    w.b.boot(false);
    w.runFor(30_000);
    expect(isOn(w.b)).toBe(true);
    w.runUntil("over", () => !isOn(w.b), 12_000);
  });

  test("across a boot of the OS, at the same moment", () => {
    const w = world(60_000);
    const startMs = w.nowMs - 1000;
    w.cutPair();
    w.b.crashOs();
    w.runFor(20_000);
    w.b.boot();
    expect(isOn(w.b)).toBe(true);
    w.runUntil("over", () => !isOn(w.b));
    expect(Math.abs(w.nowMs - startMs - 60_000)).toBeLessThan(300);
  });

  test.each([HOUR_MS, -HOUR_MS])("a wall clock stepped by %i ms changes nothing", (stepMs) => {
    const w = world(60_000);
    w.cutPair();
    for (const node of w.nodes) node.unixAheadMs += stepMs;
    w.runFor(50_000);
    expect([isOn(w.a), isOn(w.b)]).toEqual([true, true]);
    w.runFor(12_000);
    expect([isOn(w.a), isOn(w.b)]).toEqual([false, false]);
  });

  test("boots with a clock from before its beginning, or from long after: it is over", () => {
    for (const stepMs of [-HOUR_MS, HOUR_MS]) {
      const w = world(60_000);
      w.cutPair();
      w.b.crashOs();
      w.b.unixAheadMs += stepMs;
      w.b.boot();
      expect(isOn(w.b)).toBe(false);
    }
  });

  test("boots with a clock that was set back a little: never longer than was asked for", () => {
    const w = world(60_000);
    w.cutPair();
    w.runFor(50_000);
    w.b.crashOs();
    w.b.unixAheadMs -= 45_000;
    w.b.boot();
    w.runUntil("over", () => !isOn(w.b), 60_000);
  });
});

describe("both nodes agree about it", () => {
  test("one that was off is told by the other, of its beginning and of its end", () => {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    on(w.a, HOUR_MS);
    w.b.boot(false);
    w.runUntil("b knows", () => isOn(w.b), 2000);
    w.b.crash();
    w.a.command({ kind: "maintenanceOff", by: "ann" });
    w.runFor(1000);
    w.b.boot(false);
    w.runUntil("b knows that it is over", () => !isOn(w.b), 2000);
    w.runFor(5000);
    expect(isOn(w.a)).toBe(false);
  });

  test("ended on one by a wrong clock at its boot, it ends on the other one too", () => {
    const w = world(HOUR_MS);
    w.b.crashOs();
    w.b.unixAheadMs -= 2 * HOUR_MS;
    w.b.boot();
    expect(isOn(w.b)).toBe(false);
    w.runUntil("over on a", () => !isOn(w.a), 2000);
    w.runFor(5000);
    expect(w.a.reports.join("\n")).toContain("maintenance is over: b says so");
  });

  test("told by its peer and then by the person: it is one, by this node's own clock", () => {
    const w = new World();
    w.startInSync();
    w.a.unixAheadMs += HOUR_MS;
    on(w.a, 60_000);
    w.runFor(500);
    on(w.b, 60_000);
    w.runFor(50_000);
    expect([isOn(w.a), isOn(w.b)]).toEqual([true, true]);
    expect(w.a.disk?.maintenance?.serial).toBe(w.b.disk?.maintenance?.serial);
    w.runUntil("over on both", () => !isOn(w.a) && !isOn(w.b), 12_000);
  });

  test("a later word replaces an earlier one", () => {
    const w = world(30_000);
    on(w.a, 120_000, "work-2");
    w.runFor(60_000);
    expect([isOn(w.a), isOn(w.b)]).toEqual([true, true]);
  });
});
