import type { Prng } from "../prng.ts";
import type { SimNode } from "../sim-node.ts";
import type { SimPart } from "../sim-part.ts";
import type { World } from "../world.ts";

/**
 * Everything that can be done to the world, by the rows of the fault matrix. A fault begins, and
 * says how it is undone when its time is over; an instant one has nothing to undo.
 */
export type Fault = {
  readonly name: string;
  readonly rows: readonly string[];
  /** How long it lasts, in milliseconds. */
  readonly lastsMs: readonly [number, number];
  readonly begin: (world: World, prng: Prng) => (() => void) | null;
};

export const INSTANT = [0, 0] as const;
export const SECONDS = [500, 30_000] as const;

export const anyNode = (world: World, prng: Prng): SimNode => prng.pick(world.both());
export const leaderOr = (world: World, prng: Prng): SimNode => leaderPart(world, prng).node;
export const secondaryOr = (world: World, prng: Prng): SimNode => secondaryPart(world, prng).node;
/** That of one of the modules that is served, or stands by to serve. */
export const leaderPart = (world: World, prng: Prng): SimPart => {
  const module = prng.pick(world.modules);
  return module.leader() ?? prng.pick(module.both());
};
export const secondaryPart = (world: World, prng: Prng): SimPart => {
  const module = prng.pick(world.modules);
  return module.leader()?.peer ?? prng.pick(module.both());
};
export const eitherRole = (world: World, prng: Prng): SimNode =>
  prng.chance(0.6) ? leaderOr(world, prng) : secondaryOr(world, prng);

export const calm = { loss: 0, duplicate: 0, corrupt: 0, jitterMs: 0, delayMs: 0 };

export function cutLinks(world: World, pairs: readonly (readonly [string, string])[]): () => void {
  for (const [a, b] of pairs) world.net.between(a, b, { isCut: true });
  return () => {
    for (const [a, b] of pairs) world.net.between(a, b, { isCut: false });
  };
}

export function bootLater(world: World, node: SimNode, delayMs: number): void {
  world.clock.after("calendar", delayMs, () => node.boot());
}

/** A later part of a fault: it does not come any more once people have mended everything. */
export function later(world: World, delayMs: number, run: () => void): void {
  const { era } = world;
  world.clock.after("calendar", delayMs, () => {
    if (world.era !== era) return;
    world.disturb();
    run();
  });
}

export function offThenOn(world: World, node: SimNode, offMs: number, between?: () => void): void {
  node.powerCut();
  between?.();
  bootLater(world, node, offMs);
}

export function cutWitness(world: World): () => void {
  world.see("W away");
  return cutLinks(world, [
    ["a", "W"],
    ["b", "W"],
  ]);
}
