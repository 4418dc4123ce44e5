import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/**
 * Two ways to answer nothing. A fenced primary may still be the only one: it stands still and can
 * go on where it stood. A deposed one is not: what it would do would be done beside the new one.
 */

/** The primary alone with itself. */
function cutOff(w: World): void {
  w.cutPair();
  w.cutWitness("a");
}

describe("fenced", () => {
  test("the same epoch is confirmed in time: it thaws, and nothing was restarted", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.b.crash();
    w.runUntil("fenced", () => w.a.isFenced, 2500);
    w.runFor(20_000);
    expect(w.a.reason).toContain("fenced: no other voter confirms epoch 1");
    w.heal();
    w.runUntil("thawed", () => w.a.canAnswer(), 3000);
    expect([w.a.ran("killApplication"), w.record?.epoch]).toEqual([0, 1]);
    expect(w.a.reports.join("\n")).toContain("a grant is live again: thawed");
    expect(["PRIM", "ALONE"]).toContain(w.a.target);
  });

  test("for giveUpAfter: killed, and under the same epoch started anew when it is confirmed", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.b.crash();
    w.runUntil("fenced", () => w.a.isFenced);
    const ms = w.runUntil("killed", () => w.a.ran("killApplication") === 1);
    expect(Math.abs(ms - w.timers.giveUpAfterMs)).toBeLessThan(500);
    w.runUntil("waits", () => w.a.target === "WAIT", 1000);
    w.heal();
    w.runUntil("leads again", () => w.a.canAnswer(), 20_000);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a", inSync: ["a"] });
  });

  test("while it hands over it is fenced in order, which alarms nobody", () => {
    const w = new World();
    w.startInSync();
    w.a.command({ kind: "switchover" });
    w.runUntil("b leads", () => w.b.canAnswer(), 3000);
    expect(w.a.reports.join("\n")).not.toContain("no other voter confirms");
    expect(w.a.ran("killApplication")).toBe(0);
  });
});

describe("deposed", () => {
  test("hears of the newer epoch while fenced: killed at once, not after giveUpAfter", () => {
    const w = new World();
    w.startInSync();
    cutOff(w);
    w.runUntil("b leads", () => w.b.canAnswer(), 3500);
    expect(w.a.ran("killApplication")).toBe(0);
    w.heal();
    w.runUntil("killed", () => w.a.ran("killApplication") === 1, 1000);
    expect(w.a.reports.join("\n")).toContain("epoch 2 of b has begun");
    w.runUntil("it follows", () => w.a.target === "SECOND");
  });

  test("hears of it from the witness alone: the same", () => {
    const w = new World();
    w.startInSync();
    cutOff(w);
    w.runUntil("b leads", () => w.b.canAnswer(), 3500);
    w.cut.delete("a>w");
    w.cut.delete("w>a");
    w.runUntil("killed", () => w.a.ran("killApplication") === 1, 5000);
    expect(w.a.disk).toMatchObject({ epoch: 2, primary: "b", outdated: true });
  });
});
