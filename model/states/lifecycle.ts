/**
 * What a module's states are, and which of its scripts run between them.
 *
 * A module on a node is in one of six states. STOP: nothing runs. WAIT: the module is started but
 * may not run its application yet. ALONE, PRIM, SECOND: the roles of a mirror (primary without a
 * secondary, primary with one, secondary). UP: a farm or light module that runs. The scripts are
 * those of the user's module, called in an order and with arguments that module authors rely on:
 * so the order is a table here, row by row, and nowhere else. Who decides the state is not this
 * folder's concern (see model/quorum and model/checking); who runs the scripts is
 * node-agent/modules.
 *
 * Nodes move along the table's rows only: from STOP everything passes through WAIT, and so does
 * everything on its way to STOP, so that prestart and poststop frame whatever runs.
 */
import { assert } from "../shared/assert.ts";

export const MODULE_STATES = ["STOP", "WAIT", "ALONE", "PRIM", "SECOND", "UP"] as const;
/** The states that people see; the same words in console, command line, logs and scripts. */
export type ModuleState = (typeof MODULE_STATES)[number];

/** Why a script runs: its last argument. `stopwait`: a checker sends the module to WAIT. */
export type ScriptAction = "start" | "stop" | "stopstart" | "stopwait" | "restart" | "swap";

const ROLES = ["both", "prim", "second", "sec"] as const;
/** `both`: any running state; `prim`: PRIM or ALONE; `second`: SECOND; `sec`: SECOND or ALONE. */
export type ScriptRole = (typeof ROLES)[number];
export type ScriptName =
  | "prestart"
  | "poststop"
  | "transition"
  | `start_${ScriptRole}`
  | `stop_${ScriptRole}`;

/** One run of one script. `kind` says which timeout applies and whether a new target may skip it. */
export type ScriptCall = {
  readonly script: ScriptName;
  readonly arguments: readonly string[];
  readonly kind: "start" | "stop" | "forceStop" | "other";
};

/**
 * The calls of each move, in order. `*` after a stop script: it runs twice, plainly and then with
 * `force` as its first argument. `!`: only with `force`.
 */
const ORDER: Readonly<Record<string, string>> = {
  "STOP>WAIT": "transition prestart",
  "WAIT>ALONE": "transition start_both start_prim start_sec",
  "WAIT>UP": "transition start_both start_prim start_sec",
  "WAIT>PRIM": "transition start_both start_prim",
  "WAIT>SECOND": "transition start_both start_second start_sec",
  "ALONE>PRIM": "stop_sec transition",
  "PRIM>ALONE": "transition start_sec",
  "SECOND>ALONE": "stop_second transition start_prim",
  "ALONE>SECOND": "stop_prim* transition start_second",
  "PRIM>SECOND": "stop_prim* transition start_second start_sec",
  "SECOND>PRIM": "stop_sec stop_second transition start_prim",
  "PRIM>WAIT": "stop_prim stop_both transition",
  "ALONE>WAIT": "stop_sec stop_prim stop_both transition",
  "UP>WAIT": "stop_sec stop_prim stop_both transition",
  "SECOND>WAIT": "stop_sec stop_second stop_both transition",
  "WAIT>STOP": "stop_sec! stop_prim! stop_second! stop_both! poststop transition",
};

/** The application restarts in place: the state stays, so no `transition` runs. */
const RESTART_ORDER: Readonly<Partial<Record<ModuleState, string>>> = {
  ALONE: "stop_sec* stop_prim* stop_both* start_both start_prim start_sec",
  UP: "stop_sec* stop_prim* stop_both* start_both start_prim start_sec",
  PRIM: "stop_prim* stop_both* start_both start_prim",
  SECOND: "stop_sec* stop_second* stop_both* start_both start_second start_sec",
};

/** The next state on the way from `from` to `target`; null when it is reached. */
export function nextState(from: ModuleState, target: ModuleState): ModuleState | null {
  if (from === target) return null;
  return `${from}>${target}` in ORDER ? target : "WAIT";
}

/** The script calls of one step, `to` being what `nextState` answered. */
export function transitionCalls(
  from: ModuleState,
  to: ModuleState,
  action: ScriptAction,
): readonly ScriptCall[] {
  const row = ORDER[`${from}>${to}`];
  assert(row !== undefined, `no module moves from ${from} to ${to} in one step`);
  return callsOf(row, [from, to, action]);
}

/**
 * The script calls of a restart in place; none where no application runs (STOP, WAIT). `services`
 * names the only ones to restart: scripts that know `-Services` heed it, others restart all.
 */
export function restartCalls(
  state: ModuleState,
  services: string | null = null,
): readonly ScriptCall[] {
  const only = services === null ? [] : ["-Services", services];
  return callsOf(RESTART_ORDER[state] ?? "", [state, state, "restart", ...only]);
}

/** Reads one row of the tables above. */
function callsOf(row: string, args: readonly string[]): readonly ScriptCall[] {
  return row.split(" ").flatMap((word): readonly ScriptCall[] => {
    const script = SCRIPT_NAMES.find((name) => name === word.replace(/[*!]$/, ""));
    if (script === undefined) return [];
    const plain = { script, arguments: args, kind: kindOf(script) } as const;
    const force = { script, arguments: ["force", ...args], kind: "forceStop" } as const;
    if (word.endsWith("*")) return [plain, force];
    return word.endsWith("!") ? [force] : [plain];
  });
}

/** Every script of the order table. */
export const SCRIPT_NAMES: readonly ScriptName[] = [
  "prestart",
  "poststop",
  "transition",
  ...ROLES.map((role) => `start_${role}` as const),
  ...ROLES.map((role) => `stop_${role}` as const),
];

function kindOf(script: ScriptName): ScriptCall["kind"] {
  if (script.startsWith("start_")) return "start";
  return script.startsWith("stop_") ? "stop" : "other";
}

/** Is the application (or a part of it) meant to run in this state? */
export function isRunning(state: ModuleState): boolean {
  return state !== "STOP" && state !== "WAIT";
}

/** Does this state answer clients? A SECOND runs scripts, but the service is elsewhere. */
export function isServing(state: ModuleState): boolean {
  return state === "ALONE" || state === "PRIM" || state === "UP";
}

/** The roles whose scripts have started in a state: a checker with that class is active there. */
export function rolesOf(state: ModuleState): readonly ScriptRole[] {
  switch (state) {
    case "ALONE":
      return ["both", "prim", "sec"];
    case "UP":
      return ["both", "prim", "sec"];
    case "PRIM":
      return ["both", "prim"];
    case "SECOND":
      return ["both", "second", "sec"];
    default:
      return [];
  }
}
