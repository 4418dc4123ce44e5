import type { World } from "./world.ts";

/** Switches everything on for the first time; false when the fresh pair is not in sync in time. */
export async function startPair(world: World, limitMs: number): Promise<boolean> {
  for (const node of world.both()) node.boot();
  await world.runFor(300);
  for (const part of world.parts()) {
    part.hosted?.module.command({ kind: "start", dataFrom: null });
  }
  return await world.runWhile(() => !world.isInSync(), limitMs);
}
