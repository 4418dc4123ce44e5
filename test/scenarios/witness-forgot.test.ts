import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";
import { force } from "./force-words.ts";

/** The control plane comes back empty, or as it was some time ago. */

describe("the witness loses its memory", () => {
  test("wiped: both nodes report, the record is rebuilt, service never stopped", () => {
    const w = new World();
    w.startInSync();
    w.record = null;
    w.storeId = "store-2";
    w.runFor(60_000);
    expect(w.a.target).toBe("PRIM");
    expect(w.record).toMatchObject({ epoch: 1, primary: "a", inSync: ["a", "b"] });
    w.a.crash();
    w.runUntil("b leads", () => w.b.canAnswer(), 15_000);
  });

  test("wiped while the primary is dead: it promotes nobody until every node has reported", () => {
    const w = new World();
    w.startInSync();
    w.runFor(1000);
    w.a.crash();
    w.record = null;
    w.storeId = "store-2";
    w.runFor(60_000);
    expect(w.leader()).toBe(null);
    w.a.boot(false);
    w.runUntil("in sync", () => w.isInSync(), 60_000);
  });

  test("restored from a backup: the nodes' higher epoch wins", () => {
    const w = new World();
    w.startInSync();
    const backup = w.record;
    w.a.command({ kind: "switchover" });
    w.runUntil("in sync", () => w.record?.epoch === 2 && w.isInSync());
    w.record = backup;
    w.storeId = "store-2";
    w.runFor(60_000);
    expect(w.b.canAnswer()).toBe(true);
    expect(w.record).toMatchObject({ epoch: 2, primary: "b", inSync: ["a", "b"] });
  });
});

test("an answer that the old store gave is worth nothing once a new one is known", () => {
  const w = new World();
  w.startInSync();
  w.runFor(21_000);
  w.a.crash();
  w.voteDelayMs = 4000;
  w.runUntil("asked", () => w.b.disk?.asked === 2);
  w.record = null;
  w.storeId = "store-2";
  w.runFor(60_000);
  // a has not reported: whoever it may have given its word to is not known.
  expect(w.leader()).toBe(null);
  w.voteDelayMs = 5;
  w.a.boot(false);
  w.runUntil("in sync", () => w.isInSync(), 60_000);
});

test("a person forces while it still waits for a report: that ends the waiting", () => {
  const w = new World();
  w.startInSync();
  w.a.crash();
  w.record = null;
  w.storeId = "store-2";
  w.runFor(30_000);
  expect(w.record).toMatchObject({ isRecovering: true });
  w.b.command(force(w.b.disk?.epoch ?? 0));
  w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
  expect(w.record).toMatchObject({ isRecovering: false, historyId: "forced-1" });
});
