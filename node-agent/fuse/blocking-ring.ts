/** The shared memory between `BlockingPool` and its threads: one ring of jobs per thread. */
import type { BlockingKind } from "./ports.ts";

/** A job's kind is its place in this list. */
export const BLOCKING_KINDS: readonly BlockingKind[] = ["fsync", "fdatasync", "syncfs", "close"];

/** A kind that no call has: the thread ends. */
export const STOP = -1;

/** Places for jobs in one ring; a power of two, so that counters may wrap. */
export const SLOTS = 128;
/** Jobs that one thread may have waiting: one place is kept for `STOP`. */
export const JOBS_MAX = SLOTS - 1;

/** Places in the array of words. A job is three words: kind, descriptor, result. */
export const RING = { submitted: 0, ended: 1, stopped: 2, jobs: 3 } as const;

export const RING_WORDS = RING.jobs + SLOTS * 3;

/** Where the job with this count is. */
export const slotOf = (count: number): number => RING.jobs + (count & (SLOTS - 1)) * 3;

/** What a thread is started with. */
export type RingOffer = {
  readonly words: Int32Array;
  /** The eventfd to add 1 to when a job has ended. */
  readonly descriptor: number;
};
