import { describe, expect, test } from "vitest";
import { type Wire, World } from "#model/quorum/testing/world.ts";

/**
 * Of three nodes: whatever link stays cut, once two nodes can talk, of which one surely holds every
 * write and reaches the witness, somebody serves within a minute and a half. See progress.test.ts. (A
 * node that lost its page cache waits for one that did not, also where only the first one reaches it.)
 */
const both = (x: "a" | "b" | "c", y: "a" | "b" | "c" | "w"): readonly Wire[] => [
  `${x}>${y}`,
  `${y}>${x}`,
];
const CUTS: Readonly<Record<string, readonly Wire[]>> = {
  nothing: [],
  "a from the others": [...both("a", "b"), ...both("a", "c")],
  "b from the others": [...both("a", "b"), ...both("b", "c")],
  "a from b": both("a", "b"),
  "b from c": both("b", "c"),
  "what a says to b": ["a>b"],
  "what b says to a": ["b>a"],
  "what c says to b": ["c>b"],
  "a from everybody": [...both("a", "b"), ...both("a", "c"), ...both("a", "w")],
  "a from the witness": both("a", "w"),
  "b from the witness": both("b", "w"),
  "a and b from the witness": [...both("a", "w"), ...both("b", "w")],
  "b and c from the witness": [...both("b", "w"), ...both("c", "w")],
  "b from the others, c from the witness": [
    ...[...both("a", "b"), ...both("b", "c")],
    ...both("c", "w"),
  ],
};

type Ids = readonly ("a" | "b" | "c")[];
const agents = (w: World, ids: Ids) => {
  for (const id of ids) w.node(id).crash();
  w.runFor(800);
  for (const id of ids) w.node(id).boot(false);
};
const machines = (w: World, ids: Ids, areBack = true) => {
  for (const id of ids) w.node(id).crashOs();
  w.runFor(800);
  if (areBack) for (const id of ids) w.node(id).boot();
};
const FAULTS: Readonly<Record<string, (w: World) => void>> = {
  nothing: () => undefined,
  "a's agent restarts": (w) => agents(w, ["a"]),
  "b's agent restarts": (w) => agents(w, ["b"]),
  "all agents restart": (w) => agents(w, ["a", "b", "c"]),
  "a's machine dies": (w) => machines(w, ["a"], false),
  "c's machine dies": (w) => machines(w, ["c"], false),
  "a's machine restarts": (w) => machines(w, ["a"]),
  "a's and b's machines restart": (w) => machines(w, ["a", "b"]),
  "all machines restart": (w) => machines(w, ["a", "b", "c"]),
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

/** A node that is in the set and reaches another one and the witness, both ways. */
function mayServe(w: World): boolean {
  const reach = (x: string, y: string) => !w.isCut(x, y) && !w.isCut(y, x);
  const alive = w.nodes.filter((node) => node.isAlive);
  const complete = alive.filter(
    (node) => w.record?.inSync.includes(node.id) === true && node.disk?.outdated === false,
  );
  const clean = complete.filter((node) => node.disk?.isUnclean === false);
  return (clean.length > 0 ? clean : complete).some((node) => {
    const isTwo = alive.some((other) => other !== node && reach(node.id, other.id));
    return isTwo && reach(node.id, "w");
  });
}

describe.each(Object.keys(CUTS))("three nodes, cut: %s", (cut) => {
  test.each(Object.keys(FAULTS))("%s: somebody serves", (fault) => {
    for (const isCutFirst of [true, false]) {
      const w = new World({ nodeCount: 3 });
      w.startInSync();
      w.runFor(2000);
      const isolate = () => {
        for (const wire of CUTS[cut] ?? []) w.cut.add(wire);
      };
      if (isCutFirst) {
        isolate();
        w.runFor(10_000);
      }
      FAULTS[fault]?.(w);
      isolate();
      if (mayServe(w)) {
        w.runUntil(`somebody serves, cut first: ${isCutFirst}`, () => w.leader() !== null, 90_000);
      }
      w.heal();
      for (const node of w.nodes) if (!node.isAlive) node.boot();
      w.runUntil("in sync", () => w.isInSync(), 120_000);
      expect(w.judge.acknowledgedCount).toBeGreaterThan(0);
    }
  });
});
