import { allCheckers } from "../checkers/all.ts";
import type { Checker } from "../checkers/checker.ts";
import { startPair } from "../start-pair.ts";
import { World, type WorldOptions } from "../world.ts";

/** A world whose fresh pair has started and is in sync: `a` leads, as its name comes first. */
export async function pairInSync(
  options: Partial<WorldOptions> = {},
  more: readonly Checker[] = [],
): Promise<World> {
  const checkers = () => [...allCheckers(), ...more];
  const world = new World({ seed: 1, checkers, ...options });
  if (!(await startPair(world, 30_000))) throw new Error(world.picture());
  return world;
}
