import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { mutate } from "./mutant.ts";
import { runMutants } from "./run-mutants.ts";
import { MUTANTS } from "./table.ts";

/** The rest takes minutes: `npm run sim -- --mutants`, and here in the long run. */
const QUICK = ["M06", "M07", "M09", "M14", "M31", "M32", "M33", "M35"];
const isLong = process.env["MIRRORFARM_LONG"] === "1";

const sourceOf = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), "utf8");

test("each mutant's place stands exactly once in the product", () => {
  for (const mutant of MUTANTS) {
    const source = sourceOf(mutant.file);
    expect(mutate(mutant, source), mutant.id).not.toBe(source);
  }
  expect(new Set(MUTANTS.map((m) => m.id)).size).toBe(MUTANTS.length);
});

test("a place that is not there, or twice, is a fault of the table", () => {
  const [mutant] = MUTANTS;
  if (mutant === undefined) throw new Error("no mutants");
  expect(() => mutate({ ...mutant, find: "no such place" }, "a source")).toThrow("0 times");
  expect(() => mutate({ ...mutant, find: "x" }, "x and x")).toThrow("2 times");
});

test(
  "mutants are noticed as the promise that they break",
  async () => {
    const verdicts = await runMutants(
      MUTANTS.filter((m) => isLong || QUICK.includes(m.id)),
      () => {},
    );
    const missed = verdicts.filter((v) => v.caughtBy === null);
    expect(missed).toEqual([]);
    expect(verdicts.length).toBe(isLong ? MUTANTS.length : QUICK.length);
  },
  isLong ? 60 * 60_000 : 120_000,
);
