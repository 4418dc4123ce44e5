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
    w.b.tell({ kind: "replicationDetached", peer: "a", cause: "reset" });
    w.a.tell({ kind: "replicationDetached", peer: "b", cause: "reset" });
    w.runUntil(
      "b marked itself",
      () => w.b.disk?.outdated === true || w.b.disk?.isUnclean === true,
    );
    w.runUntil("in sync", () => w.isInSync());
  });
});

test("the last primary lost what it remembered: the other one takes over", () => {
  const w = new World();
  w.startInSync();
  w.runFor(1000);
  w.a.crash();
  w.a.disk = null;
  w.a.boot(false);
  w.a.command({ kind: "start", dataFrom: null });
  w.runUntil("b leads", () => w.b.canAnswer(), 30_000);
  w.runUntil("in sync", () => w.isInSync());
});

describe("an OS that died", () => {
  test.each(["a", "b"] as const)(
    "both lost power and only %s returns: it starts, as a last resort",
    (id) => {
      const w = new World();
      w.startInSync();
      w.runFor(2000);
      for (const node of w.nodes) node.crashOs();
      const bootMs = w.nowMs;
      w.node(id).boot();
      w.runUntil("it leads", () => w.node(id).canAnswer(), 30_000);
      expect(w.nowMs - bootMs).toBeGreaterThanOrEqual(w.timers.bootWaitMs);
      const [last] = w.votes.filter(({ request }) => request.kind === "promote").slice(-1);
      expect(last?.request).toMatchObject({ isLastResort: true });
      expect(last?.answer.reason).toContain("starts from what its disk kept");
    },
  );

  test("alone when it died: nobody else can have what it lost, so it resumes its epoch", () => {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.runFor(2000);
    w.a.crashOs();
    w.a.boot();
    w.runUntil("a leads", () => w.a.canAnswer(), 20_000);
    expect(w.record?.epoch).toBe(1);
  });

  test("a complete copy that is reachable goes first, however long its witness is away", () => {
    const w = new World();
    w.startInSync();
    w.runFor(1000);
    w.cutWitness("b");
    w.a.crashOs();
    w.runFor(500);
    w.a.boot();
    w.runFor(60_000);
    const resorts = w.votes.filter(
      ({ request, answer }) =>
        request.kind === "promote" && request.isLastResort && answer.kind === "granted",
    );
    expect(resorts).toEqual([]);
    w.runUntil("somebody leads", () => w.leader() !== null, 60_000);
    expect(w.leader()?.id).toBe("b");
  });

  test("failover off: a complete copy that is reachable is not overtaken by the one that died", () => {
    const w = new World({ config: { hasFailover: false } });
    w.startInSync();
    w.runFor(1000);
    w.a.crashOs();
    w.runFor(500);
    w.a.boot();
    w.runFor(60_000);
    expect(w.record?.primary === "a" && (w.record?.epoch ?? 0) > 1).toBe(false);
  });
});
