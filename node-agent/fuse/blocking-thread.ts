/** One thread of the `BlockingPool`: takes jobs from its ring and waits for the disk in them. */
import { workerData } from "node:worker_threads";
import { close, fdatasync, fsync, pread, syncfs, write } from "../adapters/linux/file.ts";
import { JOB, READ, READ_BYTES_MAX, RING, type RingOffer, STOP, slotOf } from "./blocking-ring.ts";

/** In the order of `BLOCKING_KINDS`. */
const CALLS = [fsync, fdatasync, syncfs, close] as const;

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);
const TWO_32 = 2 ** 32;

function run(offer: RingOffer): void {
  const { words, descriptor } = offer;
  for (let ended = 0; ; ) {
    Atomics.wait(words, RING.submitted, ended);
    if (Atomics.load(words, RING.submitted) === ended) continue;
    const slot = slotOf(ended);
    const kind = words[slot + JOB.kind] ?? STOP;
    if (kind === STOP) break;
    words[slot + JOB.result] =
      kind === READ ? readInto(offer, slot) : (CALLS[kind]?.(words[slot + JOB.fd] ?? -1) ?? 0);
    ended = (ended + 1) | 0;
    Atomics.store(words, RING.ended, ended);
    write(descriptor, ONE, ONE.length);
  }
  Atomics.store(words, RING.stopped, 1);
  Atomics.notify(words, RING.stopped);
}

function readInto({ words, pages }: RingOffer, slot: number): number {
  const start = (words[slot + JOB.page] ?? 0) * READ_BYTES_MAX;
  const length = words[slot + JOB.length] ?? 0;
  const offset =
    ((words[slot + JOB.offsetLow] ?? 0) >>> 0) + (words[slot + JOB.offsetHigh] ?? 0) * TWO_32;
  const fd = words[slot + JOB.fd] ?? -1;
  return pread(fd, pages.subarray(start, start + length), length, offset);
}

run(workerData);
