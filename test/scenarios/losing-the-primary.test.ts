import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";
import { force } from "./force-words.ts";

/** The primary is gone: who takes over, when, and with what. */

describe("loss of the primary", () => {
  test("the secondary takes over within the lease and a moment, and lacks nothing", () => {
    const w = new World();
    w.startInSync();
    w.runFor(3000);
    w.a.crashOs();
    const ms = w.runUntil("b leads", () => w.b.canAnswer());
    expect(ms).toBeLessThanOrEqual(2600);
    expect(w.record).toMatchObject({ epoch: 2, primary: "b", inSync: ["b"] });
    w.a.boot();
    w.runUntil("in sync again", () => w.isInSync());
    expect([w.a.target, w.b.target]).toEqual(["SECOND", "PRIM"]);
  });

  test("killing only the agent and a quick return changes no role", () => {
    const w = new World();
    w.startInSync();
    w.a.crash();
    w.runFor(600);
    w.a.boot(false);
    w.runUntil("a leads again", () => w.a.canAnswer());
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record).toMatchObject({ epoch: 1, primary: "a" });
  });

  test("failover off: the secondary waits, and the old primary resumes", () => {
    const w = new World({ config: { hasFailover: false } });
    w.startInSync();
    w.a.crash();
    w.runFor(30_000);
    expect(w.leader()).toBe(null);
    expect(w.b.reason).toContain("failover is off");
    w.a.boot(false);
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record?.primary).toBe("a");
  });
});

/** Votes that changed something, or tried to, since some moment. */
const asked = (w: World, since: number) =>
  w.votes.slice(since).filter(({ request }) => request.kind !== "read");

describe("both lose each other and both live", () => {
  test.each([0, 60, 120, 180])("cut %i ms after a heartbeat: the primary asks first", (atMs) => {
    const w = new World();
    w.startInSync();
    w.runFor(5000 + atMs);
    const since = w.votes.length;
    w.cutPair();
    w.runUntil("alone", () => w.a.data.acksAlone, 5000);
    expect(asked(w, since)[0]?.request).toMatchObject({ kind: "grant", nodeId: "a" });
    w.runFor(20_000);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a" });
  });

  test("the secondary adds its handicap to the end of its promise before it asks", () => {
    const w = new World();
    w.startInSync();
    w.runFor(5000);
    const since = w.votes.length;
    w.a.crash();
    w.runUntil("asked", () => asked(w, since).length > 0);
    const { peerLeaseMs, handicapMs } = w.timers;
    const heardMs = w.b.state?.peers["a"]?.lastHeardMs ?? 0;
    expect(w.nowMs - heardMs).toBeGreaterThanOrEqual(peerLeaseMs + handicapMs);
    expect(asked(w, since)[0]?.request).toMatchObject({ kind: "promote", nodeId: "b" });
  });
});

describe("the secondary's question", () => {
  test("is on its disk before it is asked, and nothing is promised or taken while it is open", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.cutWitness();
    w.runUntil("asked", () => w.b.disk?.asked === 2, 5000);
    w.cut.delete("a>b");
    w.cut.delete("b>a");
    w.runFor(400);
    expect(w.b.disk).toMatchObject({ epoch: 1, asked: 2 });
    expect(w.b.state?.shown?.promise).toBe(null);
    expect(w.a.canAnswer()).toBe(false);
  });

  test("after a restart of its agent waits for the longest lease that it ever promised", () => {
    const w = new World();
    w.startInSync();
    w.runFor(3000);
    const since = w.votes.length;
    w.a.crash();
    w.b.crash();
    // The cluster had the profile `tolerant` until now: a promise of that length may still bind.
    const { disk } = w.b;
    w.b.disk = disk === null ? null : { ...disk, longestPromiseMs: 15_000 };
    w.b.boot(false);
    const bootMs = w.nowMs;
    w.runUntil("asked", () => asked(w, since).some(({ request }) => request.kind === "promote"));
    expect(w.nowMs - bootMs).toBeGreaterThanOrEqual(15_000);
  });

  test("whose answer is lost is asked again under the same id, and granted once", () => {
    const w = new World();
    w.startInSync();
    w.runFor(25_000);
    const since = w.votes.length;
    w.a.crash();
    w.replyLoss = 1;
    w.runUntil("granted", () => w.record?.epoch === 2);
    const version = w.record?.version;
    w.runUntil("asked again", () => asked(w, since).length >= 3);
    const ids = new Set(asked(w, since).map(({ request }) => request.id));
    expect([ids.size, w.record?.version]).toEqual([1, version]);
    w.replyLoss = 0;
    w.runUntil("b leads", () => w.b.canAnswer(), 5000);
    expect(w.record?.epoch).toBe(2);
  });
});

describe("failover off", () => {
  const off = () => new World({ config: { hasFailover: false } });

  test("a person's switchover moves the role all the same", () => {
    const w = off();
    w.startInSync();
    w.a.command({ kind: "switchover" });
    w.runUntil("b leads", () => w.b.canAnswer(), 3000);
    w.runUntil("in sync", () => w.isInSync());
  });

  test("stopping the primary stops the service: nobody is handed the role", () => {
    const w = off();
    w.startInSync();
    w.a.command({ kind: "stop" });
    w.runUntil("stopped", () => w.a.disk?.isStoppedCleanly === true, 10_000);
    w.runFor(30_000);
    expect(w.leader()).toBe(null);
    w.a.command({ kind: "start", dataFrom: null });
    w.runUntil("in sync", () => w.isInSync(), 60_000);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a" });
  });

  test("a person forces the secondary, which lacks nothing", () => {
    const w = off();
    w.startInSync();
    w.a.crashOs();
    w.runFor(20_000);
    expect(w.b.reason).toContain("force-primary starts this copy");
    w.b.command(force(1));
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
  });
});
