import { HOLDER_SHARE } from "#model/quorum/timers.ts";
import type { BootMs, Epoch, ModuleId } from "#model/shared/ids.ts";
import type { GivenPromise, GrantAsk } from "./promise-book.ts";

/** Heartbeats that may be unanswered before the oldest is forgotten. */
export const OUTSTANDING_MAX = 512;

/** A grant as its holder counts it. */
type HeldGrant = {
  readonly epoch: Epoch;
  /** 0 before the first acknowledgement. */
  readonly untilBootMs: BootMs;
  /** When the heartbeat left whose acknowledgement reaches furthest. */
  readonly sentAtBootMs: BootMs;
};

/** The holder's book: what it seeks and holds, and which heartbeats are still unanswered. */
export type GrantCounter = {
  readonly held: Readonly<Record<ModuleId, HeldGrant>>;
  /** In order of sending; numbers rise. */
  readonly outstanding: readonly { readonly number: number; readonly sentAtBootMs: BootMs }[];
};

/** Seeks nothing, holds nothing. */
export const NOTHING_HELD: GrantCounter = { held: {}, outstanding: [] };

/** From now on each heartbeat asks for this epoch; null: for this module no more. */
export function seek(counter: GrantCounter, moduleId: ModuleId, epoch: Epoch | null): GrantCounter {
  if (counter.held[moduleId]?.epoch === epoch) return counter;
  const { [moduleId]: _, ...others } = counter.held;
  if (epoch === null) return { ...counter, held: others };
  // A grant is for one epoch: a promise to the primary of another one is worth nothing here.
  return {
    ...counter,
    held: { ...others, [moduleId]: { epoch, untilBootMs: 0, sentAtBootMs: 0 } },
  };
}

/** What the next heartbeat asks for, in the order of the modules' names. */
export const asksOf = (counter: GrantCounter): readonly GrantAsk[] =>
  Object.entries(counter.held)
    .map(([moduleId, { epoch }]) => ({ moduleId, epoch }))
    .sort((a, b) => (a.moduleId < b.moduleId ? -1 : 1));

/** A heartbeat is about to leave: note the time before it is handed to the socket. */
export function noteSent(
  counter: GrantCounter,
  number: number,
  sentAtBootMs: BootMs,
): GrantCounter {
  const kept = counter.outstanding.slice(-(OUTSTANDING_MAX - 1));
  return { ...counter, outstanding: [...kept, { number, sentAtBootMs }] };
}

/**
 * An acknowledgement came in. Of each promise 0.9 counts, from when *its* heartbeat left: the tenth
 * covers clocks that run apart, and the time of flight is left out altogether; one that answers
 * an unknown heartbeat (too old, or answered before) changes nothing. Late ones never shorten what
 * a later heartbeat has won.
 */
export function noteAcknowledged(
  counter: GrantCounter,
  number: number,
  given: readonly GivenPromise[],
): { readonly counter: GrantCounter; readonly sentAtBootMs: BootMs | null } {
  const beat = counter.outstanding.find((each) => each.number === number);
  if (beat === undefined) return { counter, sentAtBootMs: null };
  const { sentAtBootMs } = beat;
  const outstanding = counter.outstanding.filter((each) => each !== beat);
  const held = { ...counter.held };
  for (const { moduleId, epoch, promiseMs } of given) {
    const was = held[moduleId];
    if (was === undefined || was.epoch !== epoch) continue;
    const untilBootMs = sentAtBootMs + HOLDER_SHARE * promiseMs;
    if (untilBootMs > was.untilBootMs) held[moduleId] = { epoch, untilBootMs, sentAtBootMs };
  }
  return { counter: { held, outstanding }, sentAtBootMs };
}
