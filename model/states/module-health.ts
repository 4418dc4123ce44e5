/**
 * The health of a module: the one word that answers "is the service up, and is it protected?",
 * and the sentence that says why. Derived from what the nodes report, never stored, so that it
 * cannot disagree with them.
 */
import type { NodeId } from "../shared/ids.ts";
import { isRunning, isServing } from "./lifecycle.ts";
import type { NodeStateView, Tone } from "./node-state.ts";

export const HEALTHS = [
  "Protected",
  "Unprotected",
  "Recovering",
  "Failing over",
  "Down",
  "Stopped",
  "Unknown",
] as const;
export type Health = (typeof HEALTHS)[number];

/** Tone, and the name of the status indicator that consoles draw. */
export const HEALTH_LOOKS: Readonly<Record<Health, { tone: Tone; indicator: string }>> = {
  Protected: { tone: "success", indicator: "success" },
  Unprotected: { tone: "warning", indicator: "warning" },
  Recovering: { tone: "progress", indicator: "in-progress" },
  "Failing over": { tone: "progress", indicator: "loading" },
  Down: { tone: "error", indicator: "error" },
  Stopped: { tone: "stopped", indicator: "stopped" },
  Unknown: { tone: "pending", indicator: "pending" },
};

export type NodeInModule = NodeStateView & {
  readonly nodeId: NodeId;
  /** The node's own sentence for its state; empty when it gave none. */
  readonly reason: string;
};

export type ModuleView = {
  readonly kind: "mirror" | "farm" | "light";
  readonly nodes: readonly NodeInModule[];
  /** Nodes that hold every acknowledged write; null where nothing is replicated or recorded. */
  readonly inSync: readonly NodeId[] | null;
  /** Who leads by the witness's record; null: nobody yet, or there is none. */
  readonly primary: NodeId | null;
  /** A person or the configuration wants the module to run. */
  readonly isWanted: boolean;
  /** A promotion was asked for or granted, and the new primary does not answer yet. */
  readonly isTakeoverUnderWay: boolean;
};

export type ModuleHealth = { readonly health: Health; readonly why: string };

/** Health and its why-sentence, for every kind of module. */
export function moduleHealth(view: ModuleView): ModuleHealth {
  const { nodes } = view;
  if (nodes.length === 0) return { health: "Unknown", why: "No node has reported yet." };
  if (nodes.every((node) => !node.isReachable)) {
    return { health: "Unknown", why: `No reports arrive; last known: ${lastKnown(nodes)}.` };
  }
  const live = nodes.filter((node) => node.isReachable);
  if (!view.isWanted && live.every((node) => node.state === "STOP")) {
    return { health: "Stopped", why: "A person stopped the module on every node." };
  }
  return view.kind === "mirror" ? mirrorHealth(view, live) : farmHealth(view, live);
}

function mirrorHealth(view: ModuleView, live: readonly NodeInModule[]): ModuleHealth {
  const serving = live.filter((node) => isServing(node.state) && !node.isFenced);
  // The last report of one that has just died says that it serves, too: the record knows better.
  const holder = serving.find(({ nodeId }) => nodeId === view.primary) ?? serving[0];
  if (holder === undefined || holder.status === "Transient") return notServing(view, live, holder);
  const others = view.nodes.filter((node) => node.nodeId !== holder.nodeId);
  const joining = others.find((node) => node.isReachable && isJoining(node));
  if (joining !== undefined) {
    const percent =
      joining.resyncPercent === null ? "" : ` (${Math.floor(joining.resyncPercent)} %)`;
    const why = `${holder.nodeId} serves; ${joining.nodeId} is resynchronising${percent}.`;
    return { health: "Recovering", why };
  }
  const second = others.find((node) => node.isReachable && node.state === "SECOND");
  const isInSync = view.inSync === null || view.inSync.includes(second?.nodeId ?? "");
  if (holder.state === "PRIM" && second !== undefined && isInSync) {
    const why = `${holder.nodeId} serves and ${second.nodeId} holds every acknowledged write.`;
    return { health: "Protected", why };
  }
  const lacks = others.map(whyNoSecond).join("; ") || "the other node has not reported yet";
  return { health: "Unprotected", why: `${holder.nodeId} serves alone: ${lacks}.` };
}

function isJoining(node: NodeInModule): boolean {
  return node.state === "SECOND" && (node.status !== "Ready" || node.resyncPercent !== null);
}

function whyNoSecond(node: NodeInModule): string {
  if (!node.isReachable) return `${node.nodeId} is unreachable`;
  const reason = node.reason === "" ? "" : ` (${withoutDot(node.reason)})`;
  return `${node.nodeId} is ${node.state}${reason}`;
}

function notServing(
  view: ModuleView,
  live: readonly NodeInModule[],
  starting: NodeInModule | undefined,
): ModuleHealth {
  if (starting !== undefined) {
    return { health: "Failing over", why: `${starting.nodeId} is starting the application.` };
  }
  if (view.isTakeoverUnderWay) {
    return { health: "Failing over", why: "No node answers; a takeover is under way." };
  }
  const fenced = live.find((node) => node.isFenced);
  if (fenced !== undefined) {
    const why = `${fenced.nodeId} is fenced: no other voter confirms it as primary.`;
    return { health: "Down", why };
  }
  return { health: "Down", why: `No node serves: ${view.nodes.map(whyNoSecond).join("; ")}.` };
}

function farmHealth(view: ModuleView, live: readonly NodeInModule[]): ModuleHealth {
  const up = live.filter((node) => node.state === "UP" && node.status === "Ready");
  const joining = live.filter((node) => isRunning(node.state) && node.status === "Transient");
  const count = `${up.length} of ${view.nodes.length} nodes are UP`;
  if (up.length === view.nodes.length) return { health: "Protected", why: `${count}.` };
  if (joining.length > 0) {
    return { health: "Recovering", why: `${count}; ${names(joining)} is joining.` };
  }
  if (up.length === 0) return notServing(view, live, undefined);
  const missing = view.nodes.filter((node) => !up.includes(node));
  return { health: "Unprotected", why: `${count}; ${missing.map(whyNoSecond).join("; ")}.` };
}

const names = (nodes: readonly NodeInModule[]): string =>
  nodes.map((node) => node.nodeId).join(", ");

const lastKnown = (nodes: readonly NodeInModule[]): string =>
  nodes.map((node) => `${node.nodeId} ${node.state}`).join(", ");

const withoutDot = (sentence: string): string => sentence.replace(/\.$/, "");
