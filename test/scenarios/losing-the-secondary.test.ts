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
    expect(w.a.disk?.standingVotes).toEqual([{ from: "b", epoch: 1 }]);
    expect(w.b.disk?.outdated).toBe(true);
    w.b.data.isHung = false;
    w.runUntil("b requires to be acknowledged by", () => w.b.disk?.outdated === false);
    expect(w.a.disk).toMatchObject({ joining: "b", standingVotes: [] });
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

describe("a standing vote", () => {
  test("notes when it was given, so that the loss of a forced copy can be told", () => {
    const w = new World();
    w.startInSync();
    w.b.data.isHung = true;
    w.runUntil("given", () => w.b.disk?.outdated === true, 5000);
    const sinceMs = w.b.disk?.outdatedSinceMs ?? 0;
    expect(Math.abs(w.b.unixMs - sinceMs)).toBeLessThan(50);
    // Nothing was acknowledged without this copy before that moment.
    expect(w.a.data.acksAlone).toBe(false);
    w.runFor(20_000);
    expect(w.b.disk?.outdatedSinceMs).toBe(sinceMs);
    w.b.data.isHung = false;
    w.runUntil("in sync", () => w.isInSync());
    expect(w.b.disk?.outdatedSinceMs).toBe(null);
  });

  test("one that was away when it left the set does not guess when that was", () => {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.runFor(10_000);
    w.a.crash();
    w.b.boot(false);
    w.runUntil("it knows", () => w.b.disk?.outdated === true);
    expect(w.b.disk?.outdatedSinceMs).toBe(null);
  });

  test("is told to the witness as soon as that can be asked", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.b.data.isHung = true;
    w.runUntil("alone", () => w.a.data.acksAlone, 5000);
    expect(w.record?.inSync).toEqual(["a", "b"]);
    w.heal();
    w.runUntil("recorded", () => w.record?.inSync.length === 1, 30_000);
  });

  test("keeps the secondary from being promoted, whoever asks for it", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.b.data.isHung = true;
    w.runUntil("alone", () => w.a.data.acksAlone, 5000);
    w.a.crashOs();
    w.heal();
    w.b.data.isHung = false;
    w.runFor(60_000);
    expect(w.leader()).toBe(null);
    expect(w.b.reason).toContain("may lack acknowledged writes");
  });

  test("a secondary that leaves waits for it, and no longer than 5 s", () => {
    const w = new World();
    w.startInSync();
    w.cut.add("b>a");
    w.b.command({ kind: "stop" });
    const ms = w.runUntil("stopped", () => w.b.target === "STOP", 10_000);
    expect(ms).toBeLessThanOrEqual(w.timers.stopWaitMs + 200);
  });
});

test("the witness away and the secondary dead: writes wait, and the primary says for what", () => {
  const w = new World();
  w.startInSync();
  w.cutWitness();
  w.b.crash();
  const before = w.judge.acknowledgedCount;
  w.runFor(1800);
  w.runFor(20_000);
  expect(w.judge.acknowledgedCount - before).toBeLessThan(3);
  expect(w.a.reason).toContain("fenced");
});
