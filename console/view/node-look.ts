/** How a module on a node looks, from its report: the words are those of model/states. Pure. */
import type { ResyncProgress } from "#model/contract/report.ts";
import type { ModuleOnNode, ModuleView } from "#model/contract/snapshot.ts";
import { isServing } from "#model/states/lifecycle.ts";
import { describeNodeState, type StateLook, type Tone } from "#model/states/node-state.ts";

/** What stands where nothing was reported yet. */
const NO_REPORT: StateLook = {
  shape: "?",
  word: "no report yet",
  tone: "pending",
  help: "This node has not told anything about the module yet.",
};

/** The look of a module on one node. */
export function lookOf({ report, silent }: ModuleOnNode): StateLook {
  if (report === null) return NO_REPORT;
  return describeNodeState({
    state: report.state,
    status: report.readiness,
    isFenced: report.quorum?.fenced ?? false,
    isReachable: !silent,
    resyncPercent: resyncPercent(report.replication?.resync ?? null),
  });
}

/** 0..100; null when none runs. */
export function resyncPercent(resync: ResyncProgress | null): number | null {
  if (resync === null) return null;
  if (resync.totalBytes === 0) return 0;
  return Math.min(100, (100 * resync.doneBytes) / resync.totalBytes);
}

/** The node that serves clients now, as far as reports say. */
export function holderOf(module: ModuleView): ModuleOnNode | null {
  const serving = module.nodes.find(
    ({ report, silent }) =>
      report !== null && !silent && isServing(report.state) && report.quorum?.fenced !== true,
  );
  return serving ?? null;
}

/** What a status indicator is called for each tone. */
export const INDICATOR_OF_TONE = {
  success: "success",
  info: "info",
  warning: "warning",
  error: "error",
  stopped: "stopped",
  pending: "pending",
  progress: "in-progress",
} as const satisfies Readonly<Record<Tone, string>>;
