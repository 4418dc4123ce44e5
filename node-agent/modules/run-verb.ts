import type { ResourceState } from "#model/module/failover/rule.ts";
import type { CountedAction } from "#model/states/actions.ts";
import type { ModuleState } from "#model/states/lifecycle.ts";
import { STATE_EXIT_CODES, type StateStatus } from "#model/states/node-state.ts";
import { type CheckResult, down, up } from "../checkers/checker.ts";
import type { VerbAnswer, VerbRequest } from "./safekit-verbs.ts";

/** The module that a verb speaks to, as far as verbs reach. */
export interface VerbTarget {
  readonly state: ModuleState;
  readonly status: StateStatus;
  /** `printi` and `printe`: a line in the module's log. */
  log(text: string, isImportant: boolean): void;
  /** An action on the module. `isAutomatic`: it carried an identity and was counted. */
  act(action: VerbAction, reason: string, isAutomatic: boolean): void;
  resource(name: string): ResourceState;
  setResource(name: string, result: CheckResult): void;
  /** `errd enable CLASS`, `errd disable CLASS`. */
  setClass(name: string, isEnabled: boolean): void;
  /** Counts an automatic action towards maxloop. */
  count(action: "restart" | "stopstart" | "wait", cause: string): CountedAction;
  /** Would the next automatic action be one too many? */
  isLoopLimitReached(): boolean;
  resetLoop(): void;
}

type VerbAction = "stop" | "stopstart" | "restart" | "wait" | "swap";

const says = (exitCode: number, output = ""): VerbAnswer => ({ exitCode, output, error: "" });
const failed = (why: string): VerbAnswer => ({ exitCode: 1, output: "", error: `${why}\n` });

/** Does what a script asked for. */
export function runVerb(target: VerbTarget, request: VerbRequest): VerbAnswer {
  switch (request.verb) {
    case "printi":
    case "printe":
      target.log(request.words.join(" "), request.verb === "printe");
      return says(0);
    case "set":
      return setResource(target, request);
    case "get":
      if (request.resource === null) return failed("get needs -r CLASS.NAME");
      return says(0, `${target.resource(request.resource)}\n`);
    case "state":
      return says(STATE_EXIT_CODES[target.state], `${target.state} ${target.status}\n`);
    case "incloop": {
      const counted = target.count("restart", request.identity ?? "incloop");
      return says(counted.isLimitPassed ? 1 : 0);
    }
    case "resetloop":
      target.resetLoop();
      return says(0);
    case "checkloop":
      return says(target.isLoopLimitReached() ? 1 : 0);
    case "errd":
      return setErrdClass(target, request);
    default:
      return act(target, request.verb, request.identity);
  }
}

function act(target: VerbTarget, action: VerbAction, identity: string | null): VerbAnswer {
  const reason = `${action} called by ${identity ?? "a person"}`;
  // Without an identity a person acts, and what the module did by itself no longer counts.
  if (identity === null) target.resetLoop();
  const isCounted = identity !== null && action !== "stop" && action !== "swap";
  const counted = isCounted ? target.count(action, reason) : null;
  if (counted?.isLimitPassed) target.act("stop", counted.reason, true);
  else target.act(action, counted?.reason ?? reason, identity !== null);
  return says(0);
}

function setResource(target: VerbTarget, request: VerbRequest): VerbAnswer {
  const { resource, value } = request;
  const detail = `set by ${request.identity ?? "a program of the module"}`;
  // A module's program has a say in its own resources only: those of real checkers stay theirs.
  if (resource === null || !resource.startsWith("custom.")) {
    return failed("set needs -r custom.NAME");
  }
  if (value !== "up" && value !== "down") return failed("set needs -v up or -v down");
  target.setResource(resource, value === "up" ? up(detail) : down(detail));
  return says(0);
}

function setErrdClass(target: VerbTarget, { words }: VerbRequest): VerbAnswer {
  const [change, name] = words;
  if (name === undefined || (change !== "enable" && change !== "disable")) {
    return failed("errd needs enable CLASS or disable CLASS");
  }
  target.setClass(name, change === "enable");
  return says(0);
}
