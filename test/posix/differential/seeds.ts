/** Runs seeds on a pair, and tells of the first that goes wrong, shrunk. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import { Actors } from "../calls/actors.ts";
import { Place } from "../places.ts";
import { temporaryFolder } from "../served-directory.ts";
import { KillablePair } from "./killable-pair.ts";
import { generate, type Item, type Program } from "./program.ts";
import { runProgram, type World } from "./run.ts";
import { shrink } from "./shrink.ts";

/** What is left then is what is told. */
const SHRINKING_MS_MAX = 120_000;

export type Found = {
  readonly seed: number;
  readonly wrong: readonly string[];
  readonly short: string;
};

/** The first seed that goes wrong, or null. `say` is told of progress. */
export async function runSeeds(
  seeds: Iterable<number>,
  say: (text: string) => void,
): Promise<Found | null> {
  const folder = temporaryFolder();
  const place = new Place("ordinary", folder.path, []);
  const disk = path.dirname(place.bare);
  const pair = new KillablePair(path.join(disk, "pair"));
  const actors = await Actors.start();
  try {
    await pair.open();
    const world = { actors, pair, bare: path.join(disk, "programs") };
    mkdirSync(world.bare);
    for (const seed of seeds) {
      const program = generate(seed);
      const wrong = await runProgram(program, world, `seed-${seed}`);
      say(`seed ${seed}: ${wrong.length === 0 ? "the same" : wrong.join("\n  ")}`);
      if (wrong.length > 0) return { seed, wrong, short: await shorten(program, world, say) };
    }
    return null;
  } finally {
    actors.kill();
    await pair.close();
    place.remove();
    folder.remove();
  }
}

async function shorten(program: Program, world: World, say: (text: string) => void) {
  let run = 0;
  let last: string[] = [];
  const isWrong = async (candidate: Program): Promise<boolean> => {
    run += 1;
    const wrong = await runProgram(candidate, world, `shrunk-${program.seed}-${run}`);
    if (wrong.length > 0) last = wrong;
    return wrong.length > 0;
  };
  const endMs = performance.now() + SHRINKING_MS_MAX;
  const { items } = await shrink(program, isWrong, () => performance.now() < endMs);
  say(`shrunk from ${program.items.length} to ${items.length} items in ${run} runs`);
  return [...items.map(tell), ...last].join("\n");
}

const tell = (item: Item): string =>
  `${item.round} ${item.kind === "fault" ? `fault: ${item.fault}` : `${item.kind}: ${item.step.text}`}`;
