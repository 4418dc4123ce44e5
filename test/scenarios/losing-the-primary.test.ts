import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

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
