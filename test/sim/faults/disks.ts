import type { Prng } from "../prng.ts";
import type { SimNode } from "../sim-node.ts";
import type { World } from "../world.ts";
import { bootLater, cutLinks, eitherRole, type Fault, INSTANT, offThenOn } from "./fault.ts";

export const disks: readonly Fault[] = [
  {
    name: "diskFull",
    rows: ["C14"],
    lastsMs: [2000, 60_000],
    begin: (world, prng) => dataError(diskTargets(world, prng), "ENOSPC"),
  },
  {
    name: "diskError",
    rows: ["C15", "C16"],
    lastsMs: [1000, 30_000],
    begin: (world, prng) => dataError([eitherRole(world, prng)], "EIO"),
  },
  {
    name: "diskReadOnly",
    rows: ["C17"],
    lastsMs: [1000, 30_000],
    begin: (world, prng) => dataError([eitherRole(world, prng)], "EROFS"),
  },
  {
    name: "diskSlow",
    rows: ["C18"],
    lastsMs: [2000, 40_000],
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      const { faults } = node;
      node.hadDiskFault = true;
      faults.slowMs = prng.pick([200, 1000, 5000, 30_000, Number.POSITIVE_INFINITY]);
      return () => {
        faults.slowMs = 0;
      };
    },
  },
  {
    name: "stateDiskError",
    rows: ["C19"],
    lastsMs: [2000, 30_000],
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      const { faults } = node;
      faults.stateError = prng.pick(["EIO", "ENOSPC", "EROFS"]);
      node.hadDiskFault = true;
      // It shows when something is to be kept.
      if (prng.chance(0.7)) world.net.between("a", "b", { isCut: true });
      return () => {
        faults.stateError = null;
        world.net.between("a", "b", { isCut: false });
        // A node whose state could not be kept takes part again when its agent starts anew.
        node.agentDies("restarted after its state disk was repaired");
      };
    },
  },
  {
    name: "configurationWiped",
    rows: ["C45"],
    lastsMs: [1000, 20_000],
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      for (const part of node.parts) part.isConfigured = false;
      const undo = prng.chance(0.5) ? cutLinks(world, [[node.id, "W"]]) : null;
      node.agentDies("restarted without its module files");
      return undo;
    },
  },
  {
    name: "quorumFileDamaged",
    rows: ["C20"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      if (!world.mayForget(node.id)) return null;
      for (const part of node.parts) part.disk.damageQuorum();
      node.agentDies("restarted with a damaged file");
      world.needsPerson = true;
      return null;
    },
  },
  {
    name: "diskReplaced",
    rows: ["C21"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      if (!world.mayForget(node.id)) return null;
      offThenOn(world, node, prng.between(2000, 20_000), () => {
        node.replaceDisk();
        world.needsPerson = true;
      });
      return null;
    },
  },
  {
    name: "rolledBack",
    rows: ["C22"],
    lastsMs: [10_000, 60_000],
    begin: (world, prng) => {
      const node = eitherRole(world, prng);
      // What a snapshot of a running machine's disk holds is what was flushed by then.
      const restore = node.snapshotDisk();
      const epochs = world.modules.map(({ authority }) => authority.epoch);
      if (prng.chance(0.7)) node.order("switchover");
      return () => {
        // Within the same epoch nothing on the disk tells: documented as not protected.
        const isOld = world.modules.every(({ authority }, at) => authority.epoch !== epochs[at]);
        if (!isOld || !world.mayForget(node.id)) return;
        node.powerCut();
        restore();
        world.needsPerson = true;
        bootLater(world, node, 2000);
      };
    },
  },
];

function diskTargets(world: World, prng: Prng): readonly SimNode[] {
  return prng.chance(0.2) ? world.both() : [eitherRole(world, prng)];
}

function dataError(nodes: readonly SimNode[], error: "EIO" | "ENOSPC" | "EROFS"): () => void {
  for (const node of nodes) {
    node.faults.dataError = error;
    node.hadDiskFault = true;
  }
  return () => {
    for (const node of nodes) node.faults.dataError = null;
  };
}
