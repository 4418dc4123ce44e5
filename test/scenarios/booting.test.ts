import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/** Agents and machines come back: who goes first, and from which copy. */

describe("both boot", () => {
  test.each([0, 40, 400, 3000])("power cut of both, %i ms apart: exactly one leads", (gapMs) => {
    const w = new World();
    w.startInSync();
    w.runFor(2000);
    w.a.crashOs();
    w.b.crashOs();
    w.b.boot();
    w.runFor(gapMs);
    w.a.boot();
    w.runUntil("in sync", () => w.isInSync(), 40_000);
    expect(w.record?.primary).toBe("a");
    expect(w.record?.epoch).toBeLessThanOrEqual(3);
  });

  test("last set {a}: b boots first and waits for the newer data", () => {
    const w = new World();
    w.startInSync();
    w.b.crashOs();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.runFor(3000);
    w.a.crashOs();
    w.b.boot();
    w.runFor(30_000);
    expect(w.leader()).toBe(null);
    w.a.boot();
    w.runUntil("a leads", () => w.a.canAnswer(), 12_000);
    w.runUntil("in sync", () => w.isInSync());
  });

  test("witness away, the primary power-cycled while the other one lived: the pair decides", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.runFor(1000);
    w.a.crashOs();
    w.runFor(2000);
    w.a.boot();
    w.runUntil("b leads", () => w.b.canAnswer(), 30_000);
    w.runUntil("a is back", () => w.a.disk?.outdated === false && w.a.target === "SECOND");
    w.heal();
    w.runUntil("in sync", () => w.isInSync(), 30_000);
    expect(w.record?.primary).toBe("b");
  });

  test("one of both died: it yields to the one that did not", () => {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.a.crashOs();
    w.b.boot(false);
    w.a.boot();
    w.runUntil("in sync", () => w.isInSync(), 40_000);
    expect(w.record?.primary).toBe("b");
  });

  test("an OS reset of the secondary shorter than detectAfter never leaves it promotable", () => {
    const w = new World();
    w.startInSync();
    w.b.crashOs();
    w.runFor(300);
    w.b.boot();
    w.b.tell({ kind: "replicationDetached", cause: "reset" });
    w.a.tell({ kind: "replicationDetached", cause: "reset" });
    w.runUntil(
      "b marked itself",
      () => w.b.disk?.outdated === true || w.b.disk?.isUnclean === true,
    );
    w.runUntil("in sync", () => w.isInSync());
  });
});
