import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideVote } from "./decide-vote.ts";
import type { PairDecision } from "./pair.ts";
import type { WitnessRecord } from "./record.ts";
import type { VoteRequest, WitnessSettings } from "./votes.ts";

const settings: WitnessSettings = {
  storeId: "s1",
  nodes: ["a", "b"],
  timers: { witnessLeaseMs: 6000, witnessMarginMs: 300 },
};
const inSyncRecord: WitnessRecord = {
  moduleId: "shop",
  storeId: "s1",
  version: 7,
  epoch: 3,
  historyId: "h1",
  primary: "a",
  inSync: ["a", "b"],
  grant: null,
  requests: [],
  isRecovering: false,
  reports: [],
};
const alone: WitnessRecord = { ...inSyncRecord, inSync: ["a"] };
const held: WitnessRecord = {
  ...inSyncRecord,
  grant: { holder: "a", epoch: 3, expiresAtMs: 10_000 },
};
const head = {
  moduleId: "shop",
  storeId: "s1",
  version: 7,
  pairDecision: null as PairDecision | null,
} as const;
const promoteB = {
  ...head,
  kind: "promote",
  id: "b-1",
  nodeId: "b",
  fromEpoch: 3,
  toEpoch: 4,
  release: null,
  isLastResort: false,
} as const satisfies VoteRequest;
const shrinkA = {
  ...head,
  kind: "grant",
  id: "a-1",
  nodeId: "a",
  epoch: 3,
  inSync: ["a"],
} as const satisfies VoteRequest;
const release = { moduleId: "shop", epoch: 3, from: "a", to: "b", signature: "x" };
const firstA = {
  ...head,
  kind: "firstPrimary",
  id: "a-0",
  nodeId: "a",
  version: 0,
  toEpoch: 1,
  historyId: "h1",
  because: "person",
} as const satisfies VoteRequest;

const decide = (record: WitnessRecord | null, request: VoteRequest, nowMs = 1000) =>
  decideVote(record, request, nowMs, settings);
const outcome = (record: WitnessRecord | null, request: VoteRequest, nowMs = 1000) => {
  const { answer } = decide(record, request, nowMs);
  return answer.kind === "refused" ? answer.refusal : answer.kind;
};

describe("promotion", () => {
  test.each<[string, WitnessRecord | null, VoteRequest, number, string]>([
    ["in the set, no grant", inSyncRecord, promoteB, 1000, "granted"],
    ["another one's grant is live", held, promoteB, 9999, "grantLive"],
    ["its margin is not over", held, promoteB, 10_299, "grantLive"],
    ["grant and margin are over", held, promoteB, 10_300, "granted"],
    ["live grant, but released to it", held, { ...promoteB, release }, 1000, "granted"],
    ["release of an older epoch", held, rel({ epoch: 2 }), 1000, "grantLive"],
    ["release by a node that is not primary", held, rel({ from: "c" }), 1000, "grantLive"],
    ["release to another node", held, rel({ to: "a" }), 1000, "grantLive"],
    ["not in the set", alone, promoteB, 1000, "notInSync"],
    ["an older epoch", inSyncRecord, { ...promoteB, fromEpoch: 2 }, 1000, "deposed"],
    [
      "a newer epoch without proof",
      inSyncRecord,
      { ...promoteB, fromEpoch: 5 },
      1000,
      "witnessBehind",
    ],
    ["an epoch that is used", inSyncRecord, { ...promoteB, toEpoch: 3 }, 1000, "invalid"],
    [
      "decided from an older version",
      inSyncRecord,
      { ...promoteB, version: 6 },
      1000,
      "versionMoved",
    ],
    ["meant for another store", inSyncRecord, { ...promoteB, storeId: "s0" }, 1000, "storeChanged"],
    ["no store known", inSyncRecord, { ...promoteB, storeId: null }, 1000, "storeChanged"],
    ["no record", null, { ...promoteB, version: 0 }, 1000, "noRecord"],
    ["no data node of the module", inSyncRecord, { ...promoteB, nodeId: "c" }, 1000, "invalid"],
  ])("%s", (_, record, request, nowMs, expected) => {
    expect(outcome(record, request, nowMs)).toBe(expected);
  });

  test("writes the new epoch, a set of one, and a grant; the address follows", () => {
    const { record, effects } = decide(inSyncRecord, promoteB);
    expect(record).toMatchObject({
      epoch: 4,
      primary: "b",
      inSync: ["b"],
      version: 8,
      grant: { holder: "b", epoch: 4, expiresAtMs: 7000 },
    });
    expect(effects).toContainEqual({ kind: "reconcile", epoch: 4, primary: "b" });
  });

  test("with a release the old primary stays in the set", () => {
    const { record } = decide(held, { ...promoteB, release });
    expect(record?.inSync).toEqual(["a", "b"]);
  });

  function rel(part: Partial<typeof release>): VoteRequest {
    return { ...promoteB, release: { ...release, ...part } };
  }
});

describe("the primary's requests", () => {
  const growA = { ...shrinkA, kind: "grow", inSync: ["a", "b"] } as const satisfies VoteRequest;
  test.each<[string, WitnessRecord, VoteRequest, string]>([
    ["shrinks the set and renews", inSyncRecord, shrinkA, "granted"],
    ["a grant cannot grow the set", alone, { ...shrinkA, inSync: ["a", "b"] }, "invalid"],
    ["a grant without the asker", inSyncRecord, { ...shrinkA, inSync: ["b"] }, "invalid"],
    ["only the primary", inSyncRecord, { ...shrinkA, nodeId: "b", inSync: ["b"] }, "notPrimary"],
    ["a deposed one", { ...inSyncRecord, epoch: 4, primary: "b" }, shrinkA, "deposed"],
    ["grows", alone, growA, "granted"],
    ["a grow cannot drop a node", inSyncRecord, { ...growA, inSync: ["a"] }, "invalid"],
    ["a grow with a stranger", alone, { ...growA, inSync: ["a", "c"] }, "invalid"],
    ["only the primary grows", alone, { ...growA, nodeId: "b" }, "notPrimary"],
  ])("%s", (_, record, request, expected) => {
    expect(outcome(record, request)).toBe(expected);
  });

  test("a grow drops the grant in the same write", () => {
    const granted = { ...alone, grant: held.grant };
    expect(decide(granted, growA).record).toMatchObject({ grant: null, inSync: ["a", "b"] });
  });
});

describe("late, lost and doubled requests", () => {
  test("a repeat of a granted request is granted again and changes nothing", () => {
    const first = decide(inSyncRecord, promoteB);
    const again = decide(first.record, promoteB, 3000);
    expect(again.answer.kind).toBe("granted");
    expect(again.record).toBe(first.record);
    expect(again.effects).toEqual([]);
  });

  test("a request that changes nothing kills every request decided before it", () => {
    const grow = { ...shrinkA, id: "a-9", kind: "grow", inSync: ["a", "b"] } as const;
    const confirmed = decide(alone, shrinkA).record;
    expect(outcome(confirmed, grow)).toBe("versionMoved");
  });

  test("told no because of a grant: the same request fails also when the grant is over", () => {
    const refused = decide(held, promoteB, 1000);
    expect(refused.record?.version).toBe(8);
    expect(outcome(refused.record, promoteB, 60_000)).toBe("versionMoved");
  });

  test("a shrink and a promotion from the same version: one of them wins, never both", () => {
    fc.assert(
      fc.property(fc.constantFrom(...permutations), (order) => {
        let record: WitnessRecord | null = inSyncRecord;
        const yes: string[] = [];
        for (const request of order) {
          const d = decide(record, request);
          if (d.answer.kind === "granted") yes.push(request.kind);
          record = d.record;
        }
        expect(new Set(yes).size).toBe(1);
      }),
    );
  });
  const permutations: readonly (readonly VoteRequest[])[] = [
    [promoteB, shrinkA, promoteB],
    [shrinkA, promoteB, shrinkA],
    [promoteB, promoteB, shrinkA],
  ];
});

describe("first start", () => {
  test("creates the record, once", () => {
    const { record, answer } = decide(null, firstA);
    expect(answer.kind).toBe("granted");
    expect(record).toMatchObject({ epoch: 1, primary: "a", inSync: ["a"], version: 1 });
    expect(outcome(record, { ...firstA, id: "b-0", nodeId: "b" })).toBe("versionMoved");
    expect(outcome(record, { ...firstA, id: "b-1", nodeId: "b", version: 1 })).toBe("recordExists");
  });
});

describe("a decision of the pair", () => {
  const decision: PairDecision = {
    terms: { moduleId: "shop", epoch: 6, primary: "b", inSync: ["a", "b"], historyId: "h1" },
    signatures: [
      { nodeId: "a", signature: "x" },
      { nodeId: "b", signature: "y" },
    ],
  };
  test("is adopted before the request it came with is judged", () => {
    const ask = { ...promoteB, nodeId: "a", fromEpoch: 6, toEpoch: 7, pairDecision: decision };
    expect(decide(inSyncRecord, ask).record).toMatchObject({ epoch: 7, primary: "a" });
  });
  test("drops a live grant of the older epoch", () => {
    const adopt = {
      ...head,
      kind: "adopt",
      id: "b-2",
      nodeId: "b",
      pairDecision: decision,
    } as const;
    expect(decide(held, adopt).record).toMatchObject({ epoch: 6, primary: "b", grant: null });
  });
  test("is ignored when the record has moved past it", () => {
    const later = { ...inSyncRecord, epoch: 9 };
    const adopt = {
      ...head,
      kind: "adopt",
      id: "b-2",
      nodeId: "b",
      pairDecision: decision,
    } as const;
    expect(decide(later, adopt).record).toMatchObject({ epoch: 9, primary: "a" });
  });
});

describe("a store that lost its memory", () => {
  const diskOf = (part: object) => ({
    epoch: 3,
    historyId: "h1",
    primary: "a",
    inSync: ["a", "b"],
    outdated: false,
    asked: 3,
    ...part,
  });
  const reportOf = (nodeId: string, version: number, part: object = {}): VoteRequest => ({
    ...head,
    kind: "report",
    id: `${nodeId}-r${version}`,
    nodeId,
    version,
    disk: diskOf(part),
  });
  const rebuilt = (a: object, b: object) => {
    const one = decide(null, reportOf("a", 0, a)).record;
    return decide(one, reportOf("b", one?.version ?? 0, b)).record;
  };

  test("promotes nobody until every data node has reported", () => {
    const one = decide(null, reportOf("b", 0)).record;
    expect(one?.isRecovering).toBe(true);
    expect(outcome(one, { ...promoteB, version: 1 })).toBe("recovering");
    expect(outcome(one, { ...firstA, version: 1 })).toBe("recovering");
  });
  test("rebuilds from the highest epoch, and assumes that its primary may hold a grant", () => {
    expect(rebuilt({}, {})).toMatchObject({
      epoch: 3,
      primary: "a",
      inSync: ["a", "b"],
      isRecovering: false,
      grant: { holder: "a" },
    });
  });
  test.each<[string, object, object, readonly string[]]>([
    ["the primary's own set counts", { inSync: ["a"] }, {}, ["a"]],
    ["an outdated node is out", {}, { outdated: true }, ["a"]],
    ["a node of an older epoch is out", {}, { epoch: 2 }, ["a"]],
    ["the primary's disk is lost: nobody else may continue", { epoch: 0 }, {}, ["a"]],
  ])("%s", (_, a, b, expected) => {
    expect(rebuilt(a, b)?.inSync).toEqual(expected);
  });
  test("two histories at one epoch: a person must choose", () => {
    const record = rebuilt({}, { historyId: "h2" });
    expect(record?.isRecovering).toBe(true);
    const force = {
      ...head,
      kind: "force",
      id: "b-f",
      nodeId: "b",
      version: record?.version ?? 0,
      toEpoch: 4,
      historyId: "h3",
      by: "ann",
      reason: "b is newer",
    } as const;
    expect(decide(record, force).record).toMatchObject({ primary: "b", isRecovering: false });
  });
  test("a backup is recognised by its store id, and the nodes' epoch wins", () => {
    const backup = { ...inSyncRecord, storeId: "s0", epoch: 1, version: 40 };
    expect(outcome(backup, { ...promoteB, version: 40 })).toBe("recovering");
    const one = decide(backup, reportOf("a", 40)).record;
    const two = decide(one, reportOf("b", 41)).record;
    expect(two).toMatchObject({ epoch: 3, storeId: "s1", isRecovering: false });
  });
});

describe("force", () => {
  const force = {
    ...head,
    kind: "force",
    id: "b-f",
    nodeId: "b",
    toEpoch: 4,
    historyId: "h2",
    by: "ann",
    reason: "a is gone",
  } as const satisfies VoteRequest;
  test("makes an outdated node primary of a new history, and says so to everybody", () => {
    const { record, effects } = decide(alone, force);
    expect(record).toMatchObject({ epoch: 4, primary: "b", historyId: "h2", inSync: ["b"] });
    expect(effects).toContainEqual(expect.objectContaining({ severity: "critical" }));
  });
  test("not while another node holds a grant, and not below the recorded epoch", () => {
    expect(outcome(held, force)).toBe("grantLive");
    expect(outcome(alone, { ...force, toEpoch: 3 })).toBe("deposed");
  });
});
