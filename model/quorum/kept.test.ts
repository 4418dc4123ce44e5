import { describe, expect, test } from "vitest";
import { freshDisk, type NodeDisk } from "./disk.ts";
import { type KeptPlane, mayKeep } from "./kept.ts";
import { decideNode, type NodeState } from "./node.ts";
import type { PeerState } from "./peer-state.ts";
import { TIMER_PROFILES } from "./timers.ts";
import type { NodeConfig, NodeEffect, NodeEvent } from "./types.ts";

const timers = TIMER_PROFILES.default;
const CONFIG: NodeConfig = {
  ...{ moduleId: "m", self: "a", peers: ["b"], timers, hasFailover: true },
  ...{ defaultPrimary: { kind: "alone" }, addressMovedBy: "nodes" },
};
const EPOCH = 3;
const START_MS = 1_000_000;

const disk = (change: Partial<NodeDisk> = {}): NodeDisk => ({
  ...freshDisk("m", "a", "os", false),
  ...{ epoch: EPOCH, historyId: "h", copyHistoryId: "h", primary: "a", inSync: ["a", "b"] },
  ...{ isStartWanted: true, isStoppedCleanly: false, longestPromiseMs: timers.peerLeaseMs },
  ...change,
});
const PRIMARY: KeptPlane = { role: "primary", epoch: EPOCH, attached: ["b"] };
const SECONDARY: KeptPlane = { role: "secondary", epoch: EPOCH, isAttached: true };
const asSecondary = (change: Partial<NodeDisk> = {}) => disk({ primary: "b", ...change });

describe("what outlived an agent", () => {
  test.each<[string, NodeDisk | null, KeptPlane, boolean]>([
    ["a primary's, as the disk has it", disk(), PRIMARY, true],
    ["a primary's without its peer", disk(), { role: "primary", epoch: EPOCH, attached: [] }, true],
    ["a primary's of an older epoch", disk({ epoch: 4 }), PRIMARY, false],
    ["a primary's, released", disk({ released: RELEASE() }), PRIMARY, false],
    ["a primary's beside an open question", disk({ asked: 4 }), PRIMARY, false],
    ["a primary's that a person stopped", disk({ isStartWanted: false }), PRIMARY, false],
    ["a primary's of a disk that was lost", null, PRIMARY, false],
    ["a primary's where the other one leads", asSecondary(), PRIMARY, false],
    ["a secondary's, complete", asSecondary(), SECONDARY, true],
    ["a secondary's beside its standing vote", asSecondary({ outdated: true }), SECONDARY, false],
    [
      "a secondary's, not complete",
      asSecondary(),
      { role: "secondary", epoch: EPOCH, isAttached: false },
      false,
    ],
  ])("%s is kept: %#", (_name, known, plane, may) => {
    expect(mayKeep(known, plane, "a")).toBe(may);
  });
});

function RELEASE(): NonNullable<NodeDisk["released"]> {
  return { epoch: EPOCH, moduleId: "m", from: "a", to: "b", signature: "signed" };
}

/** One node, and what it did. */
class Node {
  state: NodeState;
  effects: readonly NodeEffect[];
  nowMs = START_MS;

  constructor(known: NodeDisk, kept: KeptPlane) {
    const event: NodeEvent = {
      ...{ kind: "started", disk: known, isDiskLost: false, bootId: "os", incarnation: "run2" },
      ...{ data: "hasData", atBoot: "asBefore", newHistoryId: "new", isServiceUp: true, kept },
    };
    const decided = decideNode({ config: CONFIG }, event, this.nowMs);
    [this.state, this.effects] = [decided.state, decided.effects];
  }

  tell(event: NodeEvent): this {
    const decided = decideNode(this.state, event, this.nowMs);
    [this.state, this.effects] = [decided.state, decided.effects];
    return this;
  }

  after(ms: number): this {
    this.nowMs += ms;
    return this.tell({ kind: "ticked" });
  }

  /** The peer answered a heartbeat. */
  helped(): this {
    return this.tell({
      ...{ kind: "heartbeatViewChanged", peer: "b", lastHeardMs: this.nowMs },
      peerGrantEpoch: EPOCH,
      peerGrantUntilMs: this.nowMs + 0.9 * timers.peerLeaseMs,
    });
  }

  get kinds(): readonly string[] {
    return this.effects.map(({ kind }) => kind);
  }

  did<K extends NodeEffect["kind"]>(kind: K): NodeEffect | undefined {
    return this.effects.find((effect) => effect.kind === kind);
  }

  get published(): PeerState | undefined {
    return this.state.shown?.peerStates["b"];
  }
}

describe("a primary's data plane that outlived the agent", () => {
  test("is held first, and nothing of it is stopped", () => {
    const node = new Node(disk(), PRIMARY);
    expect(node.kinds[0]).toBe("fence");
    expect(node.kinds).not.toContain("setTarget");
    expect(node.did("seekPeerGrant")).toMatchObject({ epoch: EPOCH });
  });

  test("goes on where it stood with the first live grant, its peer as attached as before", () => {
    const node = new Node(disk(), PRIMARY).after(50).helped();
    expect(node.did("serve")).toMatchObject({ epoch: EPOCH, ackBy: ["b"] });
    expect(node.did("thaw")).toBeDefined();
    expect(node.did("setTarget")).toMatchObject({ state: "PRIM", isReady: true });
    expect(node.did("drainReceiver")).toBeUndefined();
    expect(node.published).toMatchObject({ role: "leading", standingVoteAsk: null });
  });

  test("goes on at once under a standing vote, alone", () => {
    const alone = { inSync: ["a"], standingVotes: [{ from: "b", epoch: EPOCH }] };
    const node = new Node(disk(alone), PRIMARY);
    expect(node.did("fence")).toBeUndefined();
    expect(node.did("serve")).toMatchObject({ ackBy: [] });
    // Whatever the plane says: that the peer is out is on the disk.
    expect(node.state.role).toMatchObject({
      kind: "leading",
      secondaries: { b: { isAttached: false } },
    });
  });

  test("whose stream broke meanwhile asks for the peer's standing vote", () => {
    const node = new Node(disk(), PRIMARY);
    node.tell({ kind: "replicationDetached", peer: "b", cause: "the link" }).after(50).helped();
    expect(node.state.role).toMatchObject({
      kind: "leading",
      secondaries: { b: { isAttached: false } },
    });
    expect(node.did("serve")).toMatchObject({ ackBy: ["b"] });
  });

  test("attached while this node waited counts as attached", () => {
    const node = new Node(disk({ joining: "b" }), { role: "primary", epoch: EPOCH, attached: [] });
    node.tell({ kind: "replicationAttached", peer: "b", epoch: EPOCH }).after(50).helped();
    expect(node.state.role).toMatchObject({
      kind: "leading",
      secondaries: { b: { isAttached: true } },
    });
  });

  test("is ended, before anything else, when a newer epoch has begun", () => {
    const node = new Node(disk(), PRIMARY).after(50);
    const state = peer({ epoch: 4, primary: "b", inSync: ["b"], role: "leading" });
    node.tell({ kind: "peerStateReceived", state });
    expect(node.did("killApplication")).toBeDefined();
    expect(node.did("serve")).toBeUndefined();
    expect(node.did("thaw")).toBeUndefined();
    node.tell({ kind: "serviceStopped" });
    expect(node.state.kept).toBe(null);
  });

  test("is ended when no other voter confirms it for long", () => {
    const node = new Node(disk(), PRIMARY).after(timers.giveUpAfterMs - 1);
    expect(node.did("killApplication")).toBeUndefined();
    expect(node.after(1).did("killApplication")).toBeDefined();
  });

  test("is ended, not stopped by scripts that would wait for it, when a person stops the module", () => {
    const node = new Node(disk(), PRIMARY).tell({ kind: "commanded", command: { kind: "stop" } });
    expect(node.did("killApplication")).toBeDefined();
  });
});

describe("a secondary's data plane that outlived the agent", () => {
  test("takes the stream of the same primary on, complete as before", () => {
    const node = new Node(asSecondary(), SECONDARY).after(50);
    node.tell({
      ...{ kind: "heartbeatViewChanged", peer: "b", lastHeardMs: node.nowMs },
      ...{ peerGrantUntilMs: null, peerGrantEpoch: null },
    });
    node.tell({ kind: "peerStateReceived", state: peer({ role: "leading" }) });
    expect(node.did("follow")).toMatchObject({ epoch: EPOCH });
    expect(node.published).toMatchObject({ role: "following", isAttached: true });
  });
});

function peer(change: Partial<PeerState>): PeerState {
  const { published } = new Node(asSecondary(), SECONDARY);
  if (published === undefined) throw new Error("nothing was published");
  return {
    ...published,
    ...{ nodeId: "b", primary: "b", inSync: ["a", "b"], epoch: EPOCH, isAttached: false },
    ...change,
  };
}
