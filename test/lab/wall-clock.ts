/**
 * The wall clock of a machine, as an administrator or a wrong time server sets it: libfaketime
 * (Debian: libfaketime) adds what a file says to what programs read as the time of day. Monotonic
 * clocks stay as they are, and CLOCK_BOOTTIME too, which the agent reads past libfaketime, from libc
 * itself; on a real machine no step touches it either (clock_gettime(2)).
 */
import { globSync, renameSync, writeFileSync } from "node:fs";
import type { VirtualMachine } from "./virtual-machine.ts";

const [LIBRARY = null] = globSync("/usr/lib/*/faketime/libfaketimeMT.so.1");
const OFFSET_FILE = "/run/wall-clock";

/** False: a lab on this machine cannot step a clock. */
export const canStepClocks = LIBRARY !== null;

/** For the programs of a machine whose clock shall be steppable; sets it right first. */
export function steppableClock(machine: VirtualMachine): Record<string, string> {
  if (LIBRARY === null) return {};
  stepClock(machine, 0);
  return {
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: OFFSET_FILE,
    // Looked at for each reading of the clock: a step is a step, at once, for every program.
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
}

/** The wall clock of `machine` is this far from the right one, from now on. */
export function stepClock(machine: VirtualMachine, offsetSeconds: number): void {
  const path = machine.path(OFFSET_FILE);
  writeFileSync(`${path}.new`, `${offsetSeconds < 0 ? "" : "+"}${offsetSeconds}`);
  renameSync(`${path}.new`, path);
}
