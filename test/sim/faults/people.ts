import { ADDRESS_FAULTS } from "../sim-address-driver.ts";
import {
  cutLinks,
  eitherRole,
  type Fault,
  INSTANT,
  later,
  leaderOr,
  leaderPart,
  secondaryPart,
} from "./fault.ts";
import { disturbances } from "./processes.ts";

export const addresses: readonly Fault[] = [
  {
    name: "addressInterface",
    rows: ["C36"],
    lastsMs: [5000, 90_000],
    begin: (world, prng) => {
      const { driver } = world.controlPlane;
      driver.fault = prng.pick(ADDRESS_FAULTS);
      if (world.isMovedByCloud) world.see(`address ${driver.fault}`);
      if (prng.chance(0.6)) leaderOr(world, prng).order("switchover");
      return () => driver.heal();
    },
  },
  {
    name: "swapsInARow",
    rows: ["C38"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      for (let n = 0; n < 5; n += 1) {
        later(world, n * prng.between(3000, 12_000), () => world.leader()?.order("switchover"));
      }
      return null;
    },
  },
];

export const operators: readonly Fault[] = [
  {
    name: "switchover",
    rows: ["C43"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      eitherRole(world, prng).order("switchover");
      return null;
    },
  },
  {
    name: "stopStart",
    rows: ["C40"],
    lastsMs: [500, 30_000],
    begin: (world, prng) => {
      const nodes = prng.chance(0.4) ? world.both() : [eitherRole(world, prng)];
      const parts = nodes.map((node) => node.anyPart());
      const remainingMs = prng.pick([300, 60_000]);
      for (const part of parts) part.order("stop", { remainingMs });
      return () => {
        for (const part of parts) part.order("start");
      };
    },
  },
  {
    name: "applicationStoppedHung",
    rows: ["C46"],
    lastsMs: [3000, 30_000],
    begin: (world, prng) => {
      const part = leaderPart(world, prng);
      const { application } = part;
      application.isHung = application.isRunning;
      part.order("switchover");
      return () => {
        application.isHung = false;
      };
    },
  },
  {
    name: "forceInIsolation",
    rows: ["C27"],
    lastsMs: [5000, 30_000],
    begin: (world, prng) => {
      const part = secondaryPart(world, prng);
      const { node } = part;
      const remainingMs = prng.pick([1000, 60_000]);
      const undo = cutLinks(world, [["a", "b"]]);
      if (prng.chance(0.6)) node.peer.powerCut();
      later(world, prng.between(2000, 10_000), () => {
        part.order("force-primary", { reason: "the other is lost", remainingMs });
      });
      return () => {
        undo();
        node.peer.boot();
      };
    },
  },
  {
    name: "maintenance",
    rows: ["C43"],
    lastsMs: [2000, 30_000],
    begin: (world, prng) => {
      const id = world.newId();
      const forMs = prng.int(2000, 40_000);
      const more = { operationId: id, forMs, reason: "new disks" };
      for (const part of prng.pick(world.modules).both()) part.order("maintenance-on", more);
      if (prng.chance(0.5)) prng.pick(disturbances)(world, eitherRole(world, prng));
      return () => {
        world.net.heal();
        for (const part of world.parts()) part.order("maintenance-off");
      };
    },
  },
  {
    name: "restartInPlace",
    rows: ["C43"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      leaderPart(world, prng).order("restart");
      return null;
    },
  },
];
