/**
 * A few threads for calls that may wait for a disk, so that the data thread never does.
 *
 * Nothing of it passes through an event loop: a job is a few words in shared memory and a
 * `notify`, and its end is announced through an eventfd that the data thread polls along with
 * everything else. Each thread has a ring of its own (one writer, one reader, so no locks); a job
 * goes to the least busy one.
 */
import { Worker } from "node:worker_threads";
import { close, read } from "../adapters/linux/file.ts";
import { eventfd } from "../adapters/linux/poll.ts";
import {
  BLOCKING_KINDS,
  JOB,
  JOBS_MAX,
  READ,
  READ_BYTES_MAX,
  READS_MAX,
  RING,
  RING_WORDS,
  type RingOffer,
  STOP,
  slotOf,
} from "./blocking-ring.ts";
import type { BlockingKind, BlockingRead, BlockingReads } from "./ports.ts";

export type BlockingPoolOptions = {
  /** @default 4 */
  readonly threads?: number;
};

type Done = (result: number) => void;

type Lane = {
  readonly words: Int32Array;
  /** Of the jobs submitted and not yet seen to have ended, oldest first. */
  readonly waiting: Done[];
  submitted: number;
  seen: number;
};

const THREADS = 4;
const STOP_TIMEOUT_MS = 5000;
const TWO_32 = 2 ** 32;

export class BlockingPool implements BlockingReads {
  /** To poll for POLLIN; then call `handleReadable`. */
  readonly descriptor: number;
  readonly #lanes: readonly Lane[];
  readonly #counter = new Uint8Array(8);
  readonly #pages = new Uint8Array(new SharedArrayBuffer(READS_MAX * READ_BYTES_MAX));
  readonly #freePages = Array.from({ length: READS_MAX }, (_, page) => page);

  constructor(options: BlockingPoolOptions = {}) {
    this.descriptor = eventfd();
    const count = options.threads ?? THREADS;
    this.#lanes = Array.from({ length: count }, () => startLane(this.descriptor, this.#pages));
  }

  /** Jobs under way. */
  get busyCount(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.waiting.length, 0);
  }

  submit(kind: BlockingKind, fd: number, done: Done): boolean {
    const lane = this.#leastBusy();
    if (lane === null) return false;
    lane.waiting.push(done);
    push(lane, BLOCKING_KINDS.indexOf(kind), fd);
    return true;
  }

  read(o: BlockingRead, done: (result: number, data: Uint8Array) => void): boolean {
    const lane = this.#leastBusy();
    const page = lane === null || o.length > READ_BYTES_MAX ? undefined : this.#freePages.pop();
    if (lane === null || page === undefined) return false;
    lane.waiting.push((result) => {
      const start = page * READ_BYTES_MAX;
      done(result, this.#pages.subarray(start, start + Math.max(0, result)));
      this.#freePages.push(page);
    });
    const slot = slotOf(lane.submitted);
    lane.words[slot + JOB.page] = page;
    lane.words[slot + JOB.offsetLow] = o.offsetBytes % TWO_32;
    lane.words[slot + JOB.offsetHigh] = Math.trunc(o.offsetBytes / TWO_32);
    lane.words[slot + JOB.length] = o.length;
    push(lane, READ, o.fd);
    return true;
  }

  /** Runs the `done` of every job that has ended. On the thread that submits. */
  handleReadable(): void {
    read(this.descriptor, this.#counter, this.#counter.length);
    for (const lane of this.#lanes) {
      const ended = Atomics.load(lane.words, RING.ended);
      while (lane.seen !== ended) {
        const result = lane.words[slotOf(lane.seen) + JOB.result] ?? 0;
        lane.seen = (lane.seen + 1) | 0;
        lane.waiting.shift()?.(result);
      }
    }
  }

  /** Ends the threads once they have done what they have; no `done` runs any more. */
  close(): void {
    for (const lane of this.#lanes) push(lane, STOP, -1);
    const outcomes = this.#lanes.map((lane) =>
      Atomics.wait(lane.words, RING.stopped, 0, STOP_TIMEOUT_MS),
    );
    // A thread that a dead disk holds would later write to whatever has the number by then.
    if (!outcomes.includes("timed-out")) close(this.descriptor);
  }

  /** Null when even that one can take no more. */
  #leastBusy(): Lane | null {
    let best: Lane | null = null;
    for (const lane of this.#lanes) {
      if (best === null || lane.waiting.length < best.waiting.length) best = lane;
    }
    return best === null || best.waiting.length >= JOBS_MAX ? null : best;
  }
}

function push(lane: Lane, kind: number, fd: number): void {
  const slot = slotOf(lane.submitted);
  lane.words[slot + JOB.kind] = kind;
  lane.words[slot + JOB.fd] = fd;
  lane.submitted = (lane.submitted + 1) | 0;
  Atomics.store(lane.words, RING.submitted, lane.submitted);
  Atomics.notify(lane.words, RING.submitted);
}

function startLane(descriptor: number, pages: Uint8Array): Lane {
  const words = new Int32Array(new SharedArrayBuffer(RING_WORDS * 4));
  const offer: RingOffer = { words, pages, descriptor };
  const worker = new Worker(new URL("./blocking-thread.ts", import.meta.url), {
    workerData: offer,
  });
  worker.unref();
  return { words, waiting: [], submitted: 0, seen: 0 };
}
