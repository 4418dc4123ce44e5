import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/**
 * Three data nodes: each has a vote, the witness has none and keeps the record. Whoever leads needs
 * one other node's promise; whoever wants to lead needs one other node's vote and the record.
 */
function three(): World {
  const w = new World({ nodeCount: 3 });
  w.startInSync();
  return w;
}

const acknowledges = (w: World): void => {
  const before = w.judge.acknowledgedCount;
  w.runUntil("writes are acknowledged", () => w.judge.acknowledgedCount > before + 5, 30_000);
};

describe("one of three nodes is lost", () => {
  test("a secondary: the primary goes on with the other one, once the record says so", () => {
    const w = three();
    w.b.crashOs();
    w.runUntil("recorded", () => w.record?.inSync.join() === "a,c", 10_000);
    acknowledges(w);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a", grant: null });
    w.b.boot();
    w.runUntil("in sync", () => w.isInSync(), 40_000);
  });

  test("the primary: one of the others is promoted with the vote of the third", () => {
    const w = three();
    w.a.crashOs();
    w.runUntil("b leads", () => w.b.canAnswer(), 15_000);
    const promotion = w.votes.find((v) => v.request.kind === "promote");
    expect(promotion?.request).toMatchObject({ ballots: [{ nodeId: "c" }], toEpoch: 2 });
    expect(w.record).toMatchObject({ epoch: 2, primary: "b" });
    acknowledges(w);
    w.a.boot();
    w.runUntil("in sync", () => w.isInSync(), 60_000);
    expect(w.record?.primary).toBe("b");
  });
});

describe("two of three nodes are lost", () => {
  test("both secondaries: the primary fences, and goes on where it stood when one is back", () => {
    const w = three();
    w.b.crashOs();
    w.c.crashOs();
    w.runUntil("fenced", () => w.a.isFenced, 10_000);
    // The witness is there, and has no vote: the record may shrink, the primary may not act.
    w.runFor(10_000);
    expect(w.a.canAnswer()).toBe(false);
    const started = w.a.ran("setTarget");
    w.b.boot();
    w.runUntil("thawed", () => w.a.canAnswer(), 20_000);
    expect([w.record?.epoch, w.a.ran("killApplication")]).toEqual([1, 0]);
    expect(started).toBeGreaterThan(0);
    w.c.boot();
    w.runUntil("in sync", () => w.isInSync(), 60_000);
  });

  test("the primary and a secondary: the last one does not even ask", () => {
    const w = three();
    w.a.crashOs();
    w.b.crashOs();
    w.runFor(60_000);
    expect(w.leader()).toBe(null);
    expect(w.c.disk).toMatchObject({ epoch: 1, asked: 0 });
    expect(w.c.reason).toContain("no other node is reached that could vote for this one");
    w.a.boot();
    w.runUntil("served", () => w.leader() !== null, 60_000);
    w.b.boot();
    w.runUntil("in sync", () => w.isInSync(), 60_000);
  });

  test("in order, one after the other: the last one needs nobody, and no control plane either", () => {
    const w = three();
    for (const node of [w.b, w.c]) {
      node.command({ kind: "stop" });
      w.runUntil("stopped", () => node.target === "STOP", 20_000);
    }
    w.runFor(2000);
    w.b.crashOs();
    w.c.crashOs();
    w.cutWitness();
    w.runFor(20_000);
    expect(w.a.canAnswer()).toBe(true);
    expect(w.a.disk?.standingVotes.map((v) => v.from)).toEqual(["b", "c"]);
    acknowledges(w);
  });

  test("for good: a person forces the last one, which then needs no vote until another is back", () => {
    const w = three();
    w.a.crashOs();
    w.b.crashOs();
    w.runFor(5000);
    w.c.command({
      ...{ kind: "forcePrimary", seenEpoch: 1, historyId: "forced-1", by: "ann" },
      ...{ reason: "the others are lost", withoutWitness: false },
    });
    w.runUntil("c leads", () => w.c.canAnswer(), 20_000);
    expect(w.record).toMatchObject({ primary: "c", inSync: ["c"], historyId: "forced-1" });
    w.runFor(20_000);
    expect(w.c.canAnswer()).toBe(true);
    w.a.boot();
    w.b.boot();
    w.runUntil("in sync", () => w.isInSync(), 90_000);
    expect(w.record).toMatchObject({ primary: "c", historyId: "forced-1" });
    expect(w.c.disk?.standingVotes).toEqual([]);
  });
});

describe("three nodes and the witness away", () => {
  test("in the steady state nobody misses it", () => {
    const w = three();
    w.cutWitness();
    w.runFor(60_000);
    expect(w.a.isFenced).toBe(false);
    acknowledges(w);
  });

  test("a secondary that leaves in order is let go by its standing vote", () => {
    const w = three();
    w.cutWitness();
    w.b.command({ kind: "stop" });
    w.runUntil("stopped", () => w.b.target === "STOP", 20_000);
    expect(w.a.disk?.inSync).toEqual(["a", "c"]);
    acknowledges(w);
    w.heal();
    w.runUntil("recorded", () => w.record?.inSync.join() === "a,c", 10_000);
  });

  test("a secondary dies: reads go on, writes wait for the witness or for that node", () => {
    const w = three();
    w.cutWitness();
    w.b.crashOs();
    w.runFor(10_000);
    const before = w.judge.acknowledgedCount;
    w.runFor(20_000);
    expect([w.a.canAnswer(), w.judge.acknowledgedCount]).toEqual([true, before]);
    w.heal();
    acknowledges(w);
  });

  test("the primary dies: the others wait, as it may have gone on without one of them", () => {
    const w = three();
    w.cutWitness();
    w.a.crashOs();
    w.runFor(60_000);
    expect(w.leader()).toBe(null);
    w.heal();
    w.runUntil("served", () => w.leader() !== null, 30_000);
    expect(w.leader()).not.toBe(w.a);
  });

  test("all agents restart: the last primary goes on by another node's promise", () => {
    const w = three();
    w.cutWitness();
    for (const node of w.nodes) node.crash();
    w.runFor(500);
    for (const node of w.nodes) node.boot(false);
    w.runUntil("a leads on", () => w.a.canAnswer(), 20_000);
    expect(w.a.disk?.epoch).toBe(1);
  });
});

describe("a partition of three nodes", () => {
  test("the primary alone on its side: it fences, and the other two promote one of them", () => {
    const w = three();
    w.cutBetween("a", "b");
    w.cutBetween("a", "c");
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
    expect(w.a.isFenced).toBe(true);
    acknowledges(w);
    w.heal();
    w.runUntil("in sync", () => w.isInSync(), 60_000);
    expect(w.record).toMatchObject({ epoch: 2, primary: "b" });
  });

  test("a secondary alone on its side: it leaves the set, and never asks", () => {
    const w = three();
    w.cutBetween("a", "c");
    w.cutBetween("b", "c");
    w.runUntil("recorded", () => w.record?.inSync.join() === "a,b", 10_000);
    acknowledges(w);
    w.runFor(30_000);
    expect(w.c.disk?.asked).toBe(0);
    w.heal();
    w.runUntil("in sync", () => w.isInSync(), 60_000);
    expect(w.record?.epoch).toBe(1);
  });

  test("one standing vote is no lasting promise: its node votes for the third one", () => {
    const w = three();
    w.b.command({ kind: "stop" });
    w.runUntil("stopped", () => w.b.target === "STOP", 20_000);
    expect(w.a.disk?.standingVotes).toMatchObject([{ from: "b" }]);
    w.cutBetween("a", "b");
    w.cutBetween("a", "c");
    w.runUntil("c leads", () => w.c.canAnswer(), 20_000);
    expect(w.a.canAnswer()).toBe(false);
    const promotion = w.votes.find((v) => v.request.kind === "promote");
    expect(promotion?.request).toMatchObject({ nodeId: "c", ballots: [{ nodeId: "b" }] });
  });

  test("only the primary and one secondary do not hear each other: the primary stays", () => {
    const w = three();
    w.cutBetween("a", "b");
    w.runUntil("recorded", () => w.record?.inSync.join() === "a,c", 10_000);
    acknowledges(w);
    w.runFor(30_000);
    expect([w.record?.epoch, w.b.disk?.asked]).toEqual([1, 0]);
    expect(w.c.disk?.pairVote).toBe(null);
  });

  test("the same, and that secondary does not hear of the new set: it does not even ask", () => {
    const w = three();
    w.cutWitness("b");
    w.cutBetween("a", "b");
    w.runFor(40_000);
    // The third one still follows a, so it would vote for nobody.
    expect(w.b.disk).toMatchObject({ asked: 0, outdated: false });
    expect(w.b.reason).toContain("c follows a");
    acknowledges(w);
    w.heal();
    w.runUntil("in sync", () => w.isInSync(), 60_000);
  });
});

describe("the role among three nodes", () => {
  test("a node that lost its page cache passes no complete one that it hears, however long", () => {
    const w = three();
    w.cutWitness("b");
    w.a.crashOs();
    w.c.crashOs();
    w.c.boot();
    w.runFor(60_000);
    expect(w.leader()).toBe(null);
    expect(w.c.disk).toMatchObject({ isUnclean: true, asked: 0 });
    expect(w.c.reason).toContain("b goes first");
    w.heal();
    w.runUntil("b leads", () => w.b.canAnswer(), 30_000);
    w.a.boot();
    w.runUntil("in sync", () => w.isInSync(), 60_000);
  });

  test("two that both ask give way to one of them, and do not turn round each other", () => {
    const w = three();
    w.a.crashOs();
    w.cutBetween("b", "c");
    w.runFor(25_000);
    for (const node of [w.b, w.c]) expect(node.disk?.asked).toBe(0);
    w.heal();
    w.runUntil("served", () => w.leader() !== null, 30_000);
    const epoch = w.record?.epoch ?? 0;
    expect(epoch).toBeLessThanOrEqual(4);
    w.a.boot();
    w.runUntil("in sync", () => w.isInSync(), 60_000);
  });

  test("a switchover needs no third vote: the release is the old primary's own", () => {
    const w = three();
    w.a.command({ kind: "switchover" });
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
    expect(w.votes.find((v) => v.request.kind === "promote")?.request).toMatchObject({
      ballots: [],
      release: { from: "a", to: "b" },
    });
    w.runUntil("in sync", () => w.isInSync(), 60_000);
  });

  test("a node comes back while another one leads: it follows, and joins one at a time", () => {
    const w = three();
    w.a.crashOs();
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
    w.c.crashOs();
    w.a.boot();
    w.c.boot();
    w.runUntil(
      "in sync",
      () => {
        const { joining = null, inSync = [] } = w.b.disk ?? {};
        if (joining !== null) expect(inSync).not.toContain(joining);
        return w.isInSync();
      },
      90_000,
    );
    expect(w.record?.primary).toBe("b");
  });

  test("a vote binds for ever: one that came to nothing is outgrown by a higher epoch", () => {
    const w = three();
    w.a.crash();
    w.runUntil("c voted for b", () => w.c.disk?.pairVote != null, 15_000);
    w.b.crashOs();
    w.cutWitness("b");
    w.a.boot(false);
    w.runUntil("served", () => w.leader() !== null, 60_000);
    expect(w.leader()?.disk?.epoch).toBeGreaterThanOrEqual(2);
    w.heal();
    w.b.boot();
    w.runUntil("in sync", () => w.isInSync(), 90_000);
  });

  test("a node that restarts after it voted helps the old primary no more", () => {
    const w = three();
    w.cutBetween("a", "b");
    w.cutBetween("a", "c");
    w.runUntil("c voted for b", () => w.c.disk?.pairVote != null, 15_000);
    w.c.crash();
    w.cutWitness();
    w.heal();
    w.cutWitness();
    w.c.boot(false);
    w.runFor(3000);
    expect(w.c.state?.shown?.promise).toBe(null);
  });
});
