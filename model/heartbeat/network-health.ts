import type { BootMs } from "#model/shared/ids.ts";

/** How many heartbeats the loss is judged over: 10 s at the default interval. */
const SAMPLES_MAX = 50;
/** Weight of a new round trip in the smoothed one (RFC 6298 §2.3, alpha). */
const ROUND_TRIP_WEIGHT = 1 / 8;

/** How one network between two nodes has been lately. For people; no decision rests on it. */
export type NetworkHealth = {
  readonly lastHeardBootMs: BootMs | null;
  readonly roundTripMs: number | null;
  /** The last heartbeats in order of sending. */
  readonly recent: readonly { readonly number: number; readonly isAnswered: boolean }[];
};

/** Nothing sent, nothing heard. */
export const UNKNOWN_HEALTH: NetworkHealth = {
  lastHeardBootMs: null,
  roundTripMs: null,
  recent: [],
};

/** A heartbeat left on this network. */
export function noteBeat(health: NetworkHealth, number: number): NetworkHealth {
  const kept = health.recent.slice(-(SAMPLES_MAX - 1));
  return { ...health, recent: [...kept, { number, isAnswered: false }] };
}

/** Its acknowledgement came back after `roundTripMs`. */
export function noteAnswer(
  health: NetworkHealth,
  number: number,
  roundTripMs: number,
): NetworkHealth {
  const was = health.roundTripMs ?? roundTripMs;
  return {
    ...health,
    roundTripMs: was + ROUND_TRIP_WEIGHT * (roundTripMs - was),
    recent: health.recent.map((each) =>
      each.number === number ? { number, isAnswered: true } : each,
    ),
  };
}

/** Share of the last heartbeats without an answer; the newest one may still be under way. */
export function lossRatio(health: NetworkHealth): number {
  const judged = health.recent.slice(0, -1);
  if (judged.length === 0) return 0;
  return judged.filter((each) => !each.isAnswered).length / judged.length;
}
