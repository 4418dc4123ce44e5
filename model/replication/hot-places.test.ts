import { describe, expect, test } from "vitest";
import type { DirtySnapshot } from "./dirty-set.ts";
import { EXTENT_BYTES, HotPlaces, type Touch } from "./hot-places.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const END = Number.POSITIVE_INFINITY;

type Write = Extract<Touch, { kind: "content" }>;
function write(inode: number, path: string, startBytes = 0, endBytes = startBytes + 1): Write {
  return { kind: "content", tree: 0, inode, startBytes, endBytes, path: () => bytes(path) };
}
function names(inode: number, path: string): Touch {
  return { kind: "names", tree: 0, inode, path: () => bytes(path) };
}
function name(directory: number, path: string, replaces = false): Touch {
  const at = path.lastIndexOf("/") + 1;
  const last = bytes(path.slice(at));
  return { kind: "name", tree: 0, directory, name: last, path: () => bytes(path), replaces };
}
const lost = (inode: number, path: string): Touch => {
  return { kind: "lostName", tree: 0, inode, path: () => bytes(path) };
};
/** What a log that got all appends would say. */
const shown = (changes: DirtySnapshot): string[] =>
  changes.entries.map(({ path, ranges, listing, subtree }) => {
    const spans = ranges.map((o) => `${o.startBytes / EXTENT_BYTES}-${o.endBytes / EXTENT_BYTES}`);
    return `${String.fromCharCode(...path)}${listing ? " names" : ""}${subtree ? " all" : ""} ${spans}`.trim();
  });

describe("hot places", () => {
  test("a place is written down once, and each of its parts", () => {
    const hot = new HotPlaces();
    expect(hot.touch(write(7, "a"))).toBe(1);
    expect(hot.takeFresh()).not.toBeNull();
    expect(hot.touch(write(7, "a", 100, 4096))).toBe(1);
    expect(hot.takeFresh()).toBeNull();
    expect(hot.touch(write(7, "a", 3 * EXTENT_BYTES))).toBe(2);
    expect(shown(hot.takeFresh() ?? hot.snapshot())).toEqual(["a 3-4"]);
    expect(shown(hot.snapshot())).toEqual(["a 0-1,3-4"]);
    hot.touch(write(7, "a", 5 * EXTENT_BYTES, END));
    expect(shown(hot.snapshot())).toEqual(["a 0-1,3-4,5-Infinity"]);
    hot.takeFresh();
    hot.touch(write(7, "a", 9 * EXTENT_BYTES));
    expect(hot.takeFresh()).toBeNull();
  });

  test("in sync a new name need not wait for the disk, one that is replaced must", () => {
    const hot = new HotPlaces();
    expect(hot.touch(names(1, ""))).toBeGreaterThan(0);
    expect(hot.touch(name(1, "new"))).toBe(0);
    expect(hot.takeFresh()?.entries).toHaveLength(2);
    expect(hot.touch(name(1, "old", true))).toBeGreaterThan(0);
  });

  test("alone everything must", () => {
    const hot = new HotPlaces();
    hot.isStrict = true;
    expect(hot.touch(name(1, "new"))).toBeGreaterThan(0);
  });

  test("what was born since the last point is covered by its name", () => {
    const hot = new HotPlaces();
    hot.touch(name(1, "dir"));
    hot.born(0, 5);
    hot.takeFresh();
    expect([hot.touch(names(5, "dir")), hot.touch(name(5, "dir/file"))]).toEqual([0, 0]);
    hot.born(0, 6);
    expect(hot.touch(write(6, "dir/file"))).toBe(0);
    expect(hot.takeFresh()).toBeNull();
    // The next point has all of it, so what comes after is to be written down.
    hot.beginPoint();
    expect(hot.touch(write(6, "dir/file"))).toBeGreaterThan(0);
    expect(hot.touch(names(5, "dir"))).toBeGreaterThan(0);
  });

  test("a moved file is written down under its new name, and all files below a moved directory", () => {
    const hot = new HotPlaces();
    hot.touch(write(7, "d/a"));
    hot.touch({ kind: "moves", tree: 0, inode: 7, isDirectory: false });
    hot.touch(write(7, "d/b"));
    hot.touch({ kind: "moves", tree: 0, inode: 3, isDirectory: true });
    hot.touch(write(7, "e/b"));
    expect(shown(hot.snapshot())).toEqual(["d/a 0-1", "d/b 0-1", "e/b 0-1"]);
  });

  test("a file that loses a name is sought, if it was touched, whatever its path is by now", () => {
    const hot = new HotPlaces();
    hot.touch(write(7, "d/a"));
    hot.touch({ kind: "moves", tree: 0, inode: 3, isDirectory: true });
    hot.takeFresh();
    expect(hot.touch(lost(8, "x"))).toBe(0);
    expect(hot.touch(lost(7, "e/a"))).toBeGreaterThan(0);
    const { sought, lostNames } = hot.takeFresh() ?? {};
    expect(sought).toEqual([{ tree: 0, inode: 7 }]);
    expect(lostNames).toEqual([{ tree: 0, path: bytes("e/a") }]);
  });

  test("a point forgets what was touched before it, when it is settled and not before", () => {
    const hot = new HotPlaces();
    hot.touch(write(1, "cold"));
    const failed = hot.beginPoint();
    hot.touch(write(2, "warm"));
    const begun = hot.beginPoint();
    hot.touch(write(3, "hot"));
    expect(shown(hot.snapshot())).toEqual(["cold 0-1", "warm 0-1", "hot 0-1"]);
    hot.settle(failed);
    expect(shown(hot.snapshot())).toEqual(["warm 0-1", "hot 0-1"]);
    hot.settle(begun);
    expect(shown(hot.snapshot())).toEqual(["hot 0-1"]);
  });

  test("what was announced before a point began is announced again after it", () => {
    const hot = new HotPlaces();
    hot.touch(write(1, "a"));
    hot.takeFresh();
    hot.beginPoint();
    expect(hot.touch(write(1, "a"))).toBeGreaterThan(0);
    expect(shown(hot.takeFresh() ?? hot.snapshot())).toEqual(["a 0-1"]);
  });

  test("a place whose path cannot be told makes everything hot until a later point", () => {
    const hot = new HotPlaces();
    hot.touch({ ...write(1, ""), path: () => -2 });
    expect(hot.takeFresh()?.everything).toBe(true);
    expect(hot.snapshot().everything).toBe(true);
    hot.settle(hot.beginPoint());
    expect(hot.snapshot().everything).toBe(false);
  });

  test("a file without a name is nothing that could ever be compared", () => {
    const hot = new HotPlaces();
    expect(hot.touch({ ...write(1, ""), path: () => null })).toBe(0);
    expect(hot.takeFresh()).toBeNull();
  });
});
