import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/** The secondary is gone: when the primary may acknowledge alone. */

describe("loss of the secondary", () => {
  test("the primary goes on alone once the witness has recorded it, within 5 s", () => {
    const w = new World();
    w.startInSync();
    const before = w.judge.acknowledgedCount;
    w.b.crashOs();
    w.runUntil("alone", () => w.a.data.acksAlone, 5000);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a", inSync: ["a"] });
    w.runUntil("writes go on", () => w.judge.acknowledgedCount > before + 20);
    w.b.boot();
    w.runUntil("in sync", () => w.isInSync());
  });

  test("heartbeats pass and the data path hangs: a standing vote, no witness needed", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.b.data.isHung = true;
    w.runUntil("alone", () => w.a.data.acksAlone, 5000);
    expect(w.a.disk?.standingVote).toEqual({ from: "b", epoch: 1 });
    expect(w.b.disk?.outdated).toBe(true);
    w.b.data.isHung = false;
    w.runUntil("b requires to be acknowledged by", () => w.b.disk?.outdated === false);
    expect(w.a.disk).toMatchObject({ joining: "b", standingVote: null });
  });

  test("an orderly stop of the secondary leaves a primary that needs nobody", () => {
    const w = new World();
    w.startInSync();
    w.b.command({ kind: "stop" });
    w.runUntil("stopped", () => w.b.target === "STOP" && w.b.disk?.isStoppedCleanly === true);
    w.b.crash();
    w.cutWitness();
    w.runFor(60_000);
    expect(w.a.canAnswer()).toBe(true);
    expect(w.a.data.acksAlone).toBe(true);
    w.a.crash();
    w.runFor(1000);
    w.a.boot(false);
    w.runUntil("goes on after a restart too", () => w.a.canAnswer(), 12_000);
  });

  test("a blip shorter than detectAfter is nobody's business", () => {
    const w = new World();
    w.startInSync();
    const version = w.record?.version;
    w.cutPair();
    w.runFor(900);
    w.heal();
    w.runFor(5000);
    expect(w.record).toMatchObject({ version, inSync: ["a", "b"] });
  });
});
