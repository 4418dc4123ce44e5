import { describe, expect, test } from "vitest";
import { World } from "#model/quorum/testing/world.ts";

/**
 * No state is without an exit: whatever link stays cut, once both nodes are up again and two of the
 * three voters can talk, of which one is a node that holds every write, somebody serves within a
 * minute and a half. Every cut that leaves two voters together, with every fault that a day brings.
 */
const CUTS = {
  nothing: [],
  "a from the witness": ["a>w", "w>a"],
  "b from the witness": ["b>w", "w>b"],
  "the witness from both": ["a>w", "w>a", "b>w", "w>b"],
  "the nodes from each other": ["a>b", "b>a"],
  "a from everybody": ["a>b", "b>a", "a>w", "w>a"],
  "b from everybody": ["a>b", "b>a", "b>w", "w>b"],
  "what a says to b": ["a>b"],
  "what b says to a": ["b>a"],
  "the witness's answers to a": ["w>a"],
  "the witness's answers to b": ["w>b"],
} as const;

const agents = (w: World, ids: readonly ("a" | "b")[]) => {
  for (const id of ids) w.node(id).crash();
  w.runFor(800);
  for (const id of ids) w.node(id).boot(false);
};
const machines = (w: World, ids: readonly ("a" | "b")[]) => {
  for (const id of ids) w.node(id).crashOs();
  w.runFor(800);
  for (const id of ids) w.node(id).boot();
};
const FAULTS: Readonly<Record<string, (w: World) => void>> = {
  nothing: () => undefined,
  "a's agent restarts": (w) => agents(w, ["a"]),
  "b's agent restarts": (w) => agents(w, ["b"]),
  "both agents restart": (w) => agents(w, ["a", "b"]),
  "a's machine restarts": (w) => machines(w, ["a"]),
  "b's machine restarts": (w) => machines(w, ["b"]),
  "both machines restart": (w) => machines(w, ["a", "b"]),
  "the role is switched over": (w) => w.a.command({ kind: "switchover" }),
  "a stands still for 3 s": (w) => {
    w.a.freeze();
    w.runFor(3000);
    w.a.unfreeze();
  },
  "b's disk hangs for 5 s": (w) => {
    w.b.data.isHung = true;
    w.runFor(5000);
    w.b.data.isHung = false;
  },
};

/** A node that is in the set and reaches another voter both ways. */
function mayServe(w: World): boolean {
  const reach = (x: string, y: string) => !w.isCut(x, y) && !w.isCut(y, x);
  return w.nodes.some((node) => {
    const isIn = w.record?.inSync.includes(node.id) === true && node.disk?.outdated === false;
    return isIn && (reach(node.id, "w") || reach("a", "b"));
  });
}

describe.each(Object.keys(CUTS) as (keyof typeof CUTS)[])("cut: %s", (cut) => {
  test.each(Object.keys(FAULTS))("%s: somebody serves", (fault) => {
    for (const isCutFirst of [true, false]) {
      const w = new World();
      w.startInSync();
      w.runFor(2000);
      if (isCutFirst) {
        for (const wire of CUTS[cut]) w.cut.add(wire);
        w.runFor(10_000);
      }
      FAULTS[fault]?.(w);
      for (const wire of CUTS[cut]) w.cut.add(wire);
      if (!mayServe(w)) continue;
      w.runUntil(`somebody serves, cut first: ${isCutFirst}`, () => w.leader() !== null, 90_000);
      w.heal();
      w.runUntil("in sync", () => w.isInSync(), 90_000);
      expect(w.judge.acknowledgedCount).toBeGreaterThan(0);
    }
  });
});
