import { describe, expect, test } from "vitest";
import { joinPath, splitNames, splitPath } from "./paths.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (path: Uint8Array): string => Buffer.from(path).toString();

describe("paths relative to a tree's root", () => {
  test("the root is the empty path", () => {
    expect(text(joinPath(bytes(""), bytes("a")))).toBe("a");
    expect(text(splitPath(bytes("a")).directory)).toBe("");
    expect(splitNames(bytes(""))).toEqual([]);
  });

  test("joining and splitting undo each other", () => {
    const path = joinPath(joinPath(bytes("a"), bytes("b")), bytes("c"));
    expect(text(path)).toBe("a/b/c");
    expect(splitNames(path).map(text)).toEqual(["a", "b", "c"]);
    const { directory, name } = splitPath(path);
    expect([text(directory), text(name)]).toEqual(["a/b", "c"]);
  });
});
