/**
 * Checkers observe: does the port answer, does the process live, is the address here? Each reports
 * up, down or unknown for one resource; what follows from it is decided in `model/checking`. So a
 * checker never acts, keeps no count of failures and knows no state of the module.
 *
 * `polled-checkers.ts` holds those that look once per interval, `process-watch.ts` the watch of
 * processes and services, `custom-checker.ts` the module's own programs, and `checker-set.ts` runs
 * those that the module's state asks for.
 */

/** `unknown` says nothing about the service (a check that was cancelled), and changes nothing. */
export type CheckResult = { readonly status: "up" | "down" | "unknown"; readonly detail: string };

/** One look at one resource. It ends soon after `signal` aborts, and never throws. */
export type PolledChecker = {
  readonly intervalMs: number;
  check(signal: AbortSignal): Promise<CheckResult>;
};

export const up = (detail: string): CheckResult => ({ status: "up", detail });
export const down = (detail: string): CheckResult => ({ status: "down", detail });
export const unknown = (detail: string): CheckResult => ({ status: "unknown", detail });

/** A running watch of one or several resources. */
export interface RunningWatch {
  stop(): void;
}

/** Called with each result of a resource, `class.id`. */
export type Report = (resource: string, result: CheckResult) => void;
