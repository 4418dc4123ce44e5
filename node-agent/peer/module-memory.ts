/**
 * The memory that the parts of one mirror module share. In an agent it is a piece of memory of its
 * own (memfd_create(2)): threads and the module's data process map the same bytes, and a new agent
 * finds them again where the data process of an earlier one lives on. Tests and the simulation,
 * which are one process, use a SharedArrayBuffer.
 */
import { createSharedMemory, mapSharedMemory } from "../adapters/linux/shared-memory.ts";

export type ModuleMemory = SharedArrayBuffer | { readonly descriptor: number };

export const MEMORY_BYTES = 256;

/** First word, of 64 bits, of what lies in it. */
export const MEMORY_WORD = { leaseCell: 0, lifeCycle: 16 } as const;

export const newModuleMemory = (): ModuleMemory => ({
  descriptor: createSharedMemory("mirrorfarm-module", MEMORY_BYTES),
});

export const wordsOf = (memory: ModuleMemory): BigInt64Array =>
  new BigInt64Array(
    "descriptor" in memory ? mapSharedMemory(memory.descriptor, MEMORY_BYTES) : memory,
  );

/** Which memory it is: two of the same are the same bytes. */
export const isSameMemory = (a: ModuleMemory, b: ModuleMemory): boolean =>
  "descriptor" in a && "descriptor" in b ? a.descriptor === b.descriptor : a === b;
