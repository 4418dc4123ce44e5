import { checksOf, isActive } from "#model/checking/watches.ts";
import type { CheckConfig, ModuleConfig, ProcConfig } from "#model/module/config.ts";
import { assertNever } from "#model/shared/assert.ts";
import type { ModuleId } from "#model/shared/ids.ts";
import type { ModuleState } from "#model/states/lifecycle.ts";
import type { ScriptRunner } from "../modules/script-runner.ts";
import type { Systemd } from "../modules/systemd-units.ts";
import { intfChecker, ipChecker, moduleChecker, pingChecker } from "./address-checkers.ts";
import type { CheckResult, Report, RunningWatch } from "./checker.ts";
import { startCustomChecker } from "./custom-checker.ts";
import { startPolledWatch } from "./polled-watch.ts";
import { checkProcesses, type WatchedProcess } from "./process-watch.ts";
import { tcpChecker } from "./tcp-checker.ts";

export type CheckerSetOptions = {
  readonly config: ModuleConfig;
  readonly moduleId: ModuleId;
  readonly scripts: ScriptRunner;
  readonly systemd: Systemd | null;
  /** What runs now, for `<errd>`. */
  processes(): readonly WatchedProcess[];
  /** null: the watch ended, so its resource has no value any more. */
  onResult(resource: string, result: CheckResult | null): void;
};

/** How long a started application may take before its port must answer. */
const START_GRACE_MS = 15_000;

/** Runs the checkers that the module's state asks for, and no others. */
export class CheckerSet {
  readonly #options: CheckerSetOptions;
  readonly #checks: readonly CheckConfig[];
  readonly #running = new Map<string, RunningWatch>();
  #enabledClasses: readonly string[] = [];
  #states: readonly ModuleState[] = ["STOP"];

  constructor(options: CheckerSetOptions) {
    this.#options = options;
    this.#checks = checksOf(options.config);
  }

  /** The module is in this state, its start scripts done. */
  settledIn(state: ModuleState): void {
    this.#states = [state];
    this.#apply();
  }

  /**
   * Scripts move the module: only what belongs to both states is still watched. From a state to
   * itself is a restart in place: what watches the application begins anew when it has settled, as
   * an application that is just starting is no fault.
   */
  moving(from: ModuleState, to: ModuleState): void {
    this.#states = from === to ? ["WAIT"] : [from, to];
    this.#apply();
  }

  /** The application is about to restart in place. */
  restarting(): void {
    this.moving("PRIM", "PRIM");
  }

  /** `errd enable CLASS` and `errd disable CLASS`. */
  setClass(name: string, isEnabled: boolean): void {
    const others = this.#enabledClasses.filter((enabled) => enabled !== name);
    this.#enabledClasses = isEnabled ? [...others, name] : others;
    this.#apply();
  }

  stop(): void {
    this.settledIn("STOP");
  }

  #apply(): void {
    for (const check of this.#checks) {
      const resource = `${check.kind}.${check.ident}`;
      this.#set(resource, this.#isWanted(check.when), () => this.#start(resource, check));
    }
    const errd = this.#options.config.errd;
    for (const proc of errd?.procs ?? []) {
      const isWanted = this.#isWanted(proc.class);
      this.#set(`proc.${proc.name}`, isWanted, () => this.#startProc(proc, errd?.pollMs ?? 0));
    }
  }

  #isWanted(watchClass: string): boolean {
    return this.#states.every((state) => isActive(watchClass, state, this.#enabledClasses));
  }

  #set(resource: string, isWanted: boolean, start: () => RunningWatch | null): void {
    const running = this.#running.get(resource);
    if (isWanted && running === undefined) {
      const started = start();
      if (started !== null) this.#running.set(resource, started);
    } else if (!isWanted && running !== undefined) {
      running.stop();
      this.#running.delete(resource);
      this.#options.onResult(resource, null);
    }
  }

  #start(resource: string, check: CheckConfig): RunningWatch | null {
    const report: Report = (name, result) => this.#options.onResult(name, result);
    const poll = (checker: Parameters<typeof startPolledWatch>[1], graceMs = 0) =>
      startPolledWatch(resource, checker, graceMs, report);
    switch (check.kind) {
      case "tcp":
        return poll(tcpChecker(check), check.when === "pre" ? 0 : START_GRACE_MS);
      case "ping":
        return poll(pingChecker(check));
      case "ip":
        return poll(ipChecker(check));
      case "intf":
        return poll(intfChecker(check));
      case "module":
        return poll(moduleChecker(check));
      case "custom":
        return startCustomChecker(check, this.#options.moduleId, this.#options.scripts, report);
      case "splitbrain":
        // Votes decide who may be primary (model/quorum); a ping cannot remember, so it has no say.
        return null;
      default:
        return assertNever(check);
    }
  }

  /** The first look comes one poll after the start, and `start_after` puts it off further. */
  #startProc(proc: ProcConfig, pollMs: number): RunningWatch {
    const { systemd, processes, onResult } = this.#options;
    let isStopped = false;
    const look = async (): Promise<void> => {
      for (const [resource, result] of await checkProcesses([proc], processes, systemd)) {
        if (!isStopped) onResult(resource, result);
      }
      if (!isStopped) timer = setTimeout(() => void look(), pollMs);
    };
    const delayMs = pollMs * Math.max(1, proc.startAfter);
    let timer = setTimeout(() => void look(), delayMs);
    return {
      stop() {
        isStopped = true;
        clearTimeout(timer);
      },
    };
  }
}
