import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/** Machines that stand still. */

describe("clocks and stalls", () => {
  test("after a stall of its own a primary answers nothing until another voter spoke", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.a.tell({ kind: "stallNoticed", lastedMs: 400 });
    expect(w.a.canAnswer()).toBe(false);
    w.runFor(100);
    expect(w.a.canAnswer()).toBe(false);
    w.heal();
    w.runUntil("confirmed", () => w.a.canAnswer(), 1000);
    expect(w.record?.epoch).toBe(1);
  });

  test("a secondary does not hold its own stall against the primary", () => {
    const w = new World();
    w.startInSync();
    w.b.freeze();
    w.runFor(1000);
    w.b.unfreeze();
    w.runFor(10_000);
    expect(w.record?.epoch).toBe(1);
  });

  test("a primary frozen for long comes back deposed, and nothing it wrote alone was answered", () => {
    const w = new World();
    w.startInSync();
    w.a.freeze();
    w.runUntil("b leads", () => w.b.canAnswer(), 4000);
    w.runFor(30_000);
    w.a.unfreeze();
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record?.primary).toBe("b");
  });
});

test("alone by a standing vote a stall needs no confirmation: nobody else can be promoted", () => {
  const w = new World();
  w.startInSync();
  w.cutWitness();
  w.b.data.isHung = true;
  w.runUntil("alone", () => w.a.data.acksAlone, 5000);
  w.b.crash();
  w.runFor(5000);
  w.a.tell({ kind: "stallNoticed", lastedMs: 1500 });
  w.runFor(1000);
  expect(w.a.canAnswer()).toBe(true);
});

test("a stall is never itself an expiry: the epoch goes on once another voter spoke", () => {
  const w = new World();
  w.startInSync();
  w.a.tell({ kind: "stallNoticed", lastedMs: 60_000 });
  w.runUntil("confirmed", () => w.a.canAnswer(), 1000);
  w.runFor(10_000);
  expect(w.record).toMatchObject({ epoch: 1, primary: "a", inSync: ["a", "b"] });
});

test("a jump of the wall clock is told as one, and answered like a stall", () => {
  const w = new World();
  w.startInSync();
  w.a.tell({ kind: "stallNoticed", lastedMs: 100, jumpedMs: 3_600_000 });
  const told = "the wall clock of this node jumped by 3600000 ms";
  expect(w.a.reports.some((text) => text.startsWith(told))).toBe(true);
  w.runUntil("confirmed", () => w.a.canAnswer(), 1000);
  expect(w.record).toMatchObject({ epoch: 1, primary: "a" });
});
