import { STATE_EXIT_CODES } from "#model/states/node-state.ts";
import { down, up } from "../checkers/checker.ts";
import type { ModuleRuntime, WantedAction } from "./module-runtime.ts";
import type { VerbAnswer, VerbRequest } from "./safekit-verbs.ts";

/** What a verb needs beyond the runtime itself. */
export type VerbPorts = {
  /** `printi` and `printe`: a line in the module's log. */
  log(text: string, isImportant: boolean): void;
  /** An action of the whole module. `isAutomatic`: it carried an identity and was counted. */
  ask(action: WantedAction, reason: string, isAutomatic: boolean): void;
};

const failed = (why: string): VerbAnswer => ({ exitCode: 1, output: "", error: `${why}\n` });
const says = (exitCode: number, output = ""): VerbAnswer => ({ exitCode, output, error: "" });

/** Does what a script asked for. */
export function runVerb(
  runtime: ModuleRuntime,
  request: VerbRequest,
  ports: VerbPorts,
): VerbAnswer {
  switch (request.verb) {
    case "printi":
    case "printe":
      ports.log(request.words.join(" "), request.verb === "printe");
      return says(0);
    case "set":
      return setResource(runtime, request);
    case "get":
      return getResource(runtime, request);
    case "state": {
      const { state, status } = runtime.view;
      return says(STATE_EXIT_CODES[state], `${state} ${status}\n`);
    }
    case "incloop":
      return countedAnswer(runtime.checks.count("restart", request.identity ?? "incloop"));
    case "resetloop":
      runtime.checks.resetLoop();
      return says(0);
    case "checkloop":
      return says(runtime.checks.isLoopLimitReached() ? 1 : 0);
    case "errd":
      return setErrdClass(runtime, request);
    default:
      return act(runtime, request.verb, request.identity, ports);
  }
}

function act(
  runtime: ModuleRuntime,
  kind: "stop" | "stopstart" | "restart" | "wait" | "swap",
  identity: string | null,
  ports: VerbPorts,
): VerbAnswer {
  const reason = `${kind} called by ${identity ?? "a person"}`;
  // Without an identity a person acts, and what the module did by itself no longer counts.
  if (identity === null) runtime.checks.resetLoop();
  const isCounted = identity !== null && kind !== "stop" && kind !== "swap";
  const counted = isCounted ? runtime.checks.count(kind, reason) : null;
  if (counted?.isLimitPassed) ports.ask({ kind: "stop" }, counted.reason, true);
  else if (kind === "restart") runtime.lifeCycle.restart();
  else ports.ask({ kind }, counted?.reason ?? reason, identity !== null);
  return says(0);
}

function countedAnswer(counted: { readonly isLimitPassed: boolean }): VerbAnswer {
  return says(counted.isLimitPassed ? 1 : 0);
}

function setResource(runtime: ModuleRuntime, request: VerbRequest): VerbAnswer {
  const { resource, value } = request;
  const detail = `set by ${request.identity ?? "a program of the module"}`;
  // A module's program has a say in its own resources only: those of real checkers stay theirs.
  if (resource === null || !resource.startsWith("custom.")) {
    return failed("set needs -r custom.NAME");
  }
  if (value !== "up" && value !== "down") return failed("set needs -v up or -v down");
  runtime.checks.set(resource, value === "up" ? up(detail) : down(detail));
  return says(0);
}

function getResource(runtime: ModuleRuntime, { resource }: VerbRequest): VerbAnswer {
  if (resource === null) return failed("get needs -r CLASS.NAME");
  const state = runtime.checks.resources.get(resource)?.state ?? "init";
  return says(0, `${state}\n`);
}

function setErrdClass(runtime: ModuleRuntime, { words }: VerbRequest): VerbAnswer {
  const [change, name] = words;
  if (name === undefined || (change !== "enable" && change !== "disable")) {
    return failed("errd needs enable CLASS or disable CLASS");
  }
  runtime.checkers.setClass(name, change === "enable");
  return says(0);
}
