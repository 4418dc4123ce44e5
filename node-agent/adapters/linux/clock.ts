/**
 * CLOCK_BOOTTIME (clock_gettime(2)): counts on through suspend, is never stepped, and is the same
 * for every process and thread of this machine. Leases are told in it.
 */
import type { BootMs } from "#model/shared/ids.ts";
import { systemCall } from "./library.ts";

const CLOCK_BOOTTIME = 7;
const clockGettime = systemCall<[clock: number, timespec: Uint8Array]>(
  "int clock_gettime(int, void *)",
);

const timespec = new Uint8Array(16);
const words = new DataView(timespec.buffer);

/** Milliseconds since this machine booted, with a fraction. Synchronous, well under 1 µs. */
export function bootMs(): BootMs {
  clockGettime(CLOCK_BOOTTIME, timespec);
  const seconds = words.getUint32(0, true) + words.getUint32(4, true) * 2 ** 32;
  return seconds * 1000 + words.getUint32(8, true) / 1e6;
}
