import { describe, expect, test } from "vitest";
import { giveStandingVote } from "#model/quorum/node/wait.ts";
import { World } from "#model/quorum/testing/world.ts";

/** Answers of the witness that are late, lost or doubled. */

describe("lost and late answers", () => {
  test("an unanswered grow counts both ways: nothing is acknowledged alone until a later write", () => {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.b.boot(false);
    w.runUntil("joining", () => w.a.disk?.joining === "b");
    w.replyLoss = 1;
    w.runUntil("the grow is recorded", () => w.record?.inSync.length === 2);
    w.b.crash();
    w.runFor(3000);
    expect(w.a.data.acksAlone).toBe(false);
    w.replyLoss = 0;
    w.runUntil("a later write recorded it", () => w.a.data.acksAlone, 8000);
    expect(w.record?.inSync).toEqual(["a"]);
  });

  test("the grow commits, its reply is lost, the peer is promoted: no write is lost", () => {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.b.boot(false);
    w.runUntil("joining", () => w.a.disk?.joining === "b");
    w.replyLoss = 1;
    w.runUntil("the grow is recorded", () => w.record?.inSync.length === 2);
    w.replyLoss = 0;
    w.cutWitness("a");
    w.cutPair();
    w.runUntil("b leads", () => w.b.canAnswer(), 12_000);
    expect(w.a.canAnswer()).toBe(false);
    w.heal();
    w.runUntil("in sync", () => w.isInSync());
  });

  test("promote granted, reply lost, link healed: the secondary helps nobody until it knows", () => {
    const w = new World();
    w.startInSync();
    // The version that a secondary knows is refreshed now and then.
    w.runFor(25_000);
    w.cutPair();
    w.cutWitness("a");
    w.replyLoss = 1;
    w.runUntil("granted at the witness", () => w.record?.primary === "b");
    w.cutWitness("b");
    w.cut.delete("a>b");
    w.cut.delete("b>a");
    w.runFor(1000);
    expect(w.a.canAnswer()).toBe(false);
    w.replyLoss = 0;
    w.heal();
    w.runUntil("in sync", () => w.isInSync(), 40_000);
  });

  test("every request is delivered again 7 s later: nothing is granted twice", () => {
    const w = new World();
    w.echoMs = 7000;
    w.startInSync();
    w.a.crash();
    w.runUntil("b leads", () => w.b.canAnswer());
    w.a.boot(false);
    w.runFor(20_000);
    w.echoMs = null;
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record).toMatchObject({ epoch: 2, primary: "b" });
  });

  test("an agent that restarts with an open question withdraws it before it helps again", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.cutWitness("b");
    w.runUntil("asked", () => (w.b.disk?.asked ?? 0) > 1, 10_000);
    w.b.crash();
    w.b.boot(false);
    w.heal();
    w.runUntil("withdrawn", () => w.b.disk?.asked === 0, 10_000);
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record?.primary).toBe("a");
  });
});

test("no standing vote is given while an own question is open", () => {
  const w = new World();
  w.startInSync();
  const { state } = w.b;
  const peer = state?.peers["a"]?.state;
  if (state === null || peer == null) throw new Error("not started");
  const asking = { ...peer, standingVoteAsk: { id: "x", epoch: 1 } };
  const open = { ...state, disk: { ...state.disk, asked: 2 } };
  expect(giveStandingVote(open, asking)).toBe(open);
  expect(giveStandingVote(state, asking).disk.outdated).toBe(true);
});
