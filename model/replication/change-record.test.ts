import { describe, expect, test } from "vitest";
import { ChangeRecord, RECORD_LIMITS } from "./change-record.ts";
import { planResync, type TargetRecord } from "./decide-resync.ts";
import { type DirtySnapshot, NOTHING } from "./dirty-set.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const pathsIn = (changes: DirtySnapshot | null): string[] =>
  (changes?.entries ?? []).map(({ path }) => String.fromCharCode(...path));

describe("a change record", () => {
  test("tells what was touched since each point that is not settled", () => {
    const record = new ChangeRecord("");
    record.begin("x:0");
    record.changedDirectory(0, bytes("first"));
    record.begin("x:9");
    record.changedDirectory(0, bytes("second"));
    expect(pathsIn(record.since("x:0"))).toEqual(["first", "second"]);
    expect(pathsIn(record.since("x:9"))).toEqual(["second"]);
    record.settle("x:9");
    expect(record.since("x:0")).toBeNull();
    expect(pathsIn(record.since("x:9"))).toEqual(["second"]);
  });

  test("knows nothing before its first point, and says why when it was given up", () => {
    const record = new ChangeRecord("was never in sync");
    record.changedDirectory(0, bytes("a"));
    expect(record.whyNone).toBe("was never in sync");
    record.begin("x:0");
    expect(record.whyNone).toBeNull();
    record.lose("disk failed");
    expect([record.whyNone, record.since("x:0")]).toEqual(["disk failed", null]);
    expect(record.all().everything).toBe(true);
  });

  test("seeks a file that loses a name after a change in an earlier generation", () => {
    const record = new ChangeRecord("");
    record.begin("x:0");
    record.changedFile(0, bytes("a"), { inode: 7 });
    record.begin("x:9");
    record.lostName(0, 7);
    record.lostName(0, 8);
    expect(record.since("x:9")?.sought).toEqual([{ tree: 0, inode: 7 }]);
  });

  test("more than it can hold is everything, and never more memory", () => {
    const record = new ChangeRecord("", { ...RECORD_LIMITS, entriesMax: 3 });
    record.begin("x:0");
    for (let at = 0; at < 5; at += 1) record.changedDirectory(0, bytes(`${at}`));
    expect(record.since("x:0")?.everything).toBe(true);
    for (let at = 0; at < 40; at += 1) record.begin(`y:${at}`);
    expect(record.points.length).toBeLessThanOrEqual(16);
    expect(record.since("x:0")).toBeNull();
  });

  test("restored from a log, every point may be followed by all of it", () => {
    const record = new ChangeRecord("");
    const entry = { tree: 0, path: bytes("a"), listing: true, subtree: false };
    const changes = { ...NOTHING, entries: [{ ...entry, ranges: [], inodes: [] }] };
    record.restore(["x:0", "x:9"], changes);
    expect(pathsIn(record.since("x:0"))).toEqual(["a"]);
    expect(pathsIn(record.since("x:9"))).toEqual(["a"]);
  });
});

describe("whether a resync compares everything", () => {
  const own = new ChangeRecord("");
  own.begin("x:0");
  own.changedDirectory(0, bytes("ours"));
  const hot = new ChangeRecord("");
  hot.begin("");
  hot.changedDirectory(0, bytes("theirs"));
  const target: TargetRecord = { kind: "record", point: "x:0", hot: hot.all() };

  test("not when both records meet: then where either node touched something", () => {
    const plan = planResync(own, target);
    expect(plan.kind).toBe("delta");
    expect(pathsIn(plan.places)).toEqual(["ours", "theirs"]);
  });

  test.each([
    ["there is no record", { target: { kind: "none", why: "there is no record" } as const }],
    ["different points", { target: { ...target, point: "older:0" } }],
    ["the OS died", { own: new ChangeRecord("the OS died") }],
    ["more changed", { target: { ...target, hot: { ...NOTHING, everything: true } } }],
  ])("yes, and says why: %s", (why, changed) => {
    const given = { own, target, ...changed };
    const plan = planResync(given.own, given.target);
    expect(plan).toMatchObject({ kind: "full", places: { everything: true } });
    expect(plan.why).toContain(why);
  });
});
