import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const BACKOFF_MS_FIRST = 1_000;
const BACKOFF_MS_MAX = 15_000;
/** Least pause after a success: a long poll that answers at once must not become a storm. */
const PAUSE_MS_MIN = 100;

/**
 * Runs `attempt` again and again until `signal` ends it: soon after a success (a long poll paces
 * itself), and after a growing, jittered pause following a failure. An attempt says how long to
 * wait before the next one (0 for a long poll), or null when it failed.
 */
export async function keepTrying(
  attempt: () => Promise<number | null>,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const nextMs = await attempt();
    failures = nextMs === null ? failures + 1 : 0;
    const ceilingMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_FIRST * 2 ** Math.min(failures, 10));
    const waitMs =
      nextMs === null ? randomInt(ceilingMs / 2, ceilingMs) : Math.max(nextMs, PAUSE_MS_MIN);
    await sleep(waitMs, undefined, { signal }).catch(() => {});
  }
}
