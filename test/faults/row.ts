import type { NodeName } from "../lab/cluster.ts";
import type { World } from "./world.ts";

const isLong = process.env["MIRRORFARM_LONG"] === "1";

/** One row of docs/LAB.md's table. It begins with the pair in step, and is judged when it ends. */
export type Row = {
  /** `C05`, or `gap` and the like for what the fault matrix has no row for. */
  readonly id: string;
  /** What is true afterwards, as a sentence. */
  readonly title: string;
  /** A wall clock is stepped: not everywhere possible. */
  readonly needsClock?: true;
  run(world: World, primary: NodeName): Promise<void>;
};

/** A duration or count: short in `npm test`, as the fault matrix has it in `npm run test:long`. */
export const pick = <T>(short: T, long: T): T => (isLong ? long : short);
