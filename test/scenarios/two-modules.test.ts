import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/**
 * Two mirrors on the same two machines, crossed: `shop` is led by a, `till` by b. They share the
 * machines, the links and the witness's process, and no decision: each has its own epoch, set and
 * promises. Every state that a node publishes for one module is also told to the other module's
 * part on the peer, as a confused sender would: it must change nothing.
 */
class Pair {
  readonly shop = new World();
  readonly till = new World({
    moduleId: "till",
    config: { defaultPrimary: { kind: "node", nodeId: "b" } },
  });
  readonly all = [this.shop, this.till];

  constructor() {
    for (const w of this.all) w.start();
    this.runUntil("in sync", () => this.all.every((w) => w.isInSync()));
  }

  runUntil(what: string, holds: () => boolean, limitMs = 60_000): void {
    for (let ms = 0; !holds(); ms += 10) {
      if (ms >= limitMs) throw new Error(`not ${what}: ${this.all.map((w) => w.picture())}`);
      this.runFor(10);
    }
  }

  runFor(durationMs: number): void {
    for (let ms = 0; ms < durationMs; ms += 10) {
      for (const w of this.all) w.runFor(10);
      this.#confuse();
    }
  }

  #confuse(): void {
    for (const [from, to] of [
      [this.shop, this.till],
      [this.till, this.shop],
    ] as const) {
      for (const node of from.nodes) {
        const state = node.state?.shown?.peerStates[node.config.peers[0]];
        const peer = to.node(node.config.peers[0]);
        const before = JSON.stringify(peer.state?.disk);
        if (state !== undefined) peer.tell({ kind: "peerStateReceived", state });
        expect(JSON.stringify(peer.state?.disk)).toBe(before);
      }
    }
  }
}

describe("two modules on the same nodes", () => {
  test("a machine dies: the one that it led moves, the other one goes on where it is", () => {
    const pair = new Pair();
    const { shop, till } = pair;
    expect([shop.record?.primary, till.record?.primary]).toEqual(["a", "b"]);
    for (const w of pair.all) w.a.crashOs();
    pair.runUntil("b leads both", () => shop.b.canAnswer() && till.b.data.acksAlone);
    expect(shop.record).toMatchObject({ epoch: 2, primary: "b", inSync: ["b"] });
    expect(till.record).toMatchObject({ epoch: 1, primary: "b", inSync: ["b"] });
    for (const w of pair.all) w.a.boot();
    pair.runUntil("in sync", () => pair.all.every((w) => w.isInSync()));
    expect([shop.record?.epoch, till.record?.epoch]).toEqual([2, 1]);
  });

  test("one is switched over, stopped and started: the other one does not notice", () => {
    const pair = new Pair();
    const { shop, till } = pair;
    const version = till.record?.version;
    shop.a.command({ kind: "switchover" });
    pair.runUntil("moved", () => shop.record?.epoch === 2 && shop.isInSync());
    shop.a.command({ kind: "stop" });
    pair.runUntil("stopped", () => shop.a.target === "STOP");
    shop.a.command({ kind: "start", dataFrom: null });
    pair.runUntil("in sync", () => shop.isInSync());
    expect(till.record?.version).toBe(version);
    expect([till.a.target, till.b.target]).toEqual(["SECOND", "PRIM"]);
  });

  test("the data path of one hangs: only that one goes on alone", () => {
    const pair = new Pair();
    pair.shop.b.data.isHung = true;
    pair.runUntil("alone", () => pair.shop.a.data.acksAlone, 5000);
    pair.runFor(5000);
    expect(pair.till.record?.inSync).toEqual(["a", "b"]);
    expect(pair.till.b.target).toBe("PRIM");
  });

  test("one is in maintenance, and only that one waits for its end", () => {
    const pair = new Pair();
    const { shop, till } = pair;
    for (const node of shop.nodes) {
      const asked = { id: "work", forMs: 3_600_000, nowUnixMs: node.unixMs, by: "ann" };
      node.command({ kind: "maintenanceOn", ...asked, reason: "" });
    }
    till.b.command({ kind: "switchover" });
    pair.runUntil("a leads both", () => till.a.canAnswer());
    pair.runUntil("in sync", () => till.isInSync());
    for (const w of pair.all) w.a.crashOs();
    pair.runUntil("till moved", () => till.b.canAnswer());
    pair.runFor(20_000);
    expect(shop.leader()).toBe(null);
    expect(shop.record?.epoch).toBe(1);
  });
});
