/** What needs a person, worst first, and what they would do about it. Pure. */
import type { Health, ModuleView, NodeView } from "#model/contract/snapshot.ts";
import { listText } from "./format.ts";
import { holderOf } from "./node-look.ts";

const RANK: Readonly<Record<Health, number>> = {
  Down: 0,
  "Failing over": 1,
  Unknown: 2,
  Unprotected: 3,
  Recovering: 4,
  Stopped: 5,
  Protected: 6,
};

/** Worst first, then by name, so that rows keep their places. */
export const byUrgency = (a: ModuleView, b: ModuleView): number =>
  RANK[a.health] - RANK[b.health] || a.id.localeCompare(b.id);

/** A module that a person stopped, or that repairs itself, needs nobody. */
export const needsAttention = ({ health }: ModuleView): boolean => RANK[health] <= RANK.Unprotected;

export interface ClusterNumbers {
  readonly protectedModules: number;
  readonly modules: number;
  readonly attention: number;
  readonly nodesOnline: number;
  readonly nodes: number;
  /** The slowest replication; null where nothing is attached. */
  readonly lagMs: number | null;
}

/** The four numbers of the overview. */
export function clusterNumbers(
  modules: readonly ModuleView[],
  nodes: readonly NodeView[],
): ClusterNumbers {
  const lags = modules
    .flatMap((module) => module.nodes)
    .filter(({ silent, report }) => !silent && report?.replication?.attached === true)
    .map(({ report }) => report?.replication?.lagMs ?? 0);
  return {
    protectedModules: modules.filter(({ health }) => health === "Protected").length,
    modules: modules.length,
    attention: modules.filter(needsAttention).length,
    nodesOnline: nodes.filter((node) => !node.silent).length,
    nodes: nodes.length,
    lagMs: lags.length === 0 ? null : Math.max(...lags),
  };
}

/** A thing to do, as buttons name it. */
export interface SuggestedAction {
  readonly label: string;
  readonly kind: "start" | "switchover";
  readonly node: string | null;
}

/** The one button that stands out; null where waiting is all there is to do. */
export function suggestedAction(module: ModuleView): SuggestedAction | null {
  const reported = module.nodes.filter(({ report, silent }) => report !== null && !silent);
  const stopped = reported.filter(({ report }) => report?.state === "STOP");
  switch (module.health) {
    case "Protected":
      return module.configuration.mode === "mirror"
        ? { label: "Switch over", kind: "switchover", node: null }
        : null;
    case "Stopped":
      return { label: "Start", kind: "start", node: null };
    case "Unprotected":
    case "Down": {
      if (stopped.length === module.nodes.length || isFirstStart(module)) {
        return { label: "Start", kind: "start", node: null };
      }
      const [first] = stopped;
      if (first === undefined) return null;
      return { label: `Start on ${first.nodeId}`, kind: "start", node: first.nodeId };
    }
    default:
      return null;
  }
}

/** Nobody ever led: a person must say whose data is the good one. */
export const isFirstStart = (module: ModuleView): boolean =>
  module.configuration.mode === "mirror" &&
  (module.witness === null || module.witness.epoch === 0) &&
  holderOf(module) === null;

/** What to do where no button does it; null where nothing is to be done. */
export function adviceFor(module: ModuleView): string | null {
  const silent = module.nodes.filter((node) => node.silent).map(({ nodeId }) => nodeId);
  const inSync = module.witness?.inSync ?? [];
  switch (module.health) {
    case "Unknown":
      return "Ask on a node itself: mirrorfarm --local status.";
    case "Unprotected":
      return silent.length === 0
        ? null
        : `Bring ${listText(silent)} back: the rest goes by itself.`;
    case "Down": {
      const missing = inSync.filter((node) => silent.includes(node));
      if (missing.length === 0) return null;
      return (
        `Bring ${listText(missing)} back: only there every acknowledged write is. ` +
        "If that is lost for good, force another node, which may lose writes (Actions)."
      );
    }
    default:
      return null;
  }
}
