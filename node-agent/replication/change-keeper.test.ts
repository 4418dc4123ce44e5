import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Touch } from "#model/replication/hot-places.ts";
import * as file from "../adapters/linux/file.ts";
import { ChangeKeeper } from "./change-keeper.ts";
import { FileChangeStore, notePointNow, readRecordNow } from "./change-store.ts";
import type { Operation } from "./operation.ts";

let folder = "";
let state = "";
let root = -1;
/** Calls for a disk that have not ended, and the peer's acknowledgements that have not come. */
let disk: (() => void)[] = [];
let peer: (() => void)[] = [];
let told: Operation[] = [];
let faults: string[] = [];
let keeper: ChangeKeeper;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mirrorfarm-keeper-"));
  state = join(folder, "state");
  mkdirSync(join(folder, "tree"));
  root = openSync(join(folder, "tree"), "r");
  [told, faults] = [[], []];
  keeper = newKeeper();
});
afterEach(() => {
  closeSync(root);
  rmSync(folder, { recursive: true });
});

/** An agent that starts. */
function newKeeper(): ChangeKeeper {
  [disk, peer] = [[], []];
  const blocking = {
    submit: (kind: string, fd: number, done: (result: number) => void): boolean => {
      disk.push(() => done(kind === "fsync" ? file.fsync(fd) : file.fdatasync(fd)));
      return true;
    },
  };
  const sink = {
    submit: (operation: Operation, done?: () => void): boolean => {
      told.push(operation);
      if (done !== undefined) peer.push(done);
      return true;
    },
    hurry: () => undefined,
  };
  return new ChangeKeeper(new FileChangeStore(state, [root], blocking), sink, (detail) => {
    faults.push(detail);
  });
}

/** Lets the helper threads do all that they have, and what comes of it. */
function settleDisk(): void {
  for (let next = disk.shift(); next !== undefined; next = disk.shift()) next();
}
function answer(): void {
  for (const done of peer.splice(0)) done();
}

const write = (inode: number, path: string, startBytes = 0): Touch => {
  const endBytes = startBytes + 1;
  return { kind: "content", tree: 0, inode, startBytes, endBytes, path: () => Buffer.from(path) };
};
const pathsNoted = (): string[] => {
  const found = readRecordNow(state, [root]);
  if (found.kind === "none") return [found.why];
  return found.record.changes.entries.map(({ path }) => Buffer.from(path).toString());
};

/** In sync at `x:0`, which both have noted. */
function inSync(isAlone: boolean): void {
  notePointNow(state, [root], "x:0");
  keeper.follow("x:0");
  keeper.lead(isAlone);
  settleDisk();
}

describe("a change keeper", () => {
  test("alone lets nothing be touched before its log is on the disk", () => {
    inSync(true);
    expect(keeper.announce([write(7, "a")])).toBe(false);
    expect(keeper.announce([write(7, "a")])).toBe(false);
    expect(pathsNoted()).toEqual(["a"]);
    settleDisk();
    expect(keeper.announce([write(7, "a")])).toBe(true);
    // The same place costs nothing more, another one does.
    expect(disk).toEqual([]);
    expect(keeper.announce([write(7, "a", 2 ** 30)])).toBe(false);
    expect(told).toEqual([]);
  });

  test("in sync waits for the peer's answer, and not for a disk", () => {
    inSync(false);
    expect(keeper.announce([write(7, "a")])).toBe(false);
    expect(told).toMatchObject([{ kind: "touch", what: "content" }]);
    expect(disk).toEqual([]);
    answer();
    expect(keeper.announce([write(7, "a")])).toBe(true);
    expect(told).toHaveLength(1);
  });

  test("lets a directory be renamed after one answer, however often the request is looked at", () => {
    inSync(false);
    const inRoot = { tree: 0, inode: 1, path: () => Buffer.from("") } as const;
    const renaming: Touch[] = [
      { kind: "moves", tree: 0, inode: 8, isDirectory: true },
      { kind: "names", ...inRoot },
    ];
    expect(keeper.announce(renaming)).toBe(false);
    answer();
    expect(keeper.announce(renaming)).toBe(true);
    // Every path below it changed: what is touched there is announced anew.
    expect(keeper.announce([{ kind: "names", ...inRoot }])).toBe(false);
  });

  test("from the moment it is alone all that it noted must be on the disk first", () => {
    inSync(false);
    keeper.announce([write(7, "a")]);
    answer();
    keeper.alone();
    expect(keeper.announce([write(7, "a")])).toBe(false);
    settleDisk();
    expect(keeper.announce([write(7, "a")])).toBe(true);
  });

  test("with the peer back it is told anew, once the disk says that the log is not whole", () => {
    inSync(true);
    keeper.announce([write(7, "a")]);
    settleDisk();
    keeper.together();
    expect(keeper.isTogether).toBe(false);
    expect(keeper.announce([write(7, "a")])).toBe(true);
    settleDisk();
    expect(keeper.isTogether).toBe(true);
    expect(keeper.announce([write(7, "a")])).toBe(false);
    answer();
    expect(keeper.announce([write(7, "a")])).toBe(true);
  });

  test("an agent that starts again as primary finds what it had noted", () => {
    inSync(false);
    keeper.announce([write(7, "a")]);
    keeper = newKeeper();
    keeper.lead(true);
    settleDisk();
    expect(keeper.record.whyNone).toBeNull();
    expect(keeper.record.since("x:0")?.entries).toHaveLength(1);
  });

  test("one that starts as primary from a secondary's record knows nothing", () => {
    notePointNow(state, [root], "x:0");
    keeper.lead(true);
    expect(keeper.record.whyNone).toContain("secondary");
    expect(pathsNoted()).toEqual(["there is no record"]);
    expect(keeper.announce([write(7, "a")])).toBe(true);
  });

  test("a point drops what was touched before it, on the disk when that is safe", () => {
    inSync(false);
    keeper.announce([write(7, "before")]);
    answer();
    const begun = keeper.beginPoint("x:9");
    keeper.announce([write(8, "after")]);
    expect(pathsNoted()).toEqual(["before", "after"]);
    let isDone = false;
    keeper.commitPoint(begun, () => {
      isDone = true;
    });
    expect(pathsNoted()).toEqual(["before", "after"]);
    settleDisk();
    expect([isDone, pathsNoted()]).toEqual([true, ["after"]]);
    expect(keeper.record.points).toEqual(["x:9"]);
  });

  test("a secondary notes a point with what it reaches back to, and then marks its directories", () => {
    keeper.follow("x:0");
    keeper.record.begin("x:9");
    let noted: number | null = null;
    keeper.notePoint("x:9", (result) => {
      noted = result;
    });
    settleDisk();
    expect([noted, readRecordNow(state, [root])]).toMatchObject([0, { point: "x:9" }]);
  });

  test("given up, it says why, and nothing on the disk says otherwise", () => {
    inSync(true);
    keeper.giveUp("an operation failed in part");
    expect(keeper.record.whyNone).toBe("an operation failed in part");
    expect(pathsNoted()).toEqual(["there is no record"]);
    expect(keeper.announce([write(7, "a")])).toBe(true);
    expect(faults).toEqual([]);
  });
});
