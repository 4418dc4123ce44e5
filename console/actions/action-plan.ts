/**
 * What a person is told before they act: what it does, what clients notice, what may be lost, and
 * the same as a command line. Pure; the control plane alone decides, and it judges again.
 */
import type { CommandKind, CommandRequest, Operation } from "#model/contract/commands.ts";
import type { ModuleOnNode, ModuleView } from "#model/contract/snapshot.ts";
import { isRunning } from "#model/states/lifecycle.ts";
import { isFirstStart } from "../view/attention.ts";
import { ageText, bytesText, durationText } from "../view/format.ts";
import { holderOf } from "../view/node-look.ts";
import { DURATIONS, planMaintenance, planMaintenanceEnd } from "./maintenance-plan.ts";

/** What was clicked. */
export interface ActionAsk {
  readonly moduleId: string;
  readonly kind: Exclude<CommandKind, "full-resync">;
  readonly node: string | null;
}
export interface ActionPlan {
  readonly title: string;
  readonly button: string;
  /** How much is asked before it is sent. `choice`: whose data is the good one. `duration`: how long. */
  readonly level: "none" | "choice" | "duration" | "simple" | "consequences" | "typed";
  readonly sentences: readonly string[];
  readonly checks: readonly { readonly text: string; readonly isMet: boolean }[];
  /** What may be lost, in numbers where they are known. */
  readonly loss: readonly string[];
  /** Why it would be pointless now; null when it can be asked for. */
  readonly blocked: string | null;
}
/** What the plan is made from. */
export interface PlanFacts {
  readonly module: ModuleView;
  readonly operations: readonly Operation[];
  readonly nowMs: number;
}

const VERB = {
  start: "Start",
  stop: "Stop",
  restart: "Restart",
  switchover: "Switch over",
  "force-primary": "Force primary",
  "maintenance-on": "Begin maintenance",
  "maintenance-off": "End maintenance",
} as const;

/** The plan of one action on the module as it is now. */
export function planAction(ask: ActionAsk, facts: PlanFacts): ActionPlan {
  const frame = {
    title: titleOf(ask),
    button: VERB[ask.kind],
    level: "simple",
    sentences: [],
    checks: [],
    loss: [],
    blocked: null,
  } as const;
  const plan = { ...frame, ...PLANS[ask.kind](ask, facts) };
  const isUnderWay = facts.operations.some(
    ({ state, kind, moduleId, node = null }) =>
      state === "running" &&
      kind === ask.kind &&
      moduleId === ask.moduleId &&
      (node === ask.node || node === null || ask.node === null),
  );
  return isUnderWay ? { ...plan, blocked: "This is under way already." } : plan;
}

function titleOf({ kind, node, moduleId }: ActionAsk): string {
  if (kind === "force-primary") return `Force ${node} primary of ${moduleId}`;
  if (kind === "maintenance-on" || kind === "maintenance-off")
    return `${VERB[kind]} of ${moduleId}`;
  const where = node === null ? "" : kind === "switchover" ? ` to ${node}` : ` on ${node}`;
  return `${VERB[kind]} ${moduleId}${where}`;
}

type Planner = (ask: ActionAsk, facts: PlanFacts) => Partial<ActionPlan>;

const PLANS: Readonly<Record<ActionAsk["kind"], Planner>> = {
  start: planStart,
  stop: planStop,
  restart: planRestart,
  switchover: planSwitchover,
  "force-primary": planForce,
  "maintenance-on": (_, { module }) => planMaintenance(module),
  "maintenance-off": (_, { module }) => planMaintenanceEnd(module),
};

/** The nodes an action is for: the named one, or all. */
const targets = ({ node }: ActionAsk, module: ModuleView): readonly ModuleOnNode[] =>
  module.nodes.filter(({ nodeId }) => node === null || nodeId === node);
const stateOf = (node: ModuleOnNode | undefined) => node?.report?.state ?? null;

function planStart(ask: ActionAsk, { module }: PlanFacts): Partial<ActionPlan> {
  if (isFirstStart(module)) {
    return {
      level: "choice",
      sentences: [
        "This module has never run here, so nobody but you can know whose directories hold the good data.",
        "What lies in the other node's directories is kept aside there, never merged and never deleted.",
      ],
    };
  }
  const isStarted = targets(ask, module).every((node) => !["STOP", null].includes(stateOf(node)));
  return { level: "none", blocked: isStarted ? "It is started already." : null };
}

function planStop(ask: ActionAsk, { module }: PlanFacts): Partial<ActionPlan> {
  const chosen = targets(ask, module);
  const holder = holderOf(module);
  const isStopped = chosen.every((node) => stateOf(node) === "STOP");
  const blocked = isStopped ? "It is stopped already." : null;
  if (holder === null || !chosen.includes(holder)) {
    return {
      blocked,
      sentences: [
        "Clients notice nothing.",
        "Until it is started again, the data has no second copy.",
      ],
    };
  }
  if (ask.node !== null && module.nodes.length > 1) {
    return {
      blocked,
      level: "consequences",
      sentences: [
        module.maintenance === null
          ? `${holder.nodeId} serves now. Stopping it makes the other node take over, if it may.`
          : `${holder.nodeId} serves now. In maintenance nobody takes over: switch over first.`,
        "Clients are cut off and connect again.",
      ],
      checks: peerChecks(module, holder),
    };
  }
  return {
    blocked,
    level: "consequences",
    sentences: [
      `${holder.nodeId} serves now. Clients get no answer until the module is started again.`,
      "The secondary stops first, so both nodes keep the same data.",
    ],
  };
}

function planRestart(ask: ActionAsk, { module }: PlanFacts): Partial<ActionPlan> {
  const holder = holderOf(module);
  const chosen = ask.node === null ? holder : targets(ask, module)[0];
  const state = stateOf(chosen ?? undefined);
  const isUp = state !== null && isRunning(state);
  return {
    blocked: isUp ? null : "Nothing of it runs there.",
    sentences: [
      `The stop and start scripts run again on ${chosen?.nodeId ?? "the node that serves"}; it keeps its role.`,
      ...(chosen === holder ? ["Clients get no answer while the application restarts."] : []),
    ],
  };
}

function planSwitchover(ask: ActionAsk, { module }: PlanFacts): Partial<ActionPlan> {
  const holder = holderOf(module);
  if (module.configuration.mode !== "mirror") {
    return {
      blocked: `Only a mirror has a primary; ${module.id} is a ${module.configuration.mode}.`,
    };
  }
  if (holder === null) return { blocked: "No node serves: there is nothing to switch from." };
  if (ask.node === holder.nodeId) return { blocked: `${holder.nodeId} serves already.` };
  const checks = peerChecks(module, holder);
  const unmet = checks.find((check) => !check.isMet);
  const peer = module.nodes.find((node) => node !== holder)?.nodeId ?? "the other node";
  const last = module.lastFailover;
  const took =
    last?.kind === "switchover" && last.serviceDownMs !== null
      ? `The last switchover took ${durationText(last.serviceDownMs)}.`
      : "This takes as long as the application needs to stop and to start.";
  return {
    level: "consequences",
    blocked: unmet === undefined ? null : `Not now: ${unmet.text}.`,
    sentences: [
      `The application stops on ${holder.nodeId} and starts on ${peer}. No write is lost.`,
      `Clients are cut off and connect again. ${took}`,
    ],
    checks,
  };
}

/** What must hold for the other node to take over at once. */
function peerChecks(module: ModuleView, holder: ModuleOnNode): ActionPlan["checks"] {
  const peer = module.nodes.find((node) => node !== holder);
  if (peer === undefined) return [{ text: "there is no other node", isMet: false }];
  const { nodeId, report, silent } = peer;
  const isSecond = !silent && report?.state === "SECOND";
  const isInSync = module.witness?.inSync.includes(nodeId) ?? false;
  const isCopying = report?.replication?.resync != null;
  const lagMs = holder.report?.replication?.lagMs ?? 0;
  return [
    {
      text: isSecond ? `${nodeId} is SECOND` : `${nodeId} is not SECOND`,
      isMet: isSecond,
    },
    {
      text: isInSync
        ? `${nodeId} holds every acknowledged write (lag ${durationText(lagMs)})`
        : `${nodeId} is not in the in-sync set`,
      isMet: isInSync,
    },
    {
      text: isCopying ? `${nodeId} is still resynchronising` : "no resynchronisation runs",
      isMet: !isCopying,
    },
  ];
}

function planForce(ask: ActionAsk, facts: PlanFacts): Partial<ActionPlan> {
  const { module, nowMs } = facts;
  const node = ask.node ?? "";
  const holder = holderOf(module);
  const others = module.nodes.filter(({ nodeId }) => nodeId !== node);
  const seen = others.map(({ nodeId, receivedAtMs, report }) => {
    const when =
      receivedAtMs === null
        ? "has never reported"
        : `last reported ${ageText(receivedAtMs, nowMs)}`;
    return `${nodeId} ${when}${report === null ? "" : ` as ${report.state}`}: be sure that it is off.`;
  });
  return {
    level: "typed",
    blocked: holder === null ? null : `${holder.nodeId} serves: switch over instead.`,
    sentences: [`This makes ${node} primary whatever its data is.`, ...seen],
    loss: lossOf(node, facts),
  };
}

/** The control plane's own sentence; only how long ago that was is reckoned here. */
function lossOf(node: string, { module, nowMs }: PlanFacts): readonly string[] {
  const loss = module.nodes.find(({ nodeId }) => nodeId === node)?.possibleLoss ?? null;
  if (loss === null) return [`What ${node} lacks, nobody can tell.`];
  if (loss.sinceMs === null) return [loss.text];
  const lastingMs = Math.max(0, nowMs - loss.sinceMs);
  const amount =
    loss.bytes === null
      ? ""
      : ` At least ${loss.changes} changes, ${bytesText(loss.bytes)}, came after.`;
  return [loss.text, `Up to ${durationText(lastingMs)} of writes may be lost.${amount}`];
}

/** What is sent. */
export function requestOf(
  { kind, node, moduleId }: ActionAsk,
  seenEpoch: number | null,
  dataFrom: string | null,
  forMs: number | null = null,
): CommandRequest {
  if (kind === "maintenance-off") return { kind };
  if (kind === "maintenance-on") return { kind, ...(forMs === null ? {} : { forMs }) };
  return {
    kind,
    ...(node === null ? {} : { node }),
    ...(dataFrom === null ? {} : { dataFrom }),
    ...(seenEpoch === null ? {} : { seenEpoch }),
    ...(kind === "force-primary" ? { confirm: moduleId } : {}),
  };
}

/** The same as a command line. */
export function commandLine(
  { kind, node, moduleId }: ActionAsk,
  dataFrom: string | null,
  forMs: number | null = null,
): string {
  if (kind === "maintenance-off") return `mirrorfarm module maintenance off ${moduleId}`;
  if (kind === "maintenance-on") {
    const option = DURATIONS.find(({ ms }) => ms === forMs)?.option ?? "TIME";
    return `mirrorfarm module maintenance on ${moduleId} --for ${option}`;
  }
  const verb = kind === "switchover" ? "switch" : kind;
  const nodeOption = kind === "switchover" || kind === "force-primary" ? "--to" : "--node";
  return [
    `mirrorfarm module ${verb} ${moduleId}`,
    ...(node === null ? [] : [`${nodeOption} ${node}`]),
    ...(dataFrom === null ? [] : [`--data-from ${dataFrom}`]),
  ].join(" ");
}
