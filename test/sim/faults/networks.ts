import type { Prng } from "../prng.ts";
import type { SimNode } from "../sim-node.ts";
import type { World } from "../world.ts";
import {
  calm,
  cutLinks,
  cutWitness,
  eitherRole,
  type Fault,
  later,
  offThenOn,
  secondaryPart,
} from "./fault.ts";

export const networks: readonly Fault[] = [
  {
    name: "cutPair",
    rows: ["C05", "C09"],
    lastsMs: [1000, 60_000],
    begin: (world) => cutLinks(world, [["a", "b"]]),
  },
  {
    name: "isolate",
    rows: ["C08", "C09"],
    lastsMs: [1000, 60_000],
    begin: (world, prng) => {
      const { id, peerId } = eitherRole(world, prng);
      return cutLinks(world, [
        [id, peerId],
        [id, "W"],
      ]);
    },
  },
  {
    name: "oneWay",
    rows: ["C10"],
    lastsMs: [1000, 40_000],
    begin: (world, prng) => {
      const [from, to] = prng.pick([
        ["a", "b"],
        ["b", "a"],
        ["a", "W"],
        ["W", "a"],
        ["b", "W"],
        ["W", "b"],
      ] as const);
      const wire = world.net.wire(from, to);
      wire.isCut = true;
      return () => {
        wire.isCut = false;
      };
    },
  },
  {
    name: "flapping",
    rows: ["C11"],
    lastsMs: [10_000, 120_000],
    begin: (world, prng) => flap(world, prng.pick([1000, 5000]), () => [["a", "b"]]),
  },
  {
    name: "swizzle",
    rows: ["C42"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) =>
      flap(world, 700, () =>
        prng.sample(
          [
            ["a", "b"],
            ["a", "W"],
            ["b", "W"],
          ] as const,
          prng.int(1, 2),
        ),
      ),
  },
  {
    name: "badNetwork",
    rows: ["C13"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) => {
      const bad = {
        loss: prng.pick([0, 0.01, 0.05, 0.1, 0.2, 0.3]),
        duplicate: prng.pick([0, 0.05, 0.5]),
        corrupt: prng.pick([0, 0.001, 0.02]),
        jitterMs: prng.pick([0, 5, 40, 400]),
        delayMs: prng.pick([0, 5, 50, 200]),
      };
      world.net.between("a", "b", bad);
      if (prng.chance(0.3)) world.net.between(prng.pick(["a", "b"]), "W", bad);
      return () => {
        for (const [a, b] of [
          ["a", "b"],
          ["a", "W"],
          ["b", "W"],
        ] as const) {
          world.net.between(a, b, calm);
        }
      };
    },
  },
  {
    name: "clog",
    rows: ["C13"],
    lastsMs: [2000, 10_000],
    begin: (world, prng) => {
      const [from, to] = prng.pick([
        ["a", "b"],
        ["b", "a"],
      ] as const);
      const wire = world.net.wire(from, to);
      wire.delayMs = prng.between(500, 5000);
      return () => {
        wire.delayMs = 0;
      };
    },
  },
  {
    name: "cutStreams",
    rows: ["C51"],
    lastsMs: [3000, 60_000],
    begin: (world, prng) => {
      world.sockets.isBlocked = true;
      const undo = prng.chance(0.4) ? cutWitness(world) : null;
      return () => {
        world.sockets.isBlocked = false;
        undo?.();
      };
    },
  },
  {
    name: "cutResync",
    rows: ["C48"],
    lastsMs: [20_000, 60_000],
    begin: (world, prng) => {
      const target = secondaryPart(world, prng);
      const phase = prng.pick(["comparing", "catchingUp", "finalPass", "syncing"]);
      const source = target.peer;
      source.resyncPhase = "";
      target.node.agentDies("killed, so that it is resynced");
      let isOver = false;
      const look = (): void => {
        if (isOver) return;
        if (source.resyncPhase !== phase) {
          later(world, 5, look);
          return;
        }
        world.see(`resync cut in ${phase}`);
        strikeResync(world, prng, source.node);
      };
      look();
      return () => {
        isOver = true;
      };
    },
  },
];

function strikeResync(world: World, prng: Prng, source: SimNode): void {
  switch (prng.pick(["cut", "source", "target", "power"] as const)) {
    case "cut": {
      const undo = cutLinks(world, [["a", "b"]]);
      world.clock.after("calendar", prng.between(100, 6000), undo);
      return;
    }
    case "source":
      source.agentDies("killed as the source of a resync");
      return;
    case "target":
      source.peer.agentDies("killed as the target of a resync");
      return;
    case "power":
      offThenOn(world, source.peer, prng.between(1000, 10_000));
      return;
  }
}

function flap(
  world: World,
  periodMs: number,
  choose: () => readonly (readonly [string, string])[],
): () => void {
  let undo: (() => void) | null = null;
  let isOver = false;
  const turn = (): void => {
    if (isOver) return;
    if (undo === null) undo = cutLinks(world, choose());
    else {
      undo();
      undo = null;
    }
    later(world, periodMs, turn);
  };
  turn();
  return () => {
    isOver = true;
    undo?.();
  };
}
