import { describe, expect, test } from "vitest";
import { giveStandingVote } from "./node/wait.ts";
import { PEER_STATE_BYTES_MAX } from "./peer-state.ts";
import { World } from "./testing/world.ts";

/** Each test tells a story on the little world; the judge looks on after every step. */

const force = (seenEpoch: number, withoutWitness = false) =>
  ({
    kind: "forcePrimary",
    seenEpoch,
    historyId: "forced-1",
    by: "ann",
    reason: "the other is lost",
    withoutWitness,
  }) as const;

describe("first start", () => {
  test("a fresh, empty pair starts by itself and becomes PRIM and SECOND", () => {
    const w = new World();
    w.startInSync();
    w.runUntil("PRIM and SECOND", () => w.a.target === "PRIM" && w.b.target === "SECOND");
    expect(w.record).toMatchObject({ epoch: 1, primary: "a", inSync: ["a", "b"], grant: null });
  });

  test("one copy with data: both wait until a person names the good one", () => {
    const w = new World({ data: { b: "hasData" } });
    w.start();
    w.runFor(30_000);
    expect([w.a.target, w.b.target]).toEqual(["WAIT", "WAIT"]);
    expect(w.a.reason).toContain("name the good copy");
    for (const n of w.nodes) n.command({ kind: "start", dataFrom: "b" });
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record?.primary).toBe("b");
  });

  test("a node that never met its peer starts nothing", () => {
    const w = new World();
    w.cutPair();
    w.start();
    w.runFor(60_000);
    expect(w.record).toBe(null);
    expect(w.leader()).toBe(null);
  });
});

describe("loss of the primary", () => {
  test("the secondary takes over within the lease and a moment, and lacks nothing", () => {
    const w = new World();
    w.startInSync();
    w.runFor(3000);
    w.a.crashOs();
    const ms = w.runUntil("b leads", () => w.b.canAnswer());
    expect(ms).toBeLessThanOrEqual(2600);
    expect(w.record).toMatchObject({ epoch: 2, primary: "b", inSync: ["b"] });
    w.a.boot();
    w.runUntil("in sync again", () => w.isInSync());
    expect([w.a.target, w.b.target]).toEqual(["SECOND", "PRIM"]);
  });

  test("killing only the agent and a quick return changes no role", () => {
    const w = new World();
    w.startInSync();
    w.a.crash();
    w.runFor(600);
    w.a.boot(false);
    w.runUntil("a leads again", () => w.a.canAnswer());
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record).toMatchObject({ epoch: 1, primary: "a" });
  });

  test("failover off: the secondary waits, and the old primary resumes", () => {
    const w = new World({ config: { hasFailover: false } });
    w.startInSync();
    w.a.crash();
    w.runFor(30_000);
    expect(w.leader()).toBe(null);
    expect(w.b.reason).toContain("failover is off");
    w.a.boot(false);
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record?.primary).toBe("a");
  });
});

describe("loss of the secondary", () => {
  test("the primary goes on alone once the witness has recorded it, within 5 s", () => {
    const w = new World();
    w.startInSync();
    const before = w.judge.acknowledgedCount;
    w.b.crashOs();
    w.runUntil("alone", () => w.a.data.acksAlone, 5000);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a", inSync: ["a"] });
    w.runUntil("writes go on", () => w.judge.acknowledgedCount > before + 20);
    w.b.boot();
    w.runUntil("in sync", () => w.isInSync());
  });

  test("heartbeats pass and the data path hangs: a standing vote, no witness needed", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.b.data.isHung = true;
    w.runUntil("alone", () => w.a.data.acksAlone, 5000);
    expect(w.a.disk?.standingVote).toEqual({ from: "b", epoch: 1 });
    expect(w.b.disk?.outdated).toBe(true);
    w.b.data.isHung = false;
    w.runUntil("b requires to be acknowledged by", () => w.b.disk?.outdated === false);
    expect(w.a.disk).toMatchObject({ joining: "b", standingVote: null });
  });

  test("an orderly stop of the secondary leaves a primary that needs nobody", () => {
    const w = new World();
    w.startInSync();
    w.b.command({ kind: "stop" });
    w.runUntil("stopped", () => w.b.target === "STOP" && w.b.disk?.isStoppedCleanly === true);
    w.b.crash();
    w.cutWitness();
    w.runFor(60_000);
    expect(w.a.canAnswer()).toBe(true);
    expect(w.a.data.acksAlone).toBe(true);
    w.a.crash();
    w.runFor(1000);
    w.a.boot(false);
    w.runUntil("goes on after a restart too", () => w.a.canAnswer(), 12_000);
  });

  test("a blip shorter than detectAfter is nobody's business", () => {
    const w = new World();
    w.startInSync();
    const version = w.record?.version;
    w.cutPair();
    w.runFor(900);
    w.heal();
    w.runFor(5000);
    expect(w.record).toMatchObject({ version, inSync: ["a", "b"] });
  });
});

describe("partitions", () => {
  test("cut between the nodes: the running primary stays, the other one waits", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.runUntil("alone", () => w.a.data.acksAlone, 5000);
    w.runFor(30_000);
    expect(w.record).toMatchObject({ epoch: 1, primary: "a", inSync: ["a"] });
    expect(w.b.target).toBe("WAIT");
    expect(w.b.reason).toContain("force-primary");
    w.heal();
    w.runUntil("in sync", () => w.isInSync());
  });

  test("primary cut off from everybody: it fences, the other one takes over", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.cutWitness("a");
    w.runUntil("b leads", () => w.b.canAnswer(), 3500);
    expect(w.a.isFenced || !w.a.canAnswer()).toBe(true);
    w.runFor(40_000);
    expect(w.a.target).toBe("WAIT");
    w.heal();
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record?.primary).toBe("b");
  });

  test.each(["a>b", "b>a"] as const)("one-way cut %s: no second primary", (wire) => {
    const w = new World();
    w.startInSync();
    w.cut.add(wire);
    w.runFor(20_000);
    expect(w.leader()).not.toBe(null);
    w.heal();
    w.runUntil("in sync", () => w.isInSync());
  });

  test("witness away: nothing happens; then the secondary dies: the primary fences", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.runFor(120_000);
    expect(w.a.target).toBe("PRIM");
    w.b.crash();
    w.runUntil("fenced", () => w.a.isFenced, 2500);
    w.runFor(5000);
    expect(w.a.canAnswer()).toBe(false);
    w.heal();
    w.runUntil("thawed where it stood", () => w.a.canAnswer(), 3000);
    expect(w.a.disk?.epoch).toBe(1);
    expect(w.a.target).toBe("ALONE");
  });

  test("secondary dead, then witness away: goes on for its grant, then fences", () => {
    const w = new World();
    w.startInSync();
    w.b.crash();
    w.runUntil("alone", () => w.a.data.acksAlone);
    w.cutWitness();
    w.runFor(2000);
    expect(w.a.canAnswer()).toBe(true);
    w.runUntil("fenced", () => w.a.isFenced, 6000);
    w.b.boot(false);
    w.runUntil("the peer is enough", () => w.a.canAnswer(), 5000);
  });
});

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
    w.b.tell({ kind: "replicationDetached", cause: "reset" });
    w.a.tell({ kind: "replicationDetached", cause: "reset" });
    w.runUntil(
      "b marked itself",
      () => w.b.disk?.outdated === true || w.b.disk?.isUnclean === true,
    );
    w.runUntil("in sync", () => w.isInSync());
  });
});

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
  const peer = state?.peer;
  if (state === null || peer == null) throw new Error("not started");
  const asking = { ...peer, standingVoteAsk: { id: "x", epoch: 1 } };
  const open = { ...state, disk: { ...state.disk, asked: 2 } };
  expect(giveStandingVote(open, asking)).toBe(open);
  expect(giveStandingVote(state, asking).disk.outdated).toBe(true);
});

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

describe("clocks and stalls", () => {
  test("after a stall of its own a primary answers nothing until another voter spoke", () => {
    const w = new World();
    w.startInSync();
    w.cutPair();
    w.a.tell({ kind: "stallNoticed", lastedMs: 400 });
    expect(w.a.canAnswer()).toBe(false);
    w.runFor(100);
    expect(w.a.canAnswer()).toBe(false);
    w.heal();
    w.runUntil("confirmed", () => w.a.canAnswer(), 1000);
    expect(w.record?.epoch).toBe(1);
  });

  test("a secondary does not hold its own stall against the primary", () => {
    const w = new World();
    w.startInSync();
    w.b.freeze();
    w.runFor(1000);
    w.b.unfreeze();
    w.runFor(10_000);
    expect(w.record?.epoch).toBe(1);
  });

  test("a primary frozen for long comes back deposed, and nothing it wrote alone was answered", () => {
    const w = new World();
    w.startInSync();
    w.a.freeze();
    w.runUntil("b leads", () => w.b.canAnswer(), 4000);
    w.runFor(30_000);
    w.a.unfreeze();
    w.runUntil("in sync", () => w.isInSync());
    expect(w.record?.primary).toBe("b");
  });
});

test("what a node publishes fits a heartbeat, also with a pair decision in it", () => {
  const w = new World();
  w.startInSync();
  w.cutWitness();
  w.a.command({ kind: "switchover" });
  let longest = 0;
  w.runUntil("decided", () => {
    for (const n of w.nodes) {
      const published = n.state?.shown?.peerState;
      longest = Math.max(longest, JSON.stringify(published ?? null).length);
    }
    return w.b.disk?.pairDecision != null;
  });
  expect(longest).toBeLessThanOrEqual(PEER_STATE_BYTES_MAX);
});

describe("narrow paths", () => {
  test("a standing vote that answers an older ask is not taken", () => {
    const w = new World();
    w.startInSync();
    w.cutWitness();
    w.b.data.isHung = true;
    w.runUntil("a asks", () => w.a.state?.role.kind === "leading" && w.a.state.role.ask !== null);
    const peer = w.a.state?.peer;
    if (peer == null) throw new Error("never heard");
    const stale = { id: "of long ago", epoch: 1 };
    w.a.tell({ kind: "peerStateReceived", state: { ...peer, standingVoteGiven: stale } });
    expect(w.a.disk?.standingVote).toBe(null);
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
