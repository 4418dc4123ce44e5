/** How far behind the newest counter a datagram may still arrive. */
export const REPLAY_WINDOW = 256;

/**
 * Which counters of one sender were seen (RFC 4303 §3.4.3, the anti-replay window of IPsec): a
 * datagram may come late or out of order, but never twice. Ask before opening the datagram, note
 * only once it proved authentic, or anybody could make us drop the real one.
 */
export type ReplayWindow = {
  readonly highest: number;
  /** Bit n: `highest - n` was seen. */
  readonly seen: bigint;
};

/** Nothing seen; counters begin at 1. */
export const FRESH_WINDOW: ReplayWindow = { highest: 0, seen: 0n };

const MASK = (1n << BigInt(REPLAY_WINDOW)) - 1n;

/** May a datagram with this counter be new? */
export function isFresh(window: ReplayWindow, counter: number): boolean {
  if (!Number.isSafeInteger(counter) || counter < 1) return false;
  if (counter > window.highest) return true;
  const age = window.highest - counter;
  return age < REPLAY_WINDOW && ((window.seen >> BigInt(age)) & 1n) === 0n;
}

/** An authentic datagram had this counter. */
export function noteSeen(window: ReplayWindow, counter: number): ReplayWindow {
  if (counter <= window.highest) {
    const seen = window.seen | (1n << BigInt(window.highest - counter));
    return { ...window, seen };
  }
  const step = Math.min(counter - window.highest, REPLAY_WINDOW);
  return { highest: counter, seen: ((window.seen << BigInt(step)) & MASK) | 1n };
}
