import type { CustomCheck } from "#model/module/config.ts";
import type { ModuleId } from "#model/shared/ids.ts";
import type { RunningScript, ScriptRunner } from "../modules/script-runner.ts";
import type { Report, RunningWatch } from "./checker.ts";
import { unknown } from "./checker.ts";

const RESTART_MS_MIN = 1_000;
const RESTART_MS_MAX = 60_000;

/**
 * A program of the module that loops by itself and sets its resource through the `safekit set`
 * command. It is started again when it ends, ever more slowly: a program that is missing or broken
 * must not cost more than the service that it watches. That it ended says nothing about the service.
 */
export function startCustomChecker(
  check: CustomCheck,
  moduleId: ModuleId,
  scripts: ScriptRunner,
  report: Report,
): RunningWatch {
  const resource = `custom.${check.ident}`;
  const args = [moduleId, resource, ...(check.arg ?? "").split(" ").filter(Boolean)];
  let running: RunningScript | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;

  const start = (waitMs: number): void => {
    running = scripts.run({ script: check.exec, arguments: args, kind: "other" });
    void running.done.then((outcome) => {
      running = null;
      if (isStopped) return;
      report(resource, unknown(`its checker ended: ${outcome.kind}`));
      timer = setTimeout(start, waitMs, Math.min(waitMs * 2, RESTART_MS_MAX));
    });
  };
  start(RESTART_MS_MIN);
  return {
    stop() {
      isStopped = true;
      if (timer !== null) clearTimeout(timer);
      running?.cut(0);
    },
  };
}
