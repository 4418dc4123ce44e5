import { describe, expect, test } from "vitest";
import { becomeCandidate } from "#model/quorum/node/promote.ts";
import { PEER_STATE_BYTES_MAX } from "#model/quorum/peer-state.ts";
import { World } from "#model/quorum/testing/world.ts";

/** Orders of events that once were, or nearly were, a hole. */

test("patience that ran out while waiting is not there anew for the candidate", () => {
  const w = new World();
  w.startInSync();
  const { state } = w.b;
  if (state === null) throw new Error("not started");
  const sinceMs = w.nowMs - 20_000;
  const waiting = { ...state, role: { kind: "waiting", sinceMs, retryAtMs: 0 } as const };
  const purpose = { kind: "promote", release: null, isLastResort: false } as const;
  expect(becomeCandidate(waiting, purpose, w.nowMs).role).toMatchObject({ sinceMs });
});

describe("narrow paths", () => {
  test("a standing vote that answers an older ask is not taken", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.b.data.isHung = true;
    w.runUntil("a asks", () => {
      const role = w.a.state?.role;
      return role?.kind === "leading" && role.secondaries["b"]?.ask != null;
    });
    const peer = w.a.state?.peers["b"]?.state;
    if (peer == null) throw new Error("never heard");
    const stale = { id: "of long ago", epoch: 1 };
    w.a.tell({ kind: "peerStateReceived", state: { ...peer, standingVoteGiven: stale } });
    expect(w.a.disk?.standingVotes).toEqual([]);
    expect(w.a.data.acksAlone).toBe(false);
  });

  test("the peer loses patience just when the old primary is helped again: one of them leads", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness("a");
    w.cut.add("b>a");
    w.runUntil("a gave up", () => w.a.state?.role.kind === "waiting");
    w.runUntil("b waits for it", () => w.b.state?.role.kind === "waiting", 5000);
    const role = w.b.state?.role;
    if (role?.kind !== "waiting") throw new Error("not waiting");
    const { bootWaitMs, heartbeatMs } = w.timers;
    w.runFor(role.sinceMs + bootWaitMs - heartbeatMs - 10 - w.nowMs);
    w.cut.delete("b>a");
    w.runFor(5000);
    expect(w.leader()).not.toBe(null);
  });

  test("the successor's OS dies with the release in hand: it was synced before, and lacks nothing", () => {
    const w = new World();
    w.startInSync();
    w.runFor(3000);
    w.a.command({ kind: "switchover" });
    w.runUntil("released", () => w.a.disk?.released != null);
    w.b.crashOs();
    w.b.boot();
    w.runUntil("somebody leads", () => w.leader() !== null, 20_000);
    w.runUntil("in sync", () => w.isInSync());
  });

  test("a machine put back to an older state is named in the set, and is not believed", () => {
    const w = new World();
    w.startInSync();
    const disk = w.a.disk;
    const files = [...w.a.data.applied];
    w.a.command({ kind: "switchover" });
    w.runUntil("in sync", () => w.record?.epoch === 2 && w.isInSync());
    w.runFor(2000);
    w.b.crash();
    w.a.crashOs();
    w.a.data.restore(files);
    w.a.disk = disk === null ? null : { ...disk, isStoppedCleanly: true };
    w.a.boot();
    w.runFor(30_000);
    expect(w.leader()).toBe(null);
    w.b.boot(false);
    w.runUntil("in sync", () => w.isInSync(), 30_000);
    expect(w.record?.primary).toBe("b");
  });
});

describe("found by random histories", () => {
  test("a decision of the pair is made once, however long the peer's disk hangs", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.a.crash();
    w.a.boot(false);
    w.runFor(1900);
    w.a.crashOs();
    w.a.boot();
    w.runFor(800);
    w.b.data.isHung = true;
    w.runFor(15_000);
    expect(w.a.disk?.epoch ?? 0).toBeLessThanOrEqual(4);
  });

  test("between flush and release nothing is answered, so that the release is the whole truth", () => {
    const w = new World();
    w.startInSync();
    w.a.command({ kind: "switchover" });
    w.runUntil("signing", () => {
      const role = w.a.state?.role;
      return role?.kind === "leading" && role.handover?.step === "flushing";
    });
    expect(w.a.canAnswer()).toBe(false);
    w.runUntil("in sync", () => w.record?.epoch === 2 && w.isInSync());
  });

  test("a vote for the pair that came to nothing is outgrown once the witness is back", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.replyLoss = 1;
    w.runFor(9000);
    w.heal();
    w.runUntil("in sync", () => w.isInSync(), 30_000);
  });

  test("the primary's OS dies while its peer is joining: the complete peer goes first", () => {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.b.boot(false);
    w.runUntil("joining", () => w.a.disk?.joining === "b" && w.b.disk?.outdated === false);
    w.cutWitness();
    w.runFor(3000);
    w.a.crashOs();
    w.heal();
    w.a.boot();
    w.runUntil("in sync", () => w.isInSync(), 40_000);
    expect(w.record?.primary).toBe("b");
  });
});

test("what a node publishes fits a heartbeat, also with a pair decision in it", () => {
  const w = new World();
  w.startInSync();
  for (const node of w.nodes) {
    const asked = { id: `op_${"0".repeat(24)}`, forMs: 7_200_000, nowUnixMs: node.unixMs };
    node.command({ kind: "maintenanceOn", ...asked, by: "person:".padEnd(80, "x"), reason: "" });
  }
  w.cutWitness();
  w.a.command({ kind: "switchover" });
  let longest = 0;
  w.runUntil("decided", () => {
    for (const n of w.nodes) {
      const published = n.state?.shown?.peerStates[n.config.peers[0]];
      longest = Math.max(longest, JSON.stringify(published ?? null).length);
    }
    return w.b.disk?.pairDecision != null;
  });
  expect(longest).toBeLessThanOrEqual(PEER_STATE_BYTES_MAX);
});
