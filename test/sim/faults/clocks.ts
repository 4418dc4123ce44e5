import { anyNode, type Fault, INSTANT, later } from "./fault.ts";

export const clocks: readonly Fault[] = [
  {
    name: "wallClockStep",
    rows: ["C34"],
    lastsMs: INSTANT,
    begin: (world, prng) => {
      anyNode(world, prng).machine.stepWallClock(prng.pick([-3_600_000, 3_600_000, 2000, -500]));
      return null;
    },
  },
  {
    name: "wallClockStrobe",
    rows: ["C34"],
    lastsMs: [5000, 30_000],
    begin: (world, prng) => {
      const { machine } = anyNode(world, prng);
      let isOver = false;
      let sign = 1;
      const step = (): void => {
        if (isOver) return;
        machine.stepWallClock(sign * 3_600_000);
        sign = -sign;
        later(world, 1000, step);
      };
      step();
      return () => {
        isOver = true;
      };
    },
  },
  {
    name: "clockDrift",
    rows: ["C34"],
    lastsMs: [20_000, 200_000],
    begin: (world, prng) => {
      for (const node of world.both()) node.machine.setRate(prng.between(0.95, 1.05));
      return () => {
        for (const node of world.both()) node.machine.setRate(1);
      };
    },
  },
];
