import {
  type CheckResult,
  type PolledChecker,
  type Report,
  type RunningWatch,
  unknown,
} from "./checker.ts";

const GRACE_POLL_MS = 1_000;

/**
 * Runs one polled checker until it is stopped. For `graceMs` after the start, or until the first
 * success, failures are not told: an application that has just been started may need a moment
 * before it listens, and a restart for that would never let it come up.
 */
export function startPolledWatch(
  resource: string,
  checker: PolledChecker,
  graceMs: number,
  report: Report,
): RunningWatch {
  const stopping = new AbortController();
  const graceEndsAtMs = performance.now() + graceMs;
  let wasUp = false;
  let timer: NodeJS.Timeout | null = null;

  const look = async (): Promise<void> => {
    const result = await checkSafely(checker, stopping.signal);
    if (stopping.signal.aborted) return;
    wasUp ||= result.status === "up";
    const isInGrace = !wasUp && performance.now() < graceEndsAtMs;
    if (!(isInGrace && result.status === "down")) report(resource, result);
    const waitMs = isInGrace ? Math.min(GRACE_POLL_MS, checker.intervalMs) : checker.intervalMs;
    timer = setTimeout(() => void look(), waitMs);
  };
  void look();
  return {
    stop() {
      stopping.abort();
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** A checker that fails by itself says nothing about what it checks. */
async function checkSafely(checker: PolledChecker, signal: AbortSignal): Promise<CheckResult> {
  try {
    return await checker.check(signal);
  } catch (cause) {
    return unknown(`the check itself failed: ${String(cause)}`);
  }
}
