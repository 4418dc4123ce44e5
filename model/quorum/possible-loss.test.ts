import { describe, expect, test } from "vitest";
import { type LossFacts, leaversAfter, lossByOwnWord, possibleLoss } from "./possible-loss.ts";

const AT_MS = 1_800_000_000_000;
const own = {
  epoch: 4,
  historyId: "h",
  outdated: true,
  isUnclean: false,
  outdatedSinceMs: null,
} as const;
const facts: LossFacts = {
  node: "b",
  record: { inSync: ["a"], historyId: "h", leftAtMs: AT_MS },
  own,
  alone: [],
};
const loss = (part: Partial<LossFacts>) => possibleLoss({ ...facts, ...part });

describe("what a forced primary may lose", () => {
  test("nothing, where it is in the recorded set and says so itself", () => {
    const record = { inSync: ["a", "b"], historyId: "h", leftAtMs: null };
    expect(loss({ record, own: { ...own, outdated: false } })).toMatchObject({ kind: "none" });
    // The primary has its standing vote, and could not tell the witness yet.
    expect(loss({ record })).toMatchObject({ kind: "unknown" });
  });

  test("what came after the earlier of the two notes", () => {
    expect(loss({})).toMatchObject({ kind: "since", sinceMs: AT_MS, changes: null });
    const earlier = { ...own, outdatedSinceMs: AT_MS - 9000 };
    expect(loss({ own: earlier })).toMatchObject({ kind: "since", sinceMs: AT_MS - 9000 });
    const later = { ...own, outdatedSinceMs: AT_MS + 9000 };
    expect(loss({ own: later })).toMatchObject({ kind: "since", sinceMs: AT_MS });
  });

  test("and after its last word, where it fell silent before it could tell of a promise", () => {
    const silent = { ...own, outdated: false, saidAtMs: AT_MS - 4000 };
    expect(loss({ own: silent })).toMatchObject({ kind: "since", sinceMs: AT_MS - 4000 });
    // It said later that it is out: had it promised, it would have noted when.
    const knows = { ...own, saidAtMs: AT_MS - 4000 };
    expect(loss({ own: knows })).toMatchObject({ kind: "since", sinceMs: AT_MS });
    const record = { inSync: ["a", "b"], historyId: "h", leftAtMs: null };
    const whole = { ...own, outdated: false };
    expect(loss({ record, own: whole })).toMatchObject({ kind: "none" });
    expect(loss({ record, own: { ...whole, isSilent: true } })).toMatchObject({ kind: "unknown" });
  });

  test("so many changes as the other node last told of, if it told of them since", () => {
    const told = { nodeId: "a", changes: 12, bytes: 3400, asOfMs: AT_MS + 60_000 };
    const text = "by its report of 2027-01-15 08:01:00 UTC, a had made 12 changes (3400 bytes";
    expect(loss({ alone: [told] })).toMatchObject({ changes: 12, bytes: 3400 });
    expect(loss({ alone: [told] }).text).toContain(text);
    const before = { ...told, asOfMs: AT_MS - 1 };
    expect(loss({ alone: [before] })).toMatchObject({ kind: "since", changes: null });
  });

  test.each<[string, Partial<LossFacts>]>([
    ["it never reported", { own: null }],
    ["there is no record", { record: null }],
    ["its resync did not end", { own: { ...own, isHalfWritten: true } }],
    ["its state was lost", { own: { ...own, epoch: 0 } }],
    ["its copy is of another history", { own: { ...own, historyId: "old" } }],
    ["nobody noted when it left", { record: { inSync: ["a"], historyId: "h", leftAtMs: null } }],
    [
      "its OS died",
      {
        record: { inSync: ["a", "b"], historyId: "h", leftAtMs: null },
        own: { ...own, outdated: false, isUnclean: true },
      },
    ],
  ])("cannot be told where %s", (_, part) => {
    expect(loss(part)).toMatchObject({ kind: "unknown", sinceMs: null, changes: null });
  });

  test("by its own word: since its promise, or it cannot tell", () => {
    const promised = { ...own, outdatedSinceMs: AT_MS };
    expect(lossByOwnWord("b", promised)).toMatchObject({ kind: "since", sinceMs: AT_MS });
    const mixed = lossByOwnWord("b", { ...promised, isHalfWritten: true });
    expect(mixed.text).toContain("is half-written");
    expect(lossByOwnWord("b", own)).toMatchObject({ kind: "unknown" });
    expect(lossByOwnWord("b", { ...own, outdated: false }).text).toContain("it cannot tell");
  });
});

describe("when a node left the set", () => {
  const row = (inSync: string[]) => ({ inSync, storeId: "s1", isRecovering: false });

  test("is noted when the witness makes the set smaller, and forgotten when it is back", () => {
    const left = leaversAfter([], row(["a", "b"]), row(["a"]), false, 7);
    expect(left).toEqual([{ nodeId: "b", atMs: 7 }]);
    expect(leaversAfter(left, row(["a"]), row(["a"]), false, 9)).toEqual(left);
    expect(leaversAfter(left, row(["a"]), row(["a", "b"]), false, 9)).toEqual([]);
  });

  test("is not known where the set was adopted or rebuilt: it was smaller before", () => {
    const both = row(["a", "b"]);
    expect(leaversAfter([], both, row(["a"]), true, 7)).toEqual([]);
    expect(leaversAfter([], { ...both, isRecovering: true }, row(["a"]), false, 7)).toEqual([]);
    expect(leaversAfter([], both, { ...row(["a"]), storeId: "s2" }, false, 7)).toEqual([]);
    expect(leaversAfter([], null, row(["a"]), false, 7)).toEqual([]);
  });
});
