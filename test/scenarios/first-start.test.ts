import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/** Nobody ever led: which copy may begin. */

describe("first start", () => {
  test("a fresh, empty pair starts by itself and becomes PRIM and SECOND", () => {
    const w = new World();
    w.startInSync();
    w.runUntil("PRIM and SECOND", () => w.a.target === "PRIM" && w.b.target === "SECOND");
    expect(w.record).toMatchObject({ epoch: 1, primary: "a", inSync: ["a", "b"], grant: null });
  });

  test("one copy with data: both wait until a person names the good one", () => {
    const w = new World({ data: { b: "hasData" } });
    w.start();
    w.runFor(30_000);
    expect([w.a.target, w.b.target]).toEqual(["WAIT", "WAIT"]);
    expect(w.a.reason).toContain("name the good copy");
    for (const n of w.nodes) n.command({ kind: "start", dataFrom: "b" });
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record?.primary).toBe("b");
  });

  test("a node that never met its peer starts nothing", () => {
    const w = new World();
    w.cutPair();
    w.start();
    w.runFor(60_000);
    expect(w.record).toBe(null);
    expect(w.leader()).toBe(null);
  });
});

test("the control plane is away at the first start: both wait for it, and say so", () => {
  const w = new World();
  w.cutWitness();
  w.start();
  w.runFor(60_000);
  expect([w.leader(), w.a.target, w.b.target]).toEqual([null, "WAIT", "WAIT"]);
  expect(w.a.reason).toContain("waiting for the control plane to answer");
  w.heal();
  w.runUntil("in sync", () => w.isInSync());
});

test("one copy has data and a person starts nothing but the empty one: nobody leads", () => {
  const w = new World({ data: { b: "hasData" } });
  w.a.boot();
  w.b.boot();
  w.a.command({ kind: "start", dataFrom: null });
  w.runFor(60_000);
  expect([w.leader(), w.record]).toEqual([null, null]);
});
