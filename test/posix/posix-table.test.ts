import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FAMILIES } from "./families.ts";
import { DOCUMENT, renewed } from "./posix-table.ts";

test("docs/POSIX.md says of the suite what the suite says", () => {
  const document = readFileSync(DOCUMENT, "utf8");
  expect(renewed(document) === document, "stale: run node test/posix/posix-table.ts").toBe(true);
});

test("no two cases of a family have the same name or the same calls", () => {
  for (const { title, cases } of FAMILIES) {
    const names = cases.map(({ name }) => name);
    expect([title, names.length]).toEqual([title, new Set(names).size]);
    const calls = cases.map(({ steps }) => steps.map(({ text }) => text).join("\n"));
    expect([title, calls.length]).toEqual([title, new Set(calls).size]);
  }
});
