import { clocks } from "./clocks.ts";
import { disks } from "./disks.ts";
import type { Fault } from "./fault.ts";
import { machines } from "./machines.ts";
import { networks } from "./networks.ts";
import { addresses, operators } from "./people.ts";
import { processes } from "./processes.ts";
import { witnesses } from "./witnesses.ts";

/** Everything that can be done to the world. */
export const FAULTS: readonly Fault[] = [
  ...processes,
  ...machines,
  ...networks,
  ...witnesses,
  ...disks,
  ...clocks,
  ...addresses,
  ...operators,
];
