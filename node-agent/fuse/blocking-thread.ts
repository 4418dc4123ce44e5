/** One thread of the `BlockingPool`: takes jobs from its ring and waits for the disk in them. */
import { workerData } from "node:worker_threads";
import { close, fdatasync, fsync, syncfs, write } from "../adapters/linux/file.ts";
import { RING, type RingOffer, STOP, slotOf } from "./blocking-ring.ts";

/** In the order of `BLOCKING_KINDS`. */
const CALLS = [fsync, fdatasync, syncfs, close] as const;

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

export function run({ words, descriptor }: RingOffer): void {
  for (let ended = 0; ; ) {
    Atomics.wait(words, RING.submitted, ended);
    if (Atomics.load(words, RING.submitted) === ended) continue;
    const slot = slotOf(ended);
    const kind = words[slot] ?? STOP;
    if (kind === STOP) break;
    words[slot + 2] = CALLS[kind]?.(words[slot + 1] ?? -1) ?? 0;
    ended = (ended + 1) | 0;
    Atomics.store(words, RING.ended, ended);
    write(descriptor, ONE, ONE.length);
  }
  Atomics.store(words, RING.stopped, 1);
  Atomics.notify(words, RING.stopped);
}

run(workerData);
