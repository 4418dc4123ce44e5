import type { Prng } from "../prng.ts";
import type { SimNode } from "../sim-node.ts";
import type { World } from "../world.ts";
import {
  bootLater,
  eitherRole,
  type Fault,
  INSTANT,
  later,
  offThenOn,
  secondaryOr,
} from "./fault.ts";

export const machines: readonly Fault[] = [
  {
    name: "freezeShort",
    rows: ["C03"],
    lastsMs: [300, 1000],
    begin: (world, prng) => freeze(world, [eitherRole(world, prng)], prng),
  },
  {
    name: "freezeLong",
    rows: ["C04"],
    lastsMs: [2000, 60_000],
    begin: (world, prng) => freeze(world, [eitherRole(world, prng)], prng),
  },
  {
    name: "freezeBoth",
    rows: ["C04"],
    lastsMs: [1000, 20_000],
    begin: (world, prng) => freeze(world, world.both(), prng),
  },
  {
    name: "powerCut",
    rows: ["C12"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      offThenOn(world, eitherRole(world, prng), prng.between(5000, 40_000));
      return null;
    },
  },
  {
    name: "quickReset",
    rows: ["C53"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      offThenOn(world, secondaryOr(world, prng), prng.between(100, 1200));
      return null;
    },
  },
  {
    name: "powerCutBoth",
    rows: ["C24"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      const [first, last] = prng.chance(0.5) ? world.both() : [...world.both()].reverse();
      if (first === undefined || last === undefined) return null;
      world.see(`boot with {${world.authority.inSync}}`);
      offThenOn(world, first, prng.between(1000, 5000));
      offThenOn(world, last, prng.between(15_000, 60_000));
      return null;
    },
  },
  {
    name: "bootBoth",
    rows: ["C25"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      world.see(`boot with {${world.authority.inSync}}`);
      const offMs = prng.between(500, 5000);
      for (const node of world.both()) offThenOn(world, node, offMs);
      return null;
    },
  },
  {
    name: "bootWrongFirst",
    rows: ["C26"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      const node = secondaryOr(world, prng);
      node.powerCut();
      later(world, 8000, () => {
        world.see(`boot with {${world.authority.inSync}}`);
        node.peer.powerCut();
        bootLater(world, node, 1000);
        bootLater(world, node.peer, prng.between(5000, 30_000));
      });
      return null;
    },
  },
];

function freeze(world: World, nodes: readonly SimNode[], prng: Prng): () => void {
  const how = prng.pick(["stopped", "paused"] as const);
  world.see(`freeze ${how}`);
  for (const node of nodes) {
    const isAnswering = node.parts.some((part) => (part.server?.pendingCount ?? 0) > 0);
    if (isAnswering) world.see("freeze between a call and its answer");
    node.machine.stop(how);
  }
  return () => {
    for (const node of nodes) node.machine.resume();
  };
}
