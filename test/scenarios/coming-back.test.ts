import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/** A secondary comes back: the order of the words by which it counts again. */

/** Runs millisecond by millisecond, and looks after each. */
function watch(w: World, until: () => boolean, look: () => void, limitMs = 20_000): void {
  for (let ms = 0; !until(); ms += 1) {
    if (ms >= limitMs) throw new Error(`never: ${w.picture()}`);
    w.runFor(1);
    look();
  }
}

/** The secondary was away and its OS runs on. */
function away(): World {
  const w = new World();
  w.startInSync();
  w.b.crash();
  w.runUntil("alone", () => w.a.data.acksAlone);
  w.b.boot(false);
  w.runUntil("b knows", () => w.b.disk?.outdated === true);
  return w;
}

describe("a secondary comes back", () => {
  test("required on the primary's disk, complete on its own, recorded at the witness: in that order", () => {
    const w = away();
    const order: string[] = [];
    const note = (what: string, holds: boolean) => {
      if (holds && !order.includes(what)) order.push(what);
    };
    watch(
      w,
      () => w.isInSync(),
      () => {
        note("required", w.a.disk?.joining === "b");
        note("complete", order.includes("required") && w.b.disk?.outdated === false);
        note("recorded", w.record?.inSync.length === 2);
        // Complete before it is required would be a copy that the primary can run ahead of.
        if (w.b.disk?.outdated === false) expect(order).toContain("required");
        if (w.a.disk?.joining === "b") expect(w.a.data.acksAlone).toBe(false);
      },
    );
    expect(order).toEqual(["required", "complete", "recorded"]);
    expect(w.record?.grant).toBe(null);
  });

  test("the primary's agent dies while it joins: what was required stays required", () => {
    const w = away();
    w.runUntil("joining", () => w.a.disk?.joining === "b");
    w.replyLoss = 1;
    w.runUntil("recorded, and a does not know it", () => w.record?.inSync.length === 2);
    w.a.crash();
    w.a.boot(false);
    w.cutWitness("a");
    watch(
      w,
      () => w.a.state?.role.kind === "leading",
      () => expect(w.a.disk?.joining).toBe("b"),
    );
    expect([w.a.disk?.joining, w.a.data.acksAlone]).toEqual(["b", false]);
    w.heal();
    w.runUntil("in sync", () => w.isInSync(), 60_000);
  });

  test("its standing vote ends on the primary's disk in the very write that requires it", () => {
    const w = new World();
    w.startInSync();
    w.b.data.isHung = true;
    w.runUntil("a standing vote", () => w.a.disk?.standingVotes.length === 1, 5000);
    w.b.data.isHung = false;
    watch(
      w,
      () => w.isInSync(),
      () => {
        const { joining, standingVotes } = w.a.disk ?? {};
        expect(joining === "b" && standingVotes?.length !== 0).toBe(false);
      },
    );
    expect(w.a.disk?.standingVotes).toEqual([]);
  });

  test("is not outdated by an old record of the witness while it is not recorded yet", () => {
    const w = away();
    w.runUntil("complete", () => w.a.disk?.joining === "b" && w.b.disk?.outdated === false);
    w.cutWitness("a");
    w.runFor(25_000);
    expect(w.b.disk?.outdated).toBe(false);
    w.heal();
    w.runUntil("in sync", () => w.isInSync());
  });

  test("flaps: it is brought back after a pause, not without end", () => {
    const w = away();
    w.runUntil("in sync", () => w.isInSync());
    const before = w.a.ran("resyncPeer");
    for (let blip = 0; blip < 10; blip += 1) {
      w.a.tell({ kind: "replicationDetached", peer: "b", cause: "blip" });
      w.runFor(1000);
    }
    expect(w.a.ran("resyncPeer") - before).toBeLessThanOrEqual(
      Math.ceil(10_000 / w.timers.resyncHoldOffMs) + 1,
    );
    w.runUntil("in sync", () => w.isInSync(), 30_000);
  });

  test("lets go of the stream while the primary takes it for attached: brought back anew", () => {
    const w = away();
    const isAttached = () => {
      const role = w.a.state?.role;
      return role?.kind === "leading" && role.secondaries["b"]?.isAttached === true;
    };
    watch(w, isAttached, () => undefined);
    // What a standing vote does that answers an ask which was withdrawn meanwhile: the secondary's
    // mind is off the stream, its data plane is not, and nobody will ever tell the primary.
    w.runUntil("told", () => w.b.state?.attachedEpoch !== null || w.b.disk?.outdated === false);
    const { state } = w.b;
    if (state === null) throw new Error("b is off");
    w.b.state = { ...state, attachedEpoch: null };
    expect(w.isInSync()).toBe(false);
    w.runUntil("in sync", () => w.isInSync(), 30_000);
  });
});
