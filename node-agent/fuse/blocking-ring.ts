/** The shared memory between `BlockingPool` and its threads: one ring of jobs per thread. */
import type { BlockingKind } from "./ports.ts";
import { DATA_BYTES_MAX } from "./protocol/opcodes.ts";

/** A job's kind is its place in this list; `READ` has arguments of its own. */
export const BLOCKING_KINDS: readonly BlockingKind[] = ["fsync", "fdatasync", "syncfs", "close"];
export const READ = BLOCKING_KINDS.length;
/** A kind that no call has: the thread ends. */
export const STOP = -1;

/** Places for jobs in one ring; a power of two, so that counters may wrap. */
export const SLOTS = 128;
/** Jobs that one thread may have waiting: one place is kept for `STOP`. */
export const JOBS_MAX = SLOTS - 1;

/** Places in the array of words. */
export const RING = { submitted: 0, ended: 1, stopped: 2, jobs: 4 } as const;
/** Words of a job, counted from `slotOf`; the last four are for `READ` only. */
export const JOB = { kind: 0, fd: 1, result: 2, page: 3, offsetLow: 4, offsetHigh: 5, length: 6 };
const JOB_WORDS = 8;

export const RING_WORDS = RING.jobs + SLOTS * JOB_WORDS;

/** Where the job with this count is. */
export const slotOf = (count: number): number => RING.jobs + (count & (SLOTS - 1)) * JOB_WORDS;

/** Reads under way at once: each has a piece of shared memory of the largest reply's size. */
export const READS_MAX = 8;
export const READ_BYTES_MAX = DATA_BYTES_MAX;

/** What a thread is started with. */
export type RingOffer = {
  readonly words: Int32Array;
  /** `READS_MAX` pieces of `READ_BYTES_MAX`. */
  readonly pages: Uint8Array;
  /** The eventfd to add 1 to when a job has ended. */
  readonly descriptor: number;
};
