/**
 * Memory that several processes see, and that lasts for as long as one of them keeps it open
 * (memfd_create(2)). No file and no disk is behind it, so that nobody who writes to it ever waits.
 */
import { openSync } from "node:fs";
import { assert } from "#model/shared/assert.ts";
import { errnoName } from "./errno.ts";
import { cString, memoryAt, systemCall } from "./library.ts";

const MFD_CLOEXEC = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

const memfdCreate = systemCall<[name: Uint8Array, flags: number]>(
  "int memfd_create(const void *, uint)",
);
const ftruncateCall = systemCall<[fd: number, bytes: number]>("int ftruncate(int, long)");
const mmapCall = systemCall<
  [where: null, bytes: number, protection: number, flags: number, fd: number, offset: number]
>("long mmap(void *, ulong, int, int, int, long)");

/** A new piece of memory, all zeroes; its descriptor. */
export function createSharedMemory(name: string, bytes: number): number {
  const fd = memfdCreate(cString(name), MFD_CLOEXEC);
  assert(fd >= 0, `memfd_create: ${errnoName(fd)}`);
  const sized = ftruncateCall(fd, bytes);
  assert(sized === 0, `ftruncate: ${errnoName(sized)}`);
  return fd;
}

/** The memory itself, as this process sees it from now until it ends. */
export function mapSharedMemory(fd: number, bytes: number): ArrayBuffer {
  const address = mmapCall(null, bytes, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  assert(address > 0, `mmap: ${errnoName(address)}`);
  return memoryAt(address, bytes);
}

/** The same memory by the descriptor that another process of this user has of it (proc(5)). */
export const openSharedMemoryOf = (processId: number, descriptor: number): number =>
  openSync(`/proc/${processId}/fd/${descriptor}`, "r+");
