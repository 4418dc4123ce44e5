import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/** A person, or a preference, moves or stops the primary. */

describe("switchover and stop", () => {
  test("a switchover waits for no lease and keeps every write", () => {
    const w = new World();
    w.startInSync();
    w.a.command({ kind: "switchover" });
    const ms = w.runUntil("b leads", () => w.b.canAnswer());
    expect(ms).toBeLessThan(1500);
    w.runUntil("roles swapped", () => w.a.target === "SECOND" && w.b.target === "PRIM");
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record).toMatchObject({ epoch: 2, primary: "b" });
  });

  test("witness away: the pair does it where the nodes move the address", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.runFor(30_000);
    w.a.command({ kind: "switchover" });
    w.runUntil("b leads", () => w.b.canAnswer(), 15_000);
    expect(w.b.disk).toMatchObject({ epoch: 3, primary: "b" });
    expect(w.record?.epoch).toBe(1);
    w.heal();
    w.runUntil("the witness adopted it", () => w.record?.epoch === 3, 30_000);
    w.runUntil("in sync", () => w.isInSync());
  });

  test("witness away: refused with the reason where the cloud moves the address", () => {
    const w = new World({ config: { addressMovedBy: "cloud" } });
    w.startInSync();
    w.cutWitness();
    w.a.command({ kind: "switchover" });
    w.runFor(10_000);
    expect(w.a.reports.join("\n")).toContain("switchover refused");
    expect(w.a.target).toBe("PRIM");
    expect(w.a.canAnswer()).toBe(true);
  });

  test("stopping the primary hands over first", () => {
    const w = new World();
    w.startInSync();
    w.a.command({ kind: "stop" });
    w.runUntil("b leads", () => w.b.canAnswer(), 3000);
    w.runUntil("a stopped", () => w.a.disk?.isStoppedCleanly === true, 10_000);
    w.runUntil("b alone", () => w.b.data.acksAlone);
    w.a.command({ kind: "start", dataFrom: null });
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record?.primary).toBe("b");
  });

  test("the successor dies with the release in hand: the old primary asks for itself", () => {
    const w = new World();
    w.startInSync();
    w.a.command({ kind: "switchover" });
    w.runUntil("released", () => w.a.disk?.released != null);
    w.b.crashOs();
    w.runUntil("a leads a new epoch", () => w.a.canAnswer(), 15_000);
    expect(w.a.disk?.epoch).toBeGreaterThan(1);
  });

  test("refused while the successor alone does not reach the control plane", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness("b");
    w.runFor(30_000);
    w.a.command({ kind: "switchover" });
    w.runFor(5000);
    expect(w.a.canAnswer()).toBe(true);
    expect(w.a.reports.join("\n")).toContain("switchover refused: b is not in sync and ready");
  });

  test("the successor loses the control plane with the release in hand: the old primary asks", () => {
    const w = new World();
    w.startInSync();
    w.runFor(1000);
    w.cutWitness("b");
    w.a.command({ kind: "switchover" });
    w.runUntil("released", () => w.a.disk?.released != null);
    const ms = w.runUntil("a leads", () => w.a.canAnswer(), 30_000);
    expect(ms).toBeLessThanOrEqual(w.timers.releaseWaitMs + 1000);
    w.heal();
    w.runUntil("in sync", () => w.isInSync());
  });

  test("both stopped, both started: the last primary goes first, nobody is outdated for ever", () => {
    const w = new World();
    w.startInSync();
    for (const n of w.nodes) n.command({ kind: "stop" });
    w.runUntil("stopped", () => w.nodes.every((n) => n.state?.role.kind === "stopped"), 20_000);
    for (const n of w.nodes) n.crashOs();
    for (const n of w.nodes) n.boot(true, "start");
    w.runUntil("in sync", () => w.isInSync(), 30_000);
  });

  test("the preferred node gets its role back once it is in sync", () => {
    const w = new World({ config: { defaultPrimary: { kind: "node", nodeId: "a" } } });
    w.startInSync();
    w.a.crashOs();
    w.runUntil("b leads", () => w.b.canAnswer());
    w.a.boot();
    w.runUntil("a leads again", () => w.a.canAnswer(), 60_000);
    w.runUntil("in sync", () => w.isInSync());
  });
});
