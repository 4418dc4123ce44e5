import type { BootMs, UnixMs } from "../shared/ids.ts";

/**
 * A person's word that nothing is done by itself for a while, so that they can work on the machines
 * without the cluster working against them. It always ends by itself. What counts is CLOCK_BOOTTIME
 * while the OS runs, as no step of the wall clock moves it; only over a boot, where BOOTTIME begins
 * anew, the wall clock says how much is left, never more than before and nothing where it stands
 * before the beginning: to end early is a nuisance, never to end would be a trap.
 */
export type Maintenance = {
  /** The same on both nodes for one word of a person. */
  readonly id: string;
  /** Raised by every change: of two nodes' words the higher one counts. */
  readonly serial: number;
  readonly by: string;
  readonly reason: string;
  readonly forMs: number;
  /** By the wall clock of this node when it was told: for people, and over a boot. */
  readonly untilUnixMs: UnixMs;
  /** By CLOCK_BOOTTIME of the OS that runs. */
  readonly untilBootMs: BootMs;
  /** Ended, by time or by a person; kept, so that an older word of the peer does not begin it again. */
  readonly isOver: boolean;
};

/** As a node tells its peer, which may have been off when the person spoke. */
export type PublishedMaintenance = Pick<
  Maintenance,
  "id" | "serial" | "by" | "forMs" | "untilUnixMs" | "isOver"
>;

/** Longer than any work should take without somebody saying so again. */
export const MAINTENANCE_MS_MAX = 7 * 24 * 3_600_000;
/** Where no duration is named. */
export const MAINTENANCE_MS_DEFAULT = 3_600_000;
/** Characters of a name that are kept: what is published must fit a heartbeat. */
export const BY_CHARS_MAX = 40;

const over = (m: Maintenance): Maintenance => ({ ...m, isOver: true });

/** After the agent began: what is left of it. */
export function carryOver(
  was: Maintenance | null,
  isSameBoot: boolean,
  nowBootMs: BootMs,
  nowUnixMs: UnixMs | null,
): Maintenance | null {
  if (was === null || was.isOver || isSameBoot) return was;
  const leftMs = nowUnixMs === null ? 0 : was.untilUnixMs - nowUnixMs;
  if (leftMs <= 0 || leftMs > was.forMs) return over(was);
  return { ...was, forMs: leftMs, untilBootMs: nowBootMs + leftMs };
}

/** What the peer says, where that is newer: a later word, or the end of the same one. */
export function adopted(
  own: Maintenance | null,
  told: PublishedMaintenance,
  nowBootMs: BootMs,
  nowUnixMs: UnixMs | null,
): Maintenance | null {
  const serial = own?.serial ?? 0;
  if (told.serial === serial && own !== null && told.isOver && !own.isOver) return over(own);
  if (told.serial <= serial) return own;
  const forMs = Math.min(told.forMs, MAINTENANCE_MS_MAX);
  // The clocks of two nodes differ: never longer than was asked for, whatever they say.
  const leftMs = nowUnixMs === null ? forMs : Math.min(told.untilUnixMs - nowUnixMs, forMs);
  return {
    ...told,
    reason: "",
    forMs,
    untilBootMs: nowBootMs + Math.max(0, leftMs),
    isOver: told.isOver || leftMs <= 0,
  };
}
