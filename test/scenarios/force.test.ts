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

describe("what a force leaves behind", () => {
  /** The copy of b is older, and a, which is off, has more. */
  function outdated(): World {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.runFor(2000);
    w.a.crash();
    w.b.boot(false);
    w.runFor(10_000);
    return w;
  }

  test("the loser's files are set aside at its resync, never merged", () => {
    const w = outdated();
    w.b.command(force(w.b.disk?.epoch ?? 0));
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
    w.a.boot(false);
    w.runUntil("resync", () => w.b.ran("resyncPeer") > 0, 30_000);
    const role = w.b.state?.role;
    expect(role?.kind === "leading" && role.secondaries["a"]?.resync?.setAside).toBe(true);
    w.runUntil("in sync", () => w.isInSync(), 60_000);
  });

  test("is logged with who, why and what the node knows of the loss", () => {
    const w = outdated();
    w.b.command(force(w.b.disk?.epoch ?? 0));
    const said = w.b.reports.join("\n");
    expect(said).toContain("ann forces this node to be primary: the other is lost. ");
    expect(said).toContain("b may lack acknowledged writes; since when, it has not noted.");
  });

  test("begins above every epoch that was ever heard of", () => {
    const w = outdated();
    const heard = Math.max(w.record?.epoch ?? 0, ...w.nodes.map((n) => n.disk?.asked ?? 0));
    w.b.command(force(w.b.disk?.epoch ?? 0));
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
    expect(w.record?.epoch).toBeGreaterThan(heard);
  });

  test("is refused by the witness while the other node holds its grant", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.runUntil("alone by its grant", () => w.a.data.acksAlone, 5000);
    w.runUntil("b waits", () => w.b.state?.role.kind === "waiting", 5000);
    w.b.command(force(1));
    w.runFor(20_000);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a" });
    expect(w.b.reports.join("\n")).toContain("a still holds a grant");
  });
});

describe("a force without the witness", () => {
  test("needs that further word of the person, and the witness records it later", () => {
    const w = new World();
    w.startInSync();
    w.a.crash();
    w.cutWitness();
    w.runFor(10_000);
    w.b.command(force(1));
    w.runFor(20_000);
    expect(w.b.canAnswer()).toBe(false);
    const v = new World();
    v.startInSync();
    v.a.crash();
    v.cutWitness();
    v.runFor(10_000);
    v.b.command(force(1, true));
    v.runUntil("b leads", () => v.b.canAnswer(), 20_000);
    expect(v.b.disk).toMatchObject({ forced: { by: "ann" }, standingVotes: [{ from: "person" }] });
    v.heal();
    v.runUntil("recorded", () => v.record?.historyId === "forced-1", 30_000);
    v.runUntil("it is no secret any more", () => v.b.disk?.forced === null, 100);
  });

  test("the witness knows another primary by then: the forced one is deposed", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.cutWitness("b");
    w.runUntil("alone", () => w.a.data.acksAlone, 5000);
    w.a.command({ kind: "stop" });
    w.runUntil("stopped", () => w.a.target === "STOP", 20_000);
    w.runFor(5000);
    w.b.command(force(1, true));
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
    w.b.crash();
    // A person forces the other one meanwhile, through the witness: the same epoch, another history.
    w.a.command({ ...force(w.a.disk?.epoch ?? 0), historyId: "other" });
    w.runUntil("a leads", () => w.a.canAnswer(), 30_000);
    w.heal();
    w.b.boot(false);
    w.runUntil("in sync", () => w.isInSync(), 90_000);
    expect(w.record).toMatchObject({ primary: "a", historyId: "other" });
    expect(w.b.disk?.copyHistoryId).toBe("other");
  });
});
