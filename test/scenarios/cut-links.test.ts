import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/** Links are cut while machines live. */

describe("partitions", () => {
  test("cut between the nodes: the running primary stays, the other one waits", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.runUntil("alone", () => w.a.data.acksAlone, 5000);
    w.runFor(30_000);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a", inSync: ["a"] });
    expect(w.b.target).toBe("WAIT");
    expect(w.b.reason).toContain("force-primary");
    w.heal();
    w.runUntil("in sync", () => w.isInSync());
  });

  test("primary cut off from everybody: it fences, the other one takes over", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.cutWitness("a");
    w.runUntil("b leads", () => w.b.canAnswer(), 3500);
    expect(w.a.isFenced || !w.a.canAnswer()).toBe(true);
    w.runFor(40_000);
    expect(w.a.target).toBe("WAIT");
    w.heal();
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record?.primary).toBe("b");
  });

  test.each(["a>b", "b>a"] as const)("one-way cut %s: no second primary", (wire) => {
    const w = new World();
    w.startInSync();
    w.cut.add(wire);
    w.runFor(20_000);
    expect(w.leader()).not.toBe(null);
    w.heal();
    w.runUntil("in sync", () => w.isInSync());
  });

  test("witness away: nothing happens; then the secondary dies: the primary fences", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.runFor(120_000);
    expect(w.a.target).toBe("PRIM");
    w.b.crash();
    w.runUntil("fenced", () => w.a.isFenced, 2500);
    w.runFor(5000);
    expect(w.a.canAnswer()).toBe(false);
    w.heal();
    w.runUntil("thawed where it stood", () => w.a.canAnswer(), 3000);
    expect(w.a.disk?.epoch).toBe(1);
    expect(w.a.target).toBe("ALONE");
  });

  test("secondary dead, then witness away: goes on for its grant, then fences", () => {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.cutWitness();
    w.runFor(2000);
    expect(w.a.canAnswer()).toBe(true);
    w.runUntil("fenced", () => w.a.isFenced, 6000);
    w.b.boot(false);
    w.runUntil("the peer is enough", () => w.a.canAnswer(), 5000);
  });
});
