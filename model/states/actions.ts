/**
 * The loop counter: how often a module may act on itself before it gives up.
 *
 * Checkers restart what they find broken. When the fault stays, that becomes an endless loop of
 * restarts and failovers which hides the fault and wears the data; so automatic actions are
 * counted, and the one that goes beyond `maxloop` within `loop_interval` stops the module instead.
 * A person's command, or the end of the interval, begins a new count.
 */
export type AutomaticAction = "restart" | "stopstart" | "stop" | "wait";

/** When the running count began and how many actions it holds; null before the first. */
export type LoopCounter = { readonly sinceMs: number; readonly count: number } | null;

export type LoopLimits = {
  /** `maxloop`: automatic actions allowed within the interval; the next one stops the module. */
  readonly actionsMax: number;
  /** `loop_interval`; 0 turns the counter off. */
  readonly intervalMs: number;
};

export type CountedAction = {
  readonly counter: LoopCounter;
  /** What to do: the action asked for, or `stop` when the limit is passed. */
  readonly action: AutomaticAction;
  readonly isLimitPassed: boolean;
  readonly reason: string;
};

/**
 * Counts one automatic action. `nowMs` is any clock that survives the agent, as the counter is
 * kept across its restarts; a clock that went backwards begins a new count.
 */
export function countAction(
  counter: LoopCounter,
  action: AutomaticAction,
  cause: string,
  limits: LoopLimits,
  nowMs: number,
): CountedAction {
  // A stop ends the loop anyway, so it is never counted against the module.
  if (limits.intervalMs <= 0 || action === "stop") {
    return { counter, action, isLimitPassed: false, reason: `${action}: ${cause}` };
  }
  const sinceMs = isCurrent(counter, limits, nowMs) ? counter.sinceMs : nowMs;
  const count = (isCurrent(counter, limits, nowMs) ? counter.count : 0) + 1;
  if (count <= limits.actionsMax) {
    const reason = `${action} (${count} of ${limits.actionsMax}): ${cause}`;
    return { counter: { sinceMs, count }, action, isLimitPassed: false, reason };
  }
  const reason =
    `stop called by maxloop: action ${count} in ${describeMs(limits.intervalMs)}, ` +
    `${limits.actionsMax} allowed; the last was ${action}: ${cause}`;
  return { counter: { sinceMs, count }, action: "stop", isLimitPassed: true, reason };
}

function isCurrent(
  counter: LoopCounter,
  limits: LoopLimits,
  nowMs: number,
): counter is NonNullable<LoopCounter> {
  if (counter === null || nowMs < counter.sinceMs) return false;
  return nowMs - counter.sinceMs < limits.intervalMs;
}

function describeMs(ms: number): string {
  if (ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1000} s`;
}
