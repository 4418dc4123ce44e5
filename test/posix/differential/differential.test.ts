/**
 * Random programs (program.ts) do the same on a bare directory and on a replicating pair, whatever
 * happens to the pair meanwhile.
 */
import { describe, expect, test } from "vitest";
import { bound, cases, IS_LONG } from "../../setup/length.ts";
import { whyNotRun } from "../served-directory.ts";
import { generate } from "./program.ts";
import { runSeeds } from "./seeds.ts";
import { shrink } from "./shrink.ts";

const notRun = whyNotRun();
const SEEDS = 10;
const SEED_MS_MAX = 60_000;
/** A long run takes seeds that nobody has tried. */
const FIRST_OF_LONG = 1_000_000;

describe.skipIf(notRun !== null)(`a replicating pair ${notRun ?? ""}`, () => {
  test(
    "does what a bare directory does, through cut links and killed peers",
    async () => {
      const first = IS_LONG ? FIRST_OF_LONG + Math.floor(Math.random() * FIRST_OF_LONG) : 1;
      const seeds = Array.from({ length: cases(SEEDS) }, (_, at) => first + at);
      const found = await runSeeds(seeds, () => undefined);
      const again = `node test/posix/differential/main.ts ${found?.seed}`;
      expect(found, `${again}\n${found?.wrong.join("\n")}\n${found?.short}`).toBeNull();
    },
    bound(SEEDS * SEED_MS_MAX),
  );
});

describe("a random program", () => {
  test("depends on its seed alone", () => {
    expect(generate(7)).toEqual(generate(7));
    expect(generate(7)).not.toEqual(generate(8));
  });

  test("is shrunk to what goes wrong", async () => {
    const program = generate(7);
    const [first, second] = [program.items[40], program.items[200]];
    const isWrong = ({ items }: typeof program) =>
      Promise.resolve([first, second].every((item) => items.some((one) => one === item)));
    const { items } = await shrink(program, isWrong, () => true);
    expect(items).toEqual([first, second]);
  });
});
