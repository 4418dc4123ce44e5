import { readFileSync } from "node:fs";
import { errnoName } from "../adapters/linux/errno.ts";
import { systemCall } from "../adapters/linux/library.ts";

/** mlock2(2): lock what is resident now, and the rest as it is touched; reads nothing ahead. */
const MLOCK_ONFAULT = 1;
const mlock2 = systemCall<[address: bigint, length: bigint, flags: number]>(
  "int mlock2(uintptr_t, size_t, uint)",
);

/**
 * Keeps the code that this process has run in memory: the kernel may otherwise drop such pages, as
 * it can read them from their file again, and on the way to a fence that disk may hang. Only pages
 * that come from files: V8 gives back parts of its own memory with madvise(2), which fails on
 * locked pages and then ends the process, so mlockall(2) is no choice. Null, or what went wrong.
 */
export function lockCode(): string | null {
  const ranges = readFileSync("/proc/self/maps", "utf8").matchAll(
    /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \S+ +\/.*$/gm,
  );
  for (const [, from, to] of ranges) {
    const [start, end] = [BigInt(`0x${from}`), BigInt(`0x${to}`)];
    const result = mlock2(start, end - start, MLOCK_ONFAULT);
    if (result < 0) return errnoName(result);
  }
  return null;
}
