import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { markedPoint, markOf, setMark } from "./copy-mark.ts";
import { Pair } from "./testing/pair.ts";

const pair = new Pair();
afterAll(() => pair.close());
beforeEach(() => pair.empty());

/** Works on descriptors of both directories. */
function withRoots<T>(use: (source: number, target: number) => T): T {
  const [source, target] = [openSync(pair.source, "r"), openSync(pair.target, "r")];
  try {
    return use(source, target);
  } finally {
    for (const fd of [source, target]) closeSync(fd);
  }
}

test("the oldest mark counts, and one that was never noted says that it is another directory", () => {
  withRoots((one, two) => {
    expect(markedPoint([one, two], ["x:1", "x:2"])).toBeNull();
    for (const fd of [one, two]) expect(setMark(fd, "x:2")).toBe(0);
    expect(markedPoint([one, two], ["x:1", "x:2"])).toBe("x:2");
    setMark(two, "x:1");
    expect(markedPoint([one, two], ["x:1", "x:2"])).toBe("x:1");
    // Put back to an older state than the record knows of.
    expect(markedPoint([one, two], ["x:2", "x:3"])).toBeNull();
  });
});

test("a directory in place of the marked one has no mark", () => {
  withRoots((one) => setMark(one, "x:1"));
  rmSync(pair.source, { recursive: true });
  mkdirSync(pair.source);
  withRoots((one) => expect(markedPoint([one], ["x:1"])).toBeNull());
});

test("a resync leaves each node its own mark", async () => {
  withRoots((source, target) => [setMark(source, "ours"), setMark(target, "theirs")]);
  mkdirSync(join(pair.source, "d"));
  expect(await pair.run()).toMatchObject({ source: { ok: true }, target: { ok: true } });
  withRoots((source, target) => {
    expect([markOf(source), markOf(target)]).toEqual(["ours", "theirs"]);
  });
  expect(pair.differences()).toEqual([]);
});
