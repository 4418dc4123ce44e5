import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ModuleId, NodeId } from "#model/shared/ids.ts";
import { HeartbeatCore } from "./heartbeat-core.ts";
import type { HeartbeatView } from "./heartbeats.ts";
import { LeaseCell, MainProgress } from "./lease-cell.ts";
import { DatagramSealer } from "./sealed-datagram.ts";
import type { SessionKeys } from "./session-keys.ts";
import type { ThreadEvent } from "./thread-messages.ts";

const LEASE_MS = 2_000;

/** Two hearts joined by a wire that the test holds, on clocks that the test moves. */
class World {
  readonly wire: { from: NodeId; datagram: Buffer }[] = [];
  readonly one: Heart;
  readonly two: Heart;

  constructor() {
    this.one = new Heart("node1", this.wire);
    this.two = new Heart("node2", this.wire);
    this.newSession();
  }

  newSession(): void {
    const keys = {
      sessionId: randomBytes(16),
      heartbeatKey: randomBytes(32),
      replicationKey: randomBytes(32),
    };
    this.one.session({ ...keys, peerId: "node2" });
    this.two.session({ ...keys, peerId: "node1" });
  }

  /** Both clocks; both main threads turn. */
  pass(ms: number): void {
    for (const heart of [this.one, this.two]) {
      heart.nowMs += ms;
      heart.main.count();
    }
  }

  /** Delivers everything on the wire, and what that provokes. */
  deliver(lose: (from: NodeId) => boolean = () => false): void {
    for (let next = this.wire.shift(); next !== undefined; next = this.wire.shift()) {
      if (lose(next.from)) continue;
      (next.from === "node1" ? this.two : this.one).core.receive(0, next.datagram);
    }
  }
}

class Heart {
  nowMs = 1_000_000;
  readonly main = new MainProgress();
  readonly cell = new LeaseCell();
  readonly events: ThreadEvent[] = [];
  core: HeartbeatCore;
  readonly #nodeId: NodeId;
  readonly #wire: World["wire"];

  constructor(nodeId: NodeId, wire: World["wire"]) {
    this.#nodeId = nodeId;
    this.#wire = wire;
    this.core = this.startAgent(1);
  }

  startAgent(instance: number): HeartbeatCore {
    const end = { localAddress: "", localPort: 0, peerAddress: "", peerPort: 0 };
    const ports = {
      bootMs: () => this.nowMs,
      send: (_: number, datagram: Buffer) => this.#wire.push({ from: this.#nodeId, datagram }),
      post: (event: ThreadEvent) => this.events.push(event),
      sealer: new DatagramSealer(this.#nodeId),
    };
    this.core = new HeartbeatCore(
      {
        nodeId: this.#nodeId,
        instanceId: `${this.#nodeId}-${instance}`,
        bootId: "boot",
        heartbeatMs: 200,
        hangAfterMs: 10_000,
        networks: [{ name: "lan", ...end }],
        mainProgress: this.main.buffer,
        guardDescriptor: null,
      },
      ports,
    );
    this.core.take({ kind: "setModule", moduleId: "shop", cell: this.cell.buffer });
    return this.core;
  }

  session(keys: SessionKeys): void {
    this.core.take({ kind: "addSession", keys });
  }

  promise(epoch: number | null): ThreadEvent | undefined {
    const terms = epoch === null ? null : { epoch, peerLeaseMs: LEASE_MS };
    this.core.take({ kind: "promise", requestId: 1, moduleId: "shop", terms });
    return this.events.at(-1);
  }

  lead(epoch: number | null): void {
    this.core.take({ kind: "seekGrant", moduleId: "shop", epoch });
    this.cell.serve(epoch);
  }

  publish(state: unknown, moduleId: ModuleId = "shop"): void {
    this.core.take({ kind: "publish", moduleId, stateJson: JSON.stringify(state) });
  }

  peerStates(): unknown[] {
    return this.events.flatMap((event) => (event.kind === "peerState" ? [event.state] : []));
  }

  view(): HeartbeatView {
    const views = this.events.flatMap((event) => (event.kind === "view" ? [event.view] : []));
    const view = views.at(-1);
    if (view === undefined) throw new Error("no view was posted");
    return view;
  }
}

describe("a grant", () => {
  test("is counted from sending by its holder, and from receipt by its giver", () => {
    const world = new World();
    world.two.promise(7);
    world.one.lead(7);
    world.one.core.beat();
    world.pass(150);
    world.deliver();
    expect(world.one.cell.leaseUntilBootMs()).toBe(1_000_000 + 0.9 * LEASE_MS);
    expect(world.two.promise(null)).toMatchObject({
      answer: { lastPromiseEndsBootMs: 1_000_150 + LEASE_MS, longestPromiseMs: LEASE_MS },
    });
  });

  test("is not given for another epoch, nor once the promise is closed", () => {
    const world = new World();
    world.one.lead(7);
    world.two.promise(6);
    world.one.core.beat();
    world.deliver();
    expect(world.one.cell.leaseUntilBootMs()).toBeNull();
    world.two.promise(7);
    world.two.promise(null);
    world.one.core.beat();
    world.deliver();
    expect(world.one.cell.leaseUntilBootMs()).toBeNull();
    expect(world.two.promise(null)).toMatchObject({ answer: { lastPromiseEndsBootMs: null } });
  });

  test("ends when the answers stay away, though we hear the peer", () => {
    const world = new World();
    world.two.promise(7);
    world.one.lead(7);
    world.one.core.beat();
    world.deliver();
    for (let n = 0; n < 10; n += 1) {
      world.pass(200);
      world.one.core.beat();
      world.two.core.beat();
      world.deliver((from) => from === "node1");
    }
    expect(world.one.cell.isLive(world.one.nowMs)).toBe(false);
    world.one.core.beat();
    expect(world.one.view().lastHeardBootMs).toBe(world.one.nowMs);
    expect(world.one.view().lastAnsweredBootMs).toBe(1_000_000);
  });

  test("survives the loss of a third of the datagrams", () => {
    const world = new World();
    world.two.promise(7);
    world.one.lead(7);
    world.one.core.beat();
    world.deliver();
    let n = 0;
    for (let round = 0; round < 100; round += 1) {
      world.pass(200);
      world.one.core.beat();
      world.deliver(() => {
        n += 1;
        return n % 3 === 0;
      });
      expect(world.one.cell.isLive(world.one.nowMs)).toBe(true);
    }
    expect(world.one.view().networks[0]?.lossRatio).toBeGreaterThan(0.2);
  });

  test("is dropped when another epoch is sought", () => {
    const world = new World();
    world.two.promise(7);
    world.one.lead(7);
    world.one.core.beat();
    world.one.lead(8);
    world.deliver();
    expect(world.one.cell.leaseUntilBootMs()).toBeNull();
  });
});

describe("silence of a node that cannot act", () => {
  test("a main thread that stands still for hangAfter: nothing is sent or answered", () => {
    const world = new World();
    world.two.promise(7);
    world.one.lead(7);
    world.two.nowMs += 9_999;
    world.one.core.beat();
    world.deliver();
    expect(world.one.cell.leaseUntilBootMs()).not.toBeNull();
    world.two.nowMs += 1;
    world.one.lead(null);
    world.one.lead(7);
    world.one.core.beat();
    world.two.core.beat();
    world.deliver();
    expect(world.one.cell.leaseUntilBootMs()).toBeNull();
    expect(world.two.view().hasHungMainThread).toBe(true);
    world.pass(1);
    world.one.core.beat();
    world.deliver();
    expect(world.one.cell.leaseUntilBootMs()).not.toBeNull();
  });

  test("a data thread that stands still: its module is not promised for, the others are", () => {
    const world = new World();
    const other = new LeaseCell();
    other.serve(3);
    world.one.core.take({ kind: "setModule", moduleId: "mail", cell: other.buffer });
    world.two.core.take({ kind: "setModule", moduleId: "mail", cell: new LeaseCell().buffer });
    world.one.core.take({ kind: "seekGrant", moduleId: "mail", epoch: 3 });
    const terms = { epoch: 3, peerLeaseMs: LEASE_MS };
    world.two.core.take({ kind: "promise", requestId: 2, moduleId: "mail", terms });
    world.two.promise(7);
    world.one.lead(7);
    world.two.cell.watchDataThread(true);
    world.two.core.beat();
    world.deliver();
    world.pass(10_001);
    world.one.core.beat();
    world.two.core.beat();
    world.deliver();
    expect(world.one.cell.leaseUntilBootMs()).toBeNull();
    expect(other.leaseUntilBootMs()).not.toBeNull();
    expect(world.two.view().hungModules).toEqual(["shop"]);
    // The other node sees which of the two is silent.
    const listed = world.one.view().lastListedBootMs;
    expect((listed["mail"] ?? 0) - (listed["shop"] ?? 0)).toBeGreaterThan(10_000);
    world.two.cell.countDataProgress();
    world.one.core.beat();
    world.deliver();
    expect(world.one.cell.leaseUntilBootMs()).not.toBeNull();
  });
});

describe("what a peer publishes", () => {
  test("arrives with each heartbeat, and an older one never undoes a newer one", () => {
    const world = new World();
    world.one.publish("first");
    world.one.core.beat();
    const late = world.wire.splice(0);
    world.one.publish("second");
    world.one.core.beat();
    world.deliver();
    world.wire.push(...late);
    world.deliver();
    expect(world.two.peerStates()).toEqual(["second"]);
  });

  test("goes on over a session that has lost its TCP connection, and over the next one", () => {
    const world = new World();
    world.one.publish("first");
    world.one.core.beat();
    const underOldSession = world.wire.splice(0);
    world.newSession();
    world.wire.push(...underOldSession);
    world.deliver();
    world.one.publish("second");
    world.one.core.beat();
    world.deliver();
    expect(world.two.peerStates()).toEqual(["first", "second"]);
  });

  test("is taken anew from a restarted agent, and no more from the one before it", () => {
    const world = new World();
    for (let n = 0; n < 3; n += 1) world.one.core.beat();
    world.one.publish("of the first agent");
    world.one.core.beat();
    world.deliver((from) => from === "node1" && world.wire.length > 0);
    world.one.core.beat();
    const late = world.wire.splice(0);
    world.one.startAgent(2);
    world.newSession();
    world.one.publish("of the second agent");
    world.one.core.beat();
    world.deliver();
    world.wire.push(...late);
    world.deliver();
    expect(world.two.peerStates()).toEqual(["of the first agent", "of the second agent"]);
    world.two.core.beat();
    expect(world.two.view().peerInstanceId).toBe("node1-2");
  });
});

describe("a datagram that is not the peer's is counted and dropped:", () => {
  const sample = (): { world: World; datagram: Buffer } => {
    const world = new World();
    world.one.publish("state");
    world.one.core.beat();
    const datagram = world.wire.splice(0)[0]?.datagram;
    if (datagram === undefined) throw new Error("nothing was sent");
    return { world, datagram };
  };

  test("a flipped bit anywhere", () => {
    const { world, datagram } = sample();
    for (let at = 0; at < datagram.length; at += 1) {
      const forged = Buffer.from(datagram);
      forged[at] = (forged[at] ?? 0) ^ 1;
      world.two.core.receive(0, forged);
    }
    expect(world.two.peerStates()).toEqual([]);
    world.two.core.receive(0, datagram);
    expect(world.two.peerStates()).toEqual(["state"]);
    world.two.core.beat();
    const { malformed, unauthentic, unknownSession, replayed } = world.two.view().dropped;
    expect(malformed + unauthentic + unknownSession + replayed).toBe(datagram.length);
  });

  test("a second copy", () => {
    const { world, datagram } = sample();
    world.two.core.receive(0, datagram);
    world.two.core.receive(0, datagram);
    world.two.core.beat();
    expect(world.two.view().dropped.replayed).toBe(1);
    expect(world.two.peerStates()).toHaveLength(1);
  });

  test("our own datagram sent back to us", () => {
    const { world, datagram } = sample();
    world.one.core.receive(0, datagram);
    world.one.core.beat();
    expect(world.one.view().dropped.unauthentic).toBe(1);
  });

  test.each([0, 1, 24, 40, 9_000])("%i bytes of noise", (length) => {
    const { world } = sample();
    world.two.core.receive(0, randomBytes(length));
    world.two.core.beat();
    expect(world.two.view().lastHeardBootMs).toBeNull();
  });
});

test("the guard is told the end of the lease, and not to trust the fence of a hung agent", () => {
  const world = new World();
  expect(world.one.core.guardReport()).toEqual({ isMainHung: false, modules: [] });
  const targets = { addresses: [], cgroupPath: "/c", processMark: null, mounts: ["/m"] };
  world.one.core.take({ kind: "guard", moduleId: "shop", targets });
  world.one.lead(7);
  world.one.cell.setStandingVote(7);
  world.one.cell.fence();
  const leaseUntilBootMs = Number.MAX_SAFE_INTEGER;
  const report = { moduleId: "shop", leaseUntilBootMs, isFencedByAgent: true, targets };
  expect(world.one.core.guardReport()).toEqual({ isMainHung: false, modules: [report] });
  world.one.nowMs += 10_001;
  expect(world.one.core.guardReport()).toEqual({
    isMainHung: true,
    modules: [{ ...report, isFencedByAgent: false }],
  });
});
