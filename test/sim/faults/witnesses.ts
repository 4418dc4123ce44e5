import {
  cutLinks,
  cutWitness,
  type Fault,
  later,
  leaderOr,
  offThenOn,
  secondaryOr,
} from "./fault.ts";

export const witnesses: readonly Fault[] = [
  { name: "witnessAway", rows: ["C06"], lastsMs: [5000, 120_000], begin: cutWitness },
  {
    name: "witnessThenPeer",
    rows: ["C07", "C50"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) => {
      const node = secondaryOr(world, prng);
      const [first, second] = prng.chance(0.5) ? ["W", "peer"] : ["peer", "W"];
      let undo: () => void = () => undefined;
      const strike = (what: string | undefined): void => {
        if (what === "W") undo = cutWitness(world);
        else if (prng.chance(0.5)) offThenOn(world, node, prng.between(5000, 40_000));
        else node.order("stop");
      };
      strike(first);
      let isOver = false;
      later(world, prng.between(500, 8000), () => {
        if (!isOver) strike(second);
      });
      return () => {
        isOver = true;
        undo();
      };
    },
  },
  {
    name: "witnessAwayPowerCycle",
    rows: ["C54"],
    lastsMs: [20_000, 60_000],
    begin: (world, prng) => {
      const undo = cutWitness(world);
      const node = leaderOr(world, prng);
      later(world, 4000, () => offThenOn(world, node, prng.between(2000, 15_000)));
      return undo;
    },
  },
  {
    name: "witnessSlow",
    rows: ["C28"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) => {
      const { faults, store } = world.controlPlane;
      faults.delayMs = prng.pick([500, 2000, 5000, 20_000]);
      store.faults.latencyMs = prng.pick([3, 100, 800]);
      return () => {
        faults.delayMs = 0;
        store.faults.latencyMs = 3;
      };
    },
  },
  {
    name: "raceAtWitness",
    rows: ["C05", "C28"],
    lastsMs: [4000, 15_000],
    begin: (world, prng) => {
      const { faults } = world.controlPlane;
      const undo = cutLinks(world, [["a", "b"]]);
      faults.delayMs = prng.between(200, 1500);
      // One of the two questions comes later than it was asked.
      const wire = world.net.wire(prng.pick(["a", "b"]), "W");
      wire.delayMs = prng.pick([0, 1500, 3000]);
      return () => {
        undo();
        faults.delayMs = 0;
        wire.delayMs = 0;
      };
    },
  },
  {
    name: "witnessNonsense",
    rows: ["C29"],
    lastsMs: [5000, 60_000],
    begin: (world, prng) => {
      const { faults, store } = world.controlPlane;
      faults.nonsense = prng.pick([0, 0.3, 1]);
      store.faults.throttled = prng.pick([0, 0.3, 1]);
      store.faults.failing = prng.pick([0, 0.3]);
      return () => {
        faults.nonsense = 0;
        Object.assign(store.faults, { throttled: 0, failing: 0 });
      };
    },
  },
  {
    name: "lostReplies",
    rows: ["C30"],
    lastsMs: [5000, 90_000],
    begin: (world, prng) => {
      const { faults, store } = world.controlPlane;
      faults.echo = prng.pick([0, 0.3, 1]);
      Object.assign(store.faults, {
        lostReply: prng.pick([0, 0.3, 1]),
        lateCommit: prng.pick([0, 0.3]),
      });
      const lossy = prng.pick([0, 0.5, 1]);
      for (const id of ["a", "b"]) world.net.wire("W", id).loss = lossy;
      // The peer goes while answers are lost: then they matter.
      if (prng.chance(0.7)) {
        const undo = cutLinks(world, [["a", "b"]]);
        world.clock.after("calendar", prng.between(1000, 20_000), undo);
      }
      return () => {
        faults.echo = 0;
        Object.assign(store.faults, { lostReply: 0, lateCommit: 0 });
        for (const id of ["a", "b"]) world.net.wire("W", id).loss = 0;
      };
    },
  },
  {
    name: "storeRestored",
    rows: ["C31"],
    lastsMs: [2000, 30_000],
    begin: (world, prng) => {
      const { controlPlane } = world;
      controlPlane.store.takeBackup();
      const isEmpty = prng.chance(0.4);
      return () => {
        if (world.mayForget("W")) controlPlane.restoreStore(isEmpty);
      };
    },
  },
  {
    name: "witnessRestarts",
    rows: ["C06"],
    lastsMs: [500, 10_000],
    begin: (world) => {
      const { controlPlane } = world;
      controlPlane.faults.isDown = true;
      return () => {
        controlPlane.faults.isDown = false;
        controlPlane.restart();
      };
    },
  },
];
