/**
 * How a node's state in a module is shown. One table for the console, the command line and the
 * documentation, so that the same state never has two names or two colours. Colour is never alone:
 * every row has its own shape and word.
 */
import { isRunning, type ModuleState } from "./lifecycle.ts";

const STATE_STATUSES = ["Ready", "Transient", "NotReady"] as const;
/** Transient: scripts run or data is being copied. NotReady: stopped, or waiting for something. */
export type StateStatus = (typeof STATE_STATUSES)[number];

/** Tones are those of a status indicator; each front end maps them to its own colours. */
export type Tone = "success" | "info" | "warning" | "error" | "stopped" | "pending" | "progress";

/** What one node says about one module, as its latest report had it. */
export type NodeStateView = {
  readonly state: ModuleState;
  readonly status: StateStatus;
  /** No grant is live, so nothing is answered, whatever the state says. */
  readonly isFenced: boolean;
  /** False once reports have stayed away for too long: the state is the last known one. */
  readonly isReachable: boolean;
  /** Progress of a resynchronisation towards this node, 0..100; null when none runs. */
  readonly resyncPercent: number | null;
};

export type StateLook = {
  readonly shape: string;
  readonly word: string;
  readonly tone: Tone;
  readonly help: string;
};

/** The settled look of each state. */
export const STATE_LOOKS: Readonly<Record<ModuleState, StateLook>> = {
  STOP: {
    shape: "■",
    word: "STOP",
    tone: "stopped",
    help: "The module is stopped on this node: no script, address or replication runs.",
  },
  WAIT: {
    shape: "▮",
    word: "WAIT",
    tone: "warning",
    help: "The module is started but waits: for its peer, for good data, or for a checked resource.",
  },
  ALONE: {
    shape: "▲",
    word: "ALONE",
    tone: "warning",
    help: "This node runs the application without a secondary: its data has no second copy.",
  },
  PRIM: {
    shape: "●",
    word: "PRIM",
    tone: "success",
    help: "This node runs the application; every change is also on the secondary.",
  },
  SECOND: {
    shape: "◐",
    word: "SECOND",
    tone: "success",
    help: "This node holds a copy of the data and takes over when the primary is lost.",
  },
  UP: {
    shape: "●",
    word: "UP",
    tone: "success",
    help: "This node runs the application and takes its share of the clients.",
  },
};

/** What overrides the state: a fenced node answers nothing, and an unreachable one is unknown. */
const FENCED_LOOK: StateLook = {
  shape: "❄",
  word: "fenced",
  tone: "error",
  help: "No other voter confirms this node as primary, so it answers nothing until one does.",
};
const UNREACHABLE_LOOK: StateLook = {
  shape: "✕",
  word: "unreachable",
  tone: "pending",
  help: "This node sends no reports: what it does now is unknown.",
};
const RESYNC_HELP = "This node is copying the primary's data and cannot take over before the end.";
const RESYNC_LOOK = { shape: "◌", tone: "progress", help: RESYNC_HELP } as const;

/** The look of a node in a module, with its sub-status in the word, e.g. `SECOND resyncing 63 %`. */
export function describeNodeState(view: NodeStateView): StateLook {
  const look = STATE_LOOKS[view.state];
  if (!view.isReachable) {
    return { ...UNREACHABLE_LOOK, word: `${UNREACHABLE_LOOK.word} (last ${look.word})` };
  }
  if (view.isFenced) return { ...FENCED_LOOK, word: `${look.word} ${FENCED_LOOK.word}` };
  if (view.state === "SECOND" && view.resyncPercent !== null) {
    return { ...RESYNC_LOOK, word: `SECOND resyncing ${Math.floor(view.resyncPercent)} %` };
  }
  if (view.status === "Transient") return transient(view, look);
  return look;
}

function transient(view: NodeStateView, look: StateLook): StateLook {
  if (view.state === "SECOND") return { ...RESYNC_LOOK, word: "SECOND resyncing" };
  const doing = isRunning(view.state) ? "starting" : "in transition";
  return { ...look, word: `${look.word} ${doing}`, tone: "progress" };
}

/** What decides between Ready, Transient and NotReady. */
export type StatusFacts = {
  readonly state: ModuleState;
  readonly runsScripts: boolean;
  readonly isResynchronising: boolean;
  /** A wait rule's resource has no first result yet, so the wait may end by itself at once. */
  readonly awaitsFirstResults: boolean;
};

/** STOP is never Ready, and a SECOND is not before it holds all data. */
export function statusOf(facts: StatusFacts): StateStatus {
  if (facts.state === "STOP") return "NotReady";
  if (facts.runsScripts) return "Transient";
  if (facts.state === "WAIT") return facts.awaitsFirstResults ? "Transient" : "NotReady";
  return facts.state === "SECOND" && facts.isResynchronising ? "Transient" : "Ready";
}

/** What `state -lq` exits with: scripts of module authors test these numbers. */
export const STATE_EXIT_CODES: Readonly<Record<ModuleState, number>> = {
  STOP: 0,
  WAIT: 1,
  ALONE: 2,
  UP: 2,
  PRIM: 3,
  SECOND: 4,
};
