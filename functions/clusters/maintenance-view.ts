/** A module's maintenance as its nodes tell it, on the control plane's clock. */
import type { MaintenanceFacts } from "#model/contract/report.ts";
import type { ReportRecord } from "./records.ts";

/**
 * The one that lasts longest, of nodes that were told of it; a node that fell silent in it counts
 * until its time is up, as it keeps to it whether it is heard or not.
 */
export function maintenanceOf(
  moduleId: string,
  reports: ReadonlyMap<string, ReportRecord>,
  nowMs: number,
): MaintenanceFacts | null {
  const told = [...reports.values()].flatMap(({ report, offsetMs }) => {
    const facts = report.modules.find((one) => one.moduleId === moduleId)?.maintenance ?? null;
    return facts === null ? [] : [{ ...facts, untilMs: Math.max(0, facts.untilMs + offsetMs) }];
  });
  const [last] = told
    .filter(({ untilMs }) => untilMs > nowMs)
    .sort((a, b) => b.untilMs - a.untilMs);
  return last ?? null;
}
