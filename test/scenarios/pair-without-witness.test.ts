import { describe, expect, test } from "vitest";
import { chooseTerms } from "#model/quorum/node/pair-vote.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";
import { World } from "#model/quorum/testing/world.ts";

/** The control plane is away: the two nodes together are a majority. */

describe("without the witness", () => {
  test("both agents restart: the epoch goes on by the peer's promise, and nobody votes", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    for (const node of w.nodes) node.crash();
    w.runFor(3000);
    for (const node of w.nodes) node.boot(false);
    w.runUntil("a leads", () => w.a.canAnswer(), 10_000);
    expect(w.a.disk).toMatchObject({ epoch: 1, primary: "a", pairVote: null });
    w.heal();
    w.runUntil("in sync", () => w.isInSync(), 30_000);
    expect(w.record?.epoch).toBe(1);
  });

  test("both machines lose power: the last primary goes first, and it counts as the death of both", () => {
    const w = new World();
    w.startInSync();
    w.runFor(2000);
    w.cutWitness();
    for (const node of w.nodes) node.crashOs();
    for (const node of w.nodes) node.boot();
    w.runUntil("somebody leads", () => w.leader() !== null, 40_000);
    expect(w.leader()?.id).toBe("a");
    expect(w.a.reports.join("\n")).toContain("the pair decided: a is primary");
  });

  test("the witness adopts what both signed before it judges anything else", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.runFor(10_000);
    w.a.command({ kind: "switchover" });
    w.runUntil("b leads", () => w.b.canAnswer(), 20_000);
    const decided = w.b.disk?.epoch ?? 0;
    const seen = w.votes.length;
    w.heal();
    w.runUntil("adopted", () => (w.record?.epoch ?? 0) >= decided, 30_000);
    const refused = w.votes.slice(seen).filter(({ answer }) => answer.kind === "refused");
    for (const { answer } of refused) expect(answer.reason).not.toContain("knows only epoch");
    expect(w.record?.primary).toBe("b");
  });

  test("a vote binds: who gave it acts under no lower epoch, though the pair fell apart over it", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.a.crashOs();
    w.runFor(2000);
    w.a.boot();
    w.runUntil("a vote was cast", () => w.nodes.some((n) => n.disk?.pairVote != null), 30_000);
    w.cutPair();
    const bound = Math.max(...w.nodes.map((n) => n.disk?.pairVote?.terms.epoch ?? 0));
    w.runFor(3000);
    w.heal();
    w.runUntil("in sync", () => w.isInSync(), 60_000);
    expect(w.record?.epoch).toBeGreaterThanOrEqual(bound);
  });

  test("equal epochs of two histories are never merged: a person must choose", () => {
    const w = new World();
    w.startInSync();
    const [one, two] = w.nodes.map((n) => n.state?.shown?.peerStates[n.config.peers[0]]);
    if (one === undefined || two === undefined) throw new Error("nothing is published");
    expect(chooseTerms(one, two)).toMatchObject({ ok: true, value: { inSync: ["a", "b"] } });
    const forked: PeerState = { ...two, historyId: "another" };
    expect(chooseTerms(one, forked)).toMatchObject({
      ok: false,
      error: expect.stringContaining("diverged"),
    });
  });
});
