import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { Pair } from "./testing/pair.ts";

const pair = new Pair();
afterAll(() => pair.close());
beforeEach(() => pair.empty());

describe("a resync", () => {
  test("copies a small tree", async () => {
    mkdirSync(join(pair.source, "d"));
    writeFileSync(join(pair.source, "d/a"), "hello");
    writeFileSync(join(pair.source, "big"), Buffer.alloc(3_000_000, 7));
    const { source, target } = await pair.run();
    expect(source).toMatchObject({ ok: true });
    expect(target).toMatchObject({ ok: true });
    expect(pair.differences()).toEqual([]);
    expect(pair.isMarked).toBe(false);
  });
});
