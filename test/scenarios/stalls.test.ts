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
