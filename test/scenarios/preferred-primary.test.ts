import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";
import type { NodeConfig } from "#model/quorum/types.ts";

/** `defaultprim`: who leads once both are in sync. */

const preferring = (defaultPrimary: NodeConfig["defaultPrimary"]) =>
  new World({ config: { defaultPrimary } });

/** The machine that leads dies, the other one takes over, and the dead one comes back. */
function failOverAndBack(w: World): void {
  const primary = w.leader();
  if (primary === null) throw new Error("nobody leads");
  primary.crashOs();
  w.runUntil("the other leads", () => w.leader() !== null);
  primary.boot();
  w.runUntil("in sync", () => w.isInSync());
}

describe("alone", () => {
  test("who leads goes on leading when the other one is back", () => {
    const w = preferring({ kind: "alone" });
    w.startInSync();
    failOverAndBack(w);
    w.runFor(60_000);
    expect(w.record?.primary).toBe("b");
  });
});

describe("a node's name", () => {
  test("it gets its role back after its resync, in order and without a lost write", () => {
    const w = preferring({ kind: "node", nodeId: "a" });
    w.startInSync();
    failOverAndBack(w);
    w.runUntil("a leads", () => w.a.canAnswer(), 60_000);
    expect(w.b.ran("killApplication")).toBe(0);
    expect(w.b.reports.join("\n")).toContain("a is the preferred primary: handing over");
    w.runUntil("in sync", () => w.isInSync());
  });

  test("it leads first of two fresh copies", () => {
    const w = preferring({ kind: "node", nodeId: "b" });
    w.startInSync();
    expect(w.record).toMatchObject({ epoch: 1, primary: "b" });
  });

  test("a person moves the role away: it stays where they put it", () => {
    const w = preferring({ kind: "node", nodeId: "a" });
    w.startInSync();
    w.a.command({ kind: "switchover" });
    w.runUntil("in sync", () => w.record?.epoch === 2 && w.isInSync());
    w.runFor(120_000);
    expect(w.record).toMatchObject({ epoch: 2, primary: "b" });
  });

  test("until the preferred node was away once more: then it gets its role back", () => {
    const w = preferring({ kind: "node", nodeId: "a" });
    w.startInSync();
    w.a.command({ kind: "switchover" });
    w.runUntil("in sync", () => w.record?.epoch === 2 && w.isInSync());
    w.a.crashOs();
    w.runUntil("alone", () => w.b.data.acksAlone);
    w.runFor(5000);
    w.a.boot();
    w.runUntil("a leads", () => w.a.canAnswer(), 120_000);
  });

  test("the handover back fails: it is tried once for each return, not for ever", () => {
    const w = preferring({ kind: "node", nodeId: "a" });
    w.startInSync();
    w.a.crashOs();
    w.runUntil("b leads", () => w.b.canAnswer());
    w.a.boot();
    w.runUntil("handing over", () => {
      const role = w.b.state?.role;
      return role?.kind === "leading" && role.handover !== null;
    });
    w.b.tell({ kind: "flushFailed", peer: "a", cause: "the disk is slow" });
    w.runFor(60_000);
    expect(w.leader()).not.toBe(null);
  });
});

describe("lastprim", () => {
  test("who led before gets its role back after its resync", () => {
    const w = preferring({ kind: "lastPrimary" });
    w.startInSync();
    failOverAndBack(w);
    w.runUntil("a leads", () => w.a.canAnswer(), 60_000);
    w.runUntil("in sync", () => w.isInSync());
    // And that is the end of it: the role does not wander to and fro.
    w.runFor(120_000);
    expect(w.record?.primary).toBe("a");
    // The other one never lost a role, so none is given back to it when it was away.
    w.b.crashOs();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.runFor(5000);
    w.b.boot();
    w.runUntil("in sync", () => w.isInSync());
    w.runFor(60_000);
    expect(w.record?.primary).toBe("a");
  });

  test("a person moves the role: it does not come back by itself", () => {
    const w = preferring({ kind: "lastPrimary" });
    w.startInSync();
    w.a.command({ kind: "switchover" });
    w.runUntil("in sync", () => w.record?.epoch === 2 && w.isInSync());
    w.runFor(120_000);
    expect(w.record).toMatchObject({ epoch: 2, primary: "b" });
  });
});
