import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";
import { force } from "./force-words.ts";

/** A person makes a node primary that may lack writes. */

describe("force", () => {
  test("an outdated copy is forced, states so, and the old primary resyncs when it returns", () => {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.runFor(2000);
    w.a.crash();
    w.b.boot(false);
    w.runFor(15_000);
    expect(w.b.reason).toContain("force-primary");
    w.b.command(force(w.b.disk?.epoch ?? 0));
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
    expect(w.record).toMatchObject({ primary: "b", historyId: "forced-1" });
    w.a.boot(false);
    w.runUntil("in sync", () => w.isInSync(), 60_000);
    expect(w.a.disk).toMatchObject({ historyId: "forced-1", copyHistoryId: "forced-1" });
  });

  test("from a page that is out of date: refused", () => {
    const w = new World();
    w.startInSync();
    w.b.command(force(7));
    w.runFor(1000);
    expect(w.b.reports.join("\n")).toContain("look again");
    expect(w.record?.epoch).toBe(1);
  });

  test("while the other node leads: refused", () => {
    const w = new World();
    w.startInSync();
    w.b.command(force(1));
    w.runFor(5000);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a" });
  });
});
