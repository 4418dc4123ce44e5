/**
 * The explorer's time. It comes in ticks, and every wait of the protocol is one or two of them.
 *
 * *Free clocks*: each node's clock moves when a move says so, any number of ticks between two events
 * of the other. Whatever holds then rests on no clock at all. Every wait is one tick: it runs, or it
 * is over. Only a fenced primary is more patient, as otherwise it could never be helped.
 *
 * *Clocks together*: one move is a tick on every clock, and leases last two, so that what does rest
 * on clocks (that two nodes never answer at once) is looked at, too.
 */
import type { QuorumTimers } from "#model/quorum/timers.ts";

export const TICK_MS = 2000;
/** Every step begins at this instant: between two steps all times are moved back to it. */
export const NOW_MS = 100_000;
/** Not within any run: reads of the record that only look whether the witness is still there. */
const NEVER_MS = 1_000_000_000;

const FREE: QuorumTimers = {
  heartbeatMs: 100,
  detectAfterMs: TICK_MS,
  peerLeaseMs: TICK_MS,
  handicapMs: 0,
  witnessLeaseMs: TICK_MS,
  witnessMarginMs: 1,
  voteTimeoutMs: TICK_MS,
  voteRetryMs: TICK_MS / 2,
  witnessAwayAfterMs: TICK_MS,
  witnessCheckMs: NEVER_MS,
  replTimeoutMs: TICK_MS,
  bootWaitMs: TICK_MS,
  hangAfterMs: TICK_MS,
  giveUpAfterMs: 2 * TICK_MS,
  stopWaitMs: TICK_MS,
  releaseWaitMs: TICK_MS,
  resyncHoldOffMs: 0,
  faultRetryMs: NEVER_MS,
};

export const exploredTimers = (areClocksTogether: boolean): QuorumTimers =>
  areClocksTogether
    ? { ...FREE, peerLeaseMs: 2 * TICK_MS, witnessLeaseMs: 2 * TICK_MS, giveUpAfterMs: 3 * TICK_MS }
    : FREE;
