import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cases } from "../../test/setup/length.ts";
import { type ByteRange, DIRTY_LIMITS, DirtySet, EVERYTHING } from "./dirty-set.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const FILE = { inode: 7 };
const only = (set: DirtySet): readonly ByteRange[] => {
  const { entries } = set.take();
  expect(entries).toHaveLength(1);
  return entries[0]?.ranges ?? [];
};

describe("dirty set", () => {
  test("a path reported several ways is one entry that says all of them", () => {
    const set = new DirtySet();
    set.changedFile(0, bytes("a"), { ...FILE, offsetBytes: 0, lengthBytes: 10 });
    set.changedDirectory(0, bytes("a"));
    set.changedSubtree(0, bytes("a"));
    expect(set.take().entries).toEqual([
      {
        tree: 0,
        path: bytes("a"),
        listing: true,
        subtree: true,
        ranges: [{ startBytes: 0, endBytes: 16384 }],
        inodes: [7],
      },
    ]);
    expect(set.isEmpty).toBe(true);
  });

  test("the same path in two trees is two entries", () => {
    const set = new DirtySet();
    set.changedFile(0, bytes("a"), FILE);
    set.changedFile(1, bytes("a"), FILE);
    expect(set.take().entries.map((entry) => entry.tree)).toEqual([0, 1]);
  });

  test("names that are not UTF-8 stay apart", () => {
    const set = new DirtySet();
    set.changedFile(0, Uint8Array.of(0xff), FILE);
    set.changedFile(0, Uint8Array.of(0xfe), FILE);
    set.changedFile(0, Uint8Array.of(0xc3, 0xbf), FILE);
    expect(set.size).toBe(3);
  });

  test("knows each file that was changed under a name, also after it was put back", () => {
    const set = new DirtySet({ ...DIRTY_LIMITS, inodesMax: 3 });
    for (const inode of [7, 8n, 7]) set.changedFile(0, bytes("a"), { inode, lengthBytes: 0 });
    set.add(set.take());
    expect(set.take().entries[0]?.inodes).toEqual([7, 8n]);
    for (const inode of [1, 2, 3, 4]) set.changedFile(0, bytes("a"), { inode, lengthBytes: 0 });
    expect(set.isEverything).toBe(true);
  });

  test("keeps its own copy of a path", () => {
    const set = new DirtySet();
    const path = bytes("a");
    set.changedFile(0, path, FILE);
    path[0] = 0x62;
    expect(set.take().entries[0]?.path).toEqual(bytes("a"));
  });

  test("attributes alone make no range, and no range means the whole file", () => {
    const set = new DirtySet();
    set.changedFile(0, bytes("a"), { ...FILE, offsetBytes: 0, lengthBytes: 0 });
    expect(only(set)).toEqual([]);
    set.changedFile(0, bytes("a"), FILE);
    expect(only(set)).toEqual([{ startBytes: 0, endBytes: Number.POSITIVE_INFINITY }]);
  });

  test.each([
    { limits: { ...DIRTY_LIMITS, entriesMax: 3 }, paths: ["a", "b", "c", "d"] },
    { limits: { ...DIRTY_LIMITS, pathBytesMax: 5 }, paths: ["abc", "def"] },
  ])("becomes everything at a bound, and can be taken and used again", ({ limits, paths }) => {
    const set = new DirtySet(limits);
    for (const path of paths) set.changedFile(0, bytes(path), FILE);
    expect(set.isEverything).toBe(true);
    set.changedDirectory(0, bytes("later"));
    expect(set.take()).toEqual(EVERYTHING);
    set.changedDirectory(0, bytes("a"));
    expect(set.take().entries).toHaveLength(1);
  });

  test("what could not be handled can be put back", () => {
    const set = new DirtySet();
    set.changedFile(0, bytes("a"), { ...FILE, offsetBytes: 0, lengthBytes: 16384 });
    const before = set.take();
    set.changedFile(0, bytes("a"), { ...FILE, offsetBytes: 16384, lengthBytes: 16384 });
    set.changedDirectory(0, bytes("b"));
    set.add(before);
    expect(set.take().entries[0]?.ranges).toEqual([{ startBytes: 0, endBytes: 32768 }]);
    set.add(EVERYTHING);
    expect(set.isEverything).toBe(true);
  });

  test("ranges cover every byte reported, sorted, apart and within the bound", () => {
    const report = fc.record({
      offset: fc.nat({ max: 1 << 26 }),
      length: fc.oneof(fc.integer({ min: 1, max: 1 << 20 }), fc.constant(Number.POSITIVE_INFINITY)),
    });
    fc.assert(
      fc.property(fc.array(report, { minLength: 1, maxLength: 60 }), (reports) => {
        const set = new DirtySet({ ...DIRTY_LIMITS, rangesMax: 8 });
        for (const { offset, length } of reports)
          set.changedFile(0, bytes("a"), { ...FILE, offsetBytes: offset, lengthBytes: length });
        const ranges = only(set);
        expect(ranges.length).toBeLessThanOrEqual(8);
        ranges.forEach((range, index) => {
          expect(range.startBytes).toBeLessThan(range.endBytes);
          const before = ranges[index - 1];
          if (before !== undefined) expect(before.endBytes).toBeLessThan(range.startBytes);
        });
        for (const { offset, length } of reports) {
          const covering = ranges.find(
            (range) => range.startBytes <= offset && range.endBytes >= offset + length,
          );
          expect(covering).toBeDefined();
        }
      }),
      { numRuns: cases(200) },
    );
  });
});
