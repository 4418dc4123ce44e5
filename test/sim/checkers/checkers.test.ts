import { describe, expect, test } from "vitest";
import { freshDisk, type NodeDisk } from "#model/quorum/disk.ts";
import { freshRecord } from "#model/quorum/recover-record.ts";
import { Oracle } from "../oracle.ts";
import { SimTree } from "../sim-tree.ts";
import type { Checker, CloudAddress, NodeView, Scene } from "./checker.ts";
import { ServiceReturns } from "./l1-service.ts";
import { PairReturns } from "./l2-in-sync.ts";
import { NoStorms } from "./l3-messages.ts";
import { EveryStateHasAnExit } from "./l4-exits.ts";
import { OnePrimary } from "./s1-one-primary.ts";
import { EpochsRise } from "./s2-epochs.ts";
import { OnlyMembers } from "./s3-membership.ts";
import { NothingLost } from "./s4-nothing-lost.ts";
import { AcknowledgedEverywhere } from "./s5-acknowledged.ts";
import { AddressFollows } from "./s6-address.ts";
import { AppliedInOrder } from "./s7-applied.ts";
import { NoHalfWrittenPrimary } from "./s8-half-written.ts";
import { CopiesAreEqual } from "./s9-equal.ts";
import { VotesHold } from "./s10-votes.ts";
import { type Answered, OutcomesAreTrue } from "./s11-outcomes.ts";
import { NoSecrets } from "./s12-secrets.ts";

/** A judge that never says no is worth nothing: each is fed a bad history, and a good one like it. */

const disk = (parts: Partial<NodeDisk> = {}): NodeDisk => ({
  ...freshDisk("shop", "a", "boot1", false),
  ...parts,
});

type Changeable<T> = { -readonly [K in keyof T]: T[K] };

function view(id: string): Changeable<NodeView> {
  return {
    ...{
      id,
      accepts: false,
      servedEpoch: null,
      boundEpoch: 0,
      quorum: null,
      tree: new SimTree(() => 0),
    },
    ...{
      mayAnswer: true,
      isHalfWritten: false,
      hasAddress: false,
      isRunning: false,
      isFrozen: false,
      isOn: true,
    },
    resumedForMs: 1e9,
  };
}

function scene() {
  const [a, b] = [view("a"), view("b")];
  const made: Changeable<Scene> = {
    ...{ nowMs: 0, trueMs: 0, oracle: new Oracle(), nodes: [a, b], isIdle: false },
    ...{ isInSync: false, serviceDueSinceMs: null, syncDueSinceMs: null },
    ...{ leaseMs: 2000, transferMs: 1000, cloud: null, moduleCount: 1 },
    view: (id: string) => (id === "a" ? a : b),
    authority: { epoch: 1, primary: "a", inSync: ["a", "b"] },
  };
  return { made, a, b };
}

/** One write of one cell, carried out on these copies. */
function written(oracle: Oracle, trees: readonly SimTree[], epoch = 1) {
  const id = oracle.nextId();
  for (const tree of trees) {
    const inode = { stamp: 1, cells: new Map<number, number>() };
    tree.setNames([["file", inode]]);
    tree.setCells(inode, [[0, id]]);
  }
  const changes = [{ place: { kind: "cell", stamp: 1, cell: 0 } as const, value: id }];
  return oracle.issued({ id, what: "write", node: "a", epoch, changes, isSync: false });
}

const breaks = (name: string) => expect.objectContaining({ invariant: name });
const verdict = (checker: Checker, look: (checker: Checker) => void): unknown => {
  try {
    look(checker);
  } catch (error) {
    return error;
  }
  return null;
};

describe("S1", () => {
  test("two primaries of one epoch", () => {
    const { made } = scene();
    const checker = new OnePrimary();
    checker.onEvent({ ev: "grant", node: "a", epoch: 1 }, made);
    checker.onEvent({ ev: "grant", node: "a", epoch: 1 }, made);
    expect(
      verdict(checker, () => checker.onEvent({ ev: "grant", node: "b", epoch: 1 }, made)),
    ).toEqual(breaks("S1"));
    expect(verdict(checker, () => checker.onStep(made))).toBe(null);
  });

  test("two that accept at once; not one that a hypervisor has just let go on", () => {
    const { made, a, b } = scene();
    const checker = new OnePrimary();
    Object.assign(a, { accepts: true, servedEpoch: 1, resumedForMs: 1000 });
    Object.assign(b, { accepts: true, servedEpoch: 2 });
    expect(verdict(checker, () => checker.onStep(made))).toBe(null);
    a.resumedForMs = 2000;
    expect(verdict(checker, () => checker.onStep(made))).toEqual(breaks("S1"));
  });

  test("an answer that leaves when no grant is live", () => {
    const { made, a } = scene();
    const checker = new OnePrimary();
    const ack = { ev: "ack", node: "a", epoch: 1, op: 1 } as const;
    expect(verdict(checker, () => checker.onEvent(ack, made))).toBe(null);
    a.mayAnswer = false;
    expect(verdict(checker, () => checker.onEvent(ack, made))).toEqual(breaks("S1"));
  });
});

test("S2: an epoch that goes back, on a disk, at the witness, in a grant", () => {
  const { a } = scene();
  const checker = new EpochsRise();
  const record = { ...freshRecord("shop", "store1"), version: 4, epoch: 3 };
  checker.onPersist(a, disk({ epoch: 2 }), disk({ epoch: 3 }));
  expect(
    verdict(checker, () => checker.onPersist(a, disk({ epoch: 3 }), disk({ epoch: 2 }))),
  ).toEqual(breaks("S2"));
  const back = { ...record, version: 5, epoch: 2 };
  expect(verdict(checker, () => checker.onRecord(record, back))).toEqual(breaks("S2"));
  const same = { ...record };
  expect(verdict(checker, () => checker.onRecord(record, same))).toEqual(breaks("S2"));
  checker.onEvent({ ev: "grant", node: "a", epoch: 5 });
  expect(verdict(checker, () => checker.onEvent({ ev: "grant", node: "b", epoch: 4 }))).toEqual(
    breaks("S2"),
  );
});

test("S3: a grant to a node outside the set; not to one that was forced or is joining", () => {
  const { made, a, b } = scene();
  const alone = { ev: "insync", epoch: 1, set: ["a"] } as const;
  const taken = { ev: "grant", node: "b", epoch: 2 } as const;
  const outside = new OnlyMembers();
  outside.onEvent(alone);
  expect(verdict(outside, () => outside.onEvent(taken))).toEqual(breaks("S3"));
  const forced = new OnlyMembers();
  forced.onEvent(alone);
  forced.onEvent({ ev: "force", node: "b", epoch: 2 });
  expect(verdict(forced, () => forced.onEvent(taken))).toBe(null);
  const joining = new OnlyMembers();
  joining.onEvent(alone);
  joining.onPersist(a, null, disk({ epoch: 1, primary: "a", joining: "b" }));
  joining.onPersist(b, null, disk({ epoch: 1, primary: "a", outdated: false }));
  expect(verdict(joining, () => joining.onEvent(taken))).toBe(null);
  expect(made.nodes).toHaveLength(2);
});

test("S4: a new primary that lacks what was acknowledged", () => {
  const { made, a, b } = scene();
  const op = written(made.oracle, [a.tree]);
  made.oracle.acknowledged(op);
  const checker = new NothingLost();
  const on = { ev: "writable", epoch: 2, on: true } as const;
  expect(verdict(checker, () => checker.onEvent({ ...on, node: "a" }, made))).toBe(null);
  expect(verdict(checker, () => checker.onEvent({ ...on, node: "b" }, made))).toEqual(breaks("S4"));
  // What died with every copy that had it is nobody's promise any more.
  made.oracle.forgive([b.tree], "all");
  expect(verdict(checker, () => checker.onEvent({ ...on, node: "b" }, made))).toBe(null);
});

describe("S5", () => {
  const ack = (op: number, epoch = 1) => ({ ev: "ack", node: "a", epoch, op }) as const;

  test("an acknowledgement that a member of the set lacks; not one that has left", () => {
    const { made, a, b } = scene();
    const { id } = written(made.oracle, [a.tree]);
    const checker = new AcknowledgedEverywhere();
    expect(verdict(checker, () => checker.onEvent(ack(id), made))).toEqual(breaks("S5"));
    b.quorum = disk({ outdated: true });
    expect(verdict(checker, () => checker.onEvent(ack(id), made))).toBe(null);
  });

  test("an acknowledgement alone while a node is joining", () => {
    const { made, a, b } = scene();
    const { id } = written(made.oracle, [a.tree]);
    made.authority = { epoch: 1, primary: "a", inSync: ["a"] };
    a.quorum = disk({ epoch: 1, joining: "b" });
    b.quorum = disk({ outdated: true });
    const checker = new AcknowledgedEverywhere();
    expect(verdict(checker, () => checker.onEvent(ack(id), made))).toEqual(breaks("S5"));
  });

  test("an fsync that is in a cache only", () => {
    const { made, a, b } = scene();
    written(made.oracle, [a.tree, b.tree]);
    const id = made.oracle.nextId();
    const changes = [{ place: { kind: "cell", stamp: 1, cell: 0 } as const, value: 1 }];
    made.oracle.issued({ id, what: "fsync", node: "a", epoch: 1, changes, isSync: true });
    const checker = new AcknowledgedEverywhere();
    a.tree.flushAll();
    expect(verdict(checker, () => checker.onEvent(ack(id), made))).toEqual(breaks("S5"));
    b.tree.flushAll();
    expect(verdict(checker, () => checker.onEvent(ack(id), made))).toBe(null);
  });

  test("an acknowledgement of an epoch that is over", () => {
    const { made, a, b } = scene();
    const { id } = written(made.oracle, [a.tree, b.tree]);
    made.authority = { epoch: 2, primary: "b", inSync: ["b"] };
    const checker = new AcknowledgedEverywhere();
    expect(verdict(checker, () => checker.onEvent(ack(id), made))).toEqual(breaks("S5"));
  });
});

describe("S6: an address at a cloud", () => {
  const at = (made: Changeable<Scene>, cloud: Partial<CloudAddress>, nowMs = 50_000) => {
    made.nowMs = nowMs;
    made.cloud = { at: "a", wanted: "b", dueSinceMs: null, isShownRight: false, ...cloud };
    made.authority = { epoch: 2, primary: "b", inSync: ["b"] };
  };

  test("does not stay at an old primary, once the cloud is well; nor nowhere", () => {
    const { made } = scene();
    for (const place of ["a", null]) {
      const checker = new AddressFollows();
      at(made, { at: place, dueSinceMs: 30_000 });
      expect(verdict(checker, () => checker.onStep(made))).toBe(null);
      at(made, { at: place, dueSinceMs: 30_000 }, 50_200);
      expect(verdict(checker, () => checker.onStep(made))).toEqual(breaks("S6"));
      at(made, { at: "b", dueSinceMs: 30_000 }, 50_400);
      expect(verdict(checker, () => checker.onStep(made))).toBe(null);
    }
  });

  test("leads to nobody who accepts, while the cloud fails", () => {
    const { made, a } = scene();
    const checker = new AddressFollows();
    at(made, {});
    expect(verdict(checker, () => checker.onStep(made))).toBe(null);
    at(made, {}, 51_000);
    Object.assign(a, { accepts: true, servedEpoch: 1 });
    expect(verdict(checker, () => checker.onStep(made))).toEqual(breaks("S6"));
    at(made, {}, 52_000);
    a.resumedForMs = 1000;
    expect(verdict(checker, () => checker.onStep(made))).toBe(null);
  });

  test("is not shown as right for long while it is not", () => {
    const { made } = scene();
    const checker = new AddressFollows();
    at(made, { at: "b", isShownRight: true });
    checker.onStep(made);
    at(made, { isShownRight: true }, 69_000);
    expect(verdict(checker, () => checker.onStep(made))).toBe(null);
    at(made, { isShownRight: true }, 71_000);
    expect(verdict(checker, () => checker.onStep(made))).toEqual(breaks("S6"));
  });
});

test("S6: an address that stays where nobody is served", () => {
  const { made, a } = scene();
  const checker = new AddressFollows();
  a.hasAddress = true;
  made.authority = { epoch: 2, primary: "b", inSync: ["b"] };
  made.nowMs = 19_000;
  expect(verdict(checker, () => checker.onStep(made))).toBe(null);
  made.nowMs = 21_000;
  expect(verdict(checker, () => checker.onStep(made))).toEqual(breaks("S6"));
});

test("S7: applied twice, out of order, or of an epoch that was voted over", () => {
  const { made, b } = scene();
  const apply = (op: number, epoch = 1) => ({ ev: "apply", node: "b", epoch, op }) as const;
  const checker = new AppliedInOrder();
  checker.onEvent(apply(1), made);
  checker.onEvent(apply(3), made);
  expect(verdict(checker, () => checker.onEvent(apply(3), made))).toEqual(breaks("S7"));
  expect(verdict(checker, () => checker.onEvent(apply(2), made))).toEqual(breaks("S7"));
  b.boundEpoch = 2;
  expect(verdict(checker, () => checker.onEvent(apply(4), made))).toEqual(breaks("S7"));
  expect(verdict(checker, () => checker.onEvent(apply(5, 2), made))).toBe(null);
});

test("S8: a primary from half a copy, and half a copy that counts as whole", () => {
  const { made, b } = scene();
  const checker = new NoHalfWrittenPrimary();
  b.isHalfWritten = true;
  const on = { ev: "writable", node: "b", epoch: 2, on: true } as const;
  expect(verdict(checker, () => checker.onEvent(on, made))).toEqual(breaks("S8"));
  const [was, now] = [disk({ outdated: true }), disk({ outdated: false, primary: "a" })];
  expect(verdict(checker, () => checker.onPersist(b, was, now))).toEqual(breaks("S8"));
  b.isHalfWritten = false;
  expect(verdict(checker, () => checker.onPersist(b, was, now))).toBe(null);
});

test("S8: not a copy that a person forced, until it is outdated again", () => {
  const { made, b } = scene();
  const checker = new NoHalfWrittenPrimary();
  b.isHalfWritten = true;
  const on = { ev: "writable", node: "b", epoch: 3, on: true } as const;
  checker.onEvent({ ev: "force", node: "b", epoch: 2 }, made);
  expect(verdict(checker, () => checker.onEvent(on, made))).toBe(null);
  checker.onPersist(b, disk(), disk({ outdated: true }));
  expect(verdict(checker, () => checker.onEvent(on, made))).toEqual(breaks("S8"));
});

test("S10: a forgotten vote, a question that was not kept, help beside an open question", () => {
  const { a } = scene();
  const terms = { moduleId: "shop", epoch: 4, primary: "a", inSync: ["a"], historyId: "h" };
  const voted = disk({ pairVote: { terms, signature: "s" } });
  const checker = new VotesHold();
  expect(verdict(checker, () => checker.onPersist(a, voted, disk()))).toEqual(breaks("S10"));
  a.quorum = disk({ epoch: 1 });
  const head = { id: "1", nodeId: "a", moduleId: "shop", storeId: null, version: 1 };
  const ask = { ...head, kind: "promote", fromEpoch: 1, toEpoch: 2, pairDecision: null } as const;
  expect(
    verdict(checker, () => checker.onAsk(a, { ...ask, release: null, isLastResort: false })),
  ).toEqual(breaks("S10"));
  a.quorum = disk({ epoch: 1, asked: 2 });
  expect(verdict(checker, () => checker.onPromise(a, 1))).toEqual(breaks("S10"));
});

describe("S11", () => {
  const before = { epoch: 1, historyId: "h1" };
  const told = (kind: Answered["kind"], outcome: Answered["outcome"]): Answered => ({
    ...{ kind, outcome, text: "so it is", before },
  });
  const judge = (node: NodeView, made: Scene, answered: Answered) => {
    const checker = new OutcomesAreTrue();
    return verdict(checker, () => checker.onAnswered(node, answered, made));
  };

  test("what is told done is so", () => {
    const { made, a } = scene();
    a.quorum = disk({ epoch: 1, primary: "a", historyId: "h1" });
    for (const kind of ["start", "switchover", "force-primary", "maintenance-on"] as const) {
      expect(judge(a, made, told(kind, "done"))).toEqual(breaks("S11"));
      expect(judge(a, made, told(kind, "unknown"))).toBe(null);
    }
    expect(judge(a, made, told("stop", "done"))).toBe(null);
    a.isRunning = true;
    expect(judge(a, made, told("stop", "done"))).toEqual(breaks("S11"));
    // The role came back, as the other node did not take it: no success.
    made.authority = { epoch: 2, primary: "a", inSync: ["a"] };
    expect(judge(a, made, told("switchover", "done"))).toEqual(breaks("S11"));
    a.quorum = disk({ epoch: 2, primary: "b", historyId: "h1", isStartWanted: true });
    expect(judge(a, made, told("switchover", "done"))).toBe(null);
    expect(judge(a, made, told("start", "done"))).toBe(null);
  });

  test("what may still come about is not told failed", () => {
    const { made, a } = scene();
    const released = { moduleId: "shop", epoch: 1, from: "a", to: "b", signature: "s" };
    a.quorum = disk({ epoch: 1, primary: "a", released });
    expect(judge(a, made, told("switchover", "failed"))).toEqual(breaks("S11"));
    expect(judge(a, made, told("switchover", "unknown"))).toBe(null);
    a.quorum = disk({ epoch: 1, primary: "a" });
    expect(judge(a, made, told("switchover", "refused"))).toBe(null);
  });

  test("a force that was told failed does not happen; one that nobody knows of may", () => {
    const { made, a } = scene();
    const forced = { ev: "force", node: "a", epoch: 2 } as const;
    for (const [outcome, end] of [
      ["failed", breaks("S11")],
      ["unknown", null],
    ] as const) {
      const checker = new OutcomesAreTrue();
      checker.onOrdered(a, "force-primary");
      checker.onAnswered(a, told("force-primary", outcome), made);
      expect(verdict(checker, () => checker.onEvent(forced))).toEqual(end);
    }
  });

  test("an application hears no clear error of what was done, and no success of what was not", () => {
    const checker = new OutcomesAreTrue();
    const hear = (result: number, isDone: boolean) =>
      verdict(checker, () => checker.onTold({ what: "write", result, isDone }));
    expect([hear(0, true), hear(-28, false), hear(-5, true)]).toEqual([null, null, null]);
    expect(hear(-28, true)).toEqual(breaks("S11"));
    expect(hear(0, false)).toEqual(breaks("S11"));
  });
});

test("S12: a secret in a line that people can read", () => {
  const checker = new NoSecrets();
  expect(verdict(checker, () => checker.onText("all is well"))).toBe(null);
  expect(verdict(checker, () => checker.onText("key CANARY-key-1"))).toEqual(breaks("S12"));
});

test("L1: nobody serves though one could; not one that has other things to wait for", () => {
  const { made, a } = scene();
  const checker = new ServiceReturns();
  made.nowMs = 100_000;
  expect(verdict(checker, () => checker.onStep(made))).toBe(null);
  made.serviceDueSinceMs = 93_000;
  expect(verdict(checker, () => checker.onStep(made))).toBe(null);
  made.nowMs = 100_001;
  expect(verdict(checker, () => checker.onStep(made))).toEqual(breaks("L1"));
  a.accepts = true;
  expect(verdict(checker, () => checker.onStep(made))).toBe(null);
});

test("L2: a pair that does not come together; nor again, after it was", () => {
  const { made } = scene();
  const look = (checker: PairReturns, nowMs: number) => {
    made.nowMs = nowMs;
    return verdict(checker, () => checker.onStep(made));
  };
  made.syncDueSinceMs = 10_000;
  expect(look(new PairReturns(), 41_000)).toBe(null);
  expect(look(new PairReturns(), 41_001)).toEqual(breaks("L2"));
  const checker = new PairReturns();
  made.isInSync = true;
  expect(look(checker, 40_000)).toBe(null);
  // What was in sync a moment ago has its time anew.
  made.isInSync = false;
  expect(look(checker, 41_001)).toBe(null);
  expect(look(checker, 71_001)).toEqual(breaks("L2"));
  made.syncDueSinceMs = null;
  expect(look(checker, 99_000)).toBe(null);
});

describe("L4", () => {
  test("a state without an exit: no copy was lost, or a person does not help either", () => {
    const { made, a } = scene();
    const checker = new EveryStateHasAnExit();
    const judge = (isCopyLost: boolean, isForced: boolean) =>
      verdict(checker, () => checker.onNobodyServes(made, { isCopyLost, isForced }));
    expect(judge(false, false)).toEqual(breaks("L4"));
    expect(judge(true, false)).toBe(null);
    expect(judge(true, true)).toEqual(breaks("L4"));
    a.accepts = true;
    expect(judge(true, true)).toBe(null);
  });

  test("a pair that does not stay together", () => {
    const { made } = scene();
    const checker = new EveryStateHasAnExit();
    expect(verdict(checker, () => checker.onEnd(made))).toEqual(breaks("L4"));
    made.isInSync = true;
    expect(verdict(checker, () => checker.onEnd(made))).toBe(null);
  });
});

test("S9: copies that differ when nobody writes any more", () => {
  const { made, a, b } = scene();
  const checker = new CopiesAreEqual();
  written(made.oracle, [a.tree, b.tree]);
  expect(verdict(checker, () => checker.onEnd(made))).toBe(null);
  written(made.oracle, [a.tree]);
  expect(verdict(checker, () => checker.onEnd(made))).toEqual(breaks("S9"));
});

test("L3: a storm of messages, and one in peace", () => {
  const { made, a } = scene();
  const send = (perSecond: number) => {
    const checker = new NoStorms();
    return verdict(checker, () => {
      for (let n = 0; n < 12 * perSecond; n += 1) {
        made.nowMs = (n * 1000) / perSecond;
        checker.onMessage(a, made);
      }
    });
  };
  expect(send(40)).toBe(null);
  expect(send(60)).toEqual(breaks("L3"));
  made.isIdle = true;
  expect(send(10)).toBe(null);
  expect(send(20)).toEqual(breaks("L3"));
  made.moduleCount = 2;
  expect(send(20)).toBe(null);
});
