import { allCheckers } from "../checkers/all.ts";
import type { Checker } from "../checkers/checker.ts";
import { World, type WorldOptions } from "../world.ts";

/** A world whose fresh pair has started and is in sync: `a` leads, as its name comes first. */
export async function pairInSync(
  options: Partial<WorldOptions> = {},
  more: readonly Checker[] = [],
): Promise<World> {
  const world = new World({ seed: 1, checkers: [...allCheckers(), ...more], ...options });
  for (const node of world.both()) node.boot();
  await world.runFor(300);
  for (const node of world.both()) {
    node.agent?.hosted?.module.command({ kind: "start", dataFrom: null });
  }
  if (!(await world.runWhile(() => !world.isInSync(), 30_000))) throw new Error(world.picture());
  return world;
}
