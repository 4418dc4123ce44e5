import { describe, expect, test } from "vitest";
import { decideVote } from "./decide-vote.ts";
import type { WitnessRecord } from "./record.ts";
import { type Ballot, canDecideWithoutWitness, hasWitnessVote, isMajority } from "./voters.ts";
import type { PromoteRequest, WitnessSettings } from "./votes.ts";

describe("who has a vote", () => {
  test.each([
    { nodes: 1, hasWitness: false, needed: 1 },
    { nodes: 2, hasWitness: true, needed: 2 },
    { nodes: 3, hasWitness: false, needed: 2 },
    { nodes: 4, hasWitness: true, needed: 3 },
    { nodes: 5, hasWitness: false, needed: 3 },
  ])("of $nodes data nodes", ({ nodes, hasWitness, needed }) => {
    const all = ["a", "b", "c", "d", "e"].slice(0, nodes);
    expect(hasWitnessVote(all)).toBe(hasWitness);
    for (let yes = 0; yes <= nodes; yes += 1) {
      expect(isMajority(all, all.slice(0, yes), false)).toBe(yes >= needed);
      expect(isMajority(all, all.slice(0, yes), true)).toBe(yes + (hasWitness ? 1 : 0) >= needed);
    }
  });

  test("a node that is named twice, or is none of the module's, adds nothing", () => {
    expect(isMajority(["a", "b", "c"], ["a", "a", "z"], true)).toBe(false);
  });

  test("only a pair decides without the witness", () => {
    expect(canDecideWithoutWitness(["a", "b"])).toBe(true);
    expect(canDecideWithoutWitness(["a", "b", "c"])).toBe(false);
  });
});

describe("the witness of three data nodes", () => {
  const settings: WitnessSettings = {
    storeId: "s1",
    nodes: ["a", "b", "c"],
    timers: { witnessLeaseMs: 6000, witnessMarginMs: 300 },
  };
  const record: WitnessRecord = {
    ...{ moduleId: "shop", storeId: "s1", version: 7, epoch: 3, historyId: "h1", primary: "a" },
    ...{ inSync: ["a", "b", "c"], grant: null, requests: [], isRecovering: false, reports: [] },
  };
  const head = { moduleId: "shop", storeId: "s1", version: 7, pairDecision: null } as const;
  const terms = { moduleId: "shop", epoch: 4, primary: "b", inSync: ["b"], historyId: "h1" };
  const ballot: Ballot = { nodeId: "c", terms, signature: "of c" };
  const promoteB: PromoteRequest = {
    ...{ ...head, kind: "promote", id: "b-1", nodeId: "b", fromEpoch: 3, toEpoch: 4 },
    ...{ release: null, ballots: [ballot], isLastResort: false },
  };
  const answerTo = (request: PromoteRequest) => decideVote(record, request, 1000, settings);

  test("promotes with another node's vote, and gives no grant of its own", () => {
    const { answer, record: after } = answerTo(promoteB);
    expect(answer.kind).toBe("granted");
    expect(after).toMatchObject({ epoch: 4, primary: "b", inSync: ["b"], grant: null });
  });

  test.each<[string, readonly Ballot[]]>([
    ["none", []],
    ["the asker's own", [{ ...ballot, nodeId: "b" }]],
    ["one of a stranger", [{ ...ballot, nodeId: "z" }]],
    ["one for another node", [{ ...ballot, terms: { ...terms, primary: "c" } }]],
    ["one for another epoch", [{ ...ballot, terms: { ...terms, epoch: 5 } }]],
  ])("refuses where the vote is %s", (_, ballots) => {
    const { answer, record: after } = answerTo({ ...promoteB, ballots });
    expect(answer).toMatchObject({ kind: "refused", refusal: "noMajority" });
    expect(after).toBe(record);
  });

  test("takes a release for the old primary's vote: the two of them are the new set", () => {
    const release = { moduleId: "shop", epoch: 3, from: "a", to: "b", signature: "of a" };
    const { record: after } = answerTo({ ...promoteB, release, ballots: [] });
    expect(after).toMatchObject({ epoch: 4, primary: "b", inSync: ["a", "b"] });
  });

  test("adopts nothing that two of the three signed", () => {
    const signatures = ["a", "b"].map((nodeId) => ({ nodeId, signature: "x" }));
    const pairDecision = { terms: { ...terms, epoch: 9 }, signatures };
    const adopt = { ...head, kind: "adopt", id: "b-2", nodeId: "b", pairDecision } as const;
    expect(decideVote(record, adopt, 1000, settings).record).toMatchObject({ epoch: 3 });
  });
});
