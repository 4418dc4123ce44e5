/** poll(2), eventfd(2) and pipe2(2): how a data thread waits for several descriptors at once. */
import { systemCall } from "./library.ts";

export const POLLIN = 0x1;
export const POLLOUT = 0x4;
/** Always looked for, also where nothing else is. */
export const POLLERR = 0x8;

const pollCall = systemCall<[set: Uint8Array, count: number, timeoutMs: number]>(
  "int poll(void *, ulong, int)",
);
const eventfdCall = systemCall<[initial: number, flags: number]>("int eventfd(uint, int)");
const pipe2Call = systemCall<[ends: Uint8Array, flags: number]>("int pipe2(void *, int)");

const EFD_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;

/** A counter that wakes a poll: write 8 bytes (an u64 to add) to it, read 8 bytes to reset it. */
export const eventfd = (): number => eventfdCall(0, EFD_CLOEXEC_NONBLOCK);

/** Both ends of a non-blocking pipe, or a negative errno in `error`. */
export function pipe(): { readonly read: number; readonly write: number; readonly error: number } {
  const ends = new Int32Array(2);
  const error = pipe2Call(new Uint8Array(ends.buffer), EFD_CLOEXEC_NONBLOCK);
  return { read: ends[0] ?? -1, write: ends[1] ?? -1, error };
}

/**
 * A reusable set of descriptors for poll(2). A slot whose descriptor is negative is skipped, as
 * poll(2) has it, so that a slot can be put to sleep without rebuilding the set.
 */
export class PollSet {
  readonly #words: Int32Array;
  readonly #events: Int16Array;
  readonly #bytes: Uint8Array;
  readonly #count: number;

  constructor(slotsMax: number) {
    const memory = new ArrayBuffer(slotsMax * 8);
    this.#words = new Int32Array(memory).fill(-1);
    this.#events = new Int16Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#count = slotsMax;
    for (let slot = 0; slot < slotsMax; slot += 1) this.set(slot, -1, 0);
  }

  /** Watches `fd` for `events` (POLLIN, POLLOUT) in `slot`; `fd` -1 empties the slot. */
  set(slot: number, fd: number, events: number): void {
    this.#words[slot * 2] = fd;
    this.#events[slot * 4 + 2] = events;
    this.#events[slot * 4 + 3] = 0;
  }

  /** Waits at most `timeoutMs` (-1: for ever, 0: not at all). Slots that are ready, or -errno. */
  wait(timeoutMs: number): number {
    return pollCall(this.#bytes, this.#count, timeoutMs);
  }

  /** What the last `wait` found in `slot`: 0, or bits of POLLIN, POLLOUT, and POLLERR (8) or POLLHUP (16), which are always looked for. */
  ready(slot: number): number {
    return this.#events[slot * 4 + 3] ?? 0;
  }
}

const fcntlCall = systemCall<[fd: number, command: number, value: number]>(
  "int fcntl(int, int, int)",
);
const F_GETFL = 3;
const F_SETFL = 4;
const O_NONBLOCK = 0o4000;

/** From here on reading and writing `fd` answers EAGAIN instead of waiting. 0 or -errno. */
export function setNonBlocking(fd: number): number {
  const flags = fcntlCall(fd, F_GETFL, 0);
  return flags < 0 ? flags : fcntlCall(fd, F_SETFL, flags | O_NONBLOCK);
}
