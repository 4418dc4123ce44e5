import { ADDRESS_FAULTS } from "../sim-address-driver.ts";
import {
  cutLinks,
  eitherRole,
  type Fault,
  INSTANT,
  later,
  leaderOr,
  leaderPart,
  SWITCHOVER,
  secondaryPart,
} from "./fault.ts";

export const addresses: readonly Fault[] = [
  {
    name: "addressInterface",
    rows: ["C36"],
    lastsMs: [5000, 90_000],
    begin: (world, prng) => {
      const { driver } = world.controlPlane;
      driver.fault = prng.pick(ADDRESS_FAULTS);
      world.see(`address ${driver.fault}`);
      if (prng.chance(0.6)) leaderOr(world, prng).command(SWITCHOVER);
      return () => driver.heal();
    },
  },
  {
    name: "swapsInARow",
    rows: ["C38"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      for (let n = 0; n < 5; n += 1) {
        later(world, n * prng.between(3000, 12_000), () => world.leader()?.command(SWITCHOVER));
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
      eitherRole(world, prng).command(SWITCHOVER);
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
      for (const { hosted } of parts) hosted?.module.command({ kind: "stop" });
      return () => {
        for (const { hosted } of parts) {
          hosted?.module.command({ kind: "start", dataFrom: null });
        }
      };
    },
  },
  {
    name: "applicationStoppedHung",
    rows: ["C46"],
    lastsMs: [3000, 30_000],
    begin: (world, prng) => {
      const { application, hosted } = leaderPart(world, prng);
      application.isHung = application.isRunning;
      hosted?.module.command(SWITCHOVER);
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
      const undo = cutLinks(world, [["a", "b"]]);
      if (prng.chance(0.6)) node.peer.powerCut();
      later(world, prng.between(2000, 10_000), () => {
        const { hosted } = part;
        if (hosted === null) return;
        hosted.module.command({
          kind: "forcePrimary",
          seenEpoch: hosted.module.disk.epoch,
          historyId: `forced-${world.clock.steps}`,
          ...{ by: "ann", reason: "the other is lost", withoutWitness: false },
        });
      });
      return () => {
        undo();
        node.peer.boot();
      };
    },
  },
  {
    name: "restartInPlace",
    rows: ["C43"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      leaderPart(world, prng).hosted?.module.service.restart(null);
      return null;
    },
  },
];
