import { checkTimers, TIMER_PROFILES, timersFromHeart } from "../../quorum/timers.ts";
import { HEART } from "../elements/membership.ts";
import type { TypedElement } from "../typed-element.ts";
import type { Judging } from "./semantics.ts";

/**
 * Pulse and timeout go together with every other timer of the cluster's profile. Where the profile
 * is not known (a file checked away from any cluster) only what no profile can carry is an error.
 */
export function judgeHeartTimers(heart: TypedElement, { problems, timers }: Judging): void {
  const { pulse, timeout } = HEART.attributes;
  if (!heart.isSound(pulse) || !heart.isSound(timeout)) return;
  const given = { pulseMs: heart.read(pulse), timeoutMs: heart.read(timeout) };
  if (given.pulseMs === null && given.timeoutMs === null) return;
  const profiles = timers === undefined ? PROFILES : [timers];
  const conflicts = profiles.flatMap((profile) => {
    const checked = checkTimers(timersFromHeart(TIMER_PROFILES[profile], given));
    return checked.ok ? [] : [`with the timer profile "${profile}" ${checked.error.message}`];
  });
  const [first] = conflicts;
  if (first !== undefined && conflicts.length === profiles.length) {
    problems.error(heart.offset, first);
  }
}

const PROFILES = ["default", "fast", "tolerant"] as const;
