import { statusOf } from "#model/states/node-state.ts";
import type { VerbTarget } from "../modules/run-verb.ts";
import type { MirrorModule, ModuleHappening } from "./mirror-module.ts";

/** What a module's own scripts may ask of it, by the `safekit` command on their PATH. */
export function verbTarget(
  module: MirrorModule,
  tell: (happening: ModuleHappening) => void,
): VerbTarget {
  const { checks } = module.service;
  const statusFacts = () => {
    const { state, runsScripts } = module.service.view;
    return {
      ...{ state, runsScripts, awaitsFirstResults: checks.awaitsFirstResults },
      isResynchronising: state === "SECOND" && !module.target.isReady,
    };
  };
  return {
    get state() {
      return module.service.view.state;
    },
    get status() {
      return statusOf(statusFacts());
    },
    log: (text, isImportant) =>
      tell({ kind: "scriptSaid", severity: isImportant ? "E" : "I", text }),
    act(action, reason, isAutomatic) {
      if (isAutomatic && module.isInMaintenance) return module.holdBack(action, reason);
      tell({ kind: "actionTaken", severity: "E", text: reason, data: { action } });
      if (action === "restart") module.service.restart(null);
      else if (action === "stopstart") module.stopStart();
      // Nothing tells when a wait of a script is over: it starts anew, and its checkers decide.
      else if (action === "wait") module.stopStart();
      else module.command({ kind: action === "stop" ? "stop" : "switchover" });
    },
    resource: (name) => checks.value(name),
    setResource: (name, result) => checks.set(name, result),
    setClass: (name, isEnabled) => checks.setClass(name, isEnabled),
    count: (action, cause) => checks.count(action, cause),
    isLoopLimitReached: () => checks.isLoopLimitReached,
    resetLoop: () => checks.resetLoop(),
  };
}
