import {
  type CheckingAction,
  type CheckingDecision,
  decideChecks,
  NEW_CHECKING_RECORD,
} from "#model/checking/decide-checks.ts";
import type { Resources } from "#model/checking/resources.ts";
import { type CheckRule, handleTimeMsOf, rulesOf } from "#model/checking/rules.ts";
import type { ResourceFacts } from "#model/contract/report.ts";
import type { ModuleConfig } from "#model/module/config.ts";
import type { ResourceState } from "#model/module/failover/rule.ts";
import type { UnixMs } from "#model/shared/ids.ts";
import { type CountedAction, countAction, type LoopLimits } from "#model/states/actions.ts";
import { isRunning, type ModuleState } from "#model/states/lifecycle.ts";
import type { CheckResult } from "../checkers/checker.ts";
import type { CheckerSet, CheckerSetOptions } from "../checkers/checker-set.ts";
import type { NodeTimers, Timer } from "./clock.ts";

export type ChecksOptions = {
  readonly config: ModuleConfig;
  readonly timers: NodeTimers;
  /** The checkers themselves. */
  newSet(onResult: CheckerSetOptions["onResult"]): Checkers;
  nowUnixMs(): UnixMs;
  /** An action that the rules ask for, with the sentence that says why. */
  onAction(action: CheckingAction, reason: string): void;
  isInMaintenance(): boolean;
  /** An action that the rules ask for in maintenance: told once, not done, not counted. */
  onHeldBack(action: string, reason: string): void;
  /** What holds the module in WAIT changed: a sentence, or null when nothing does. */
  onBlocked(blocker: string | null): void;
  onResource(name: string, from: string, to: string, detail: string): void;
};

/** The checkers as this class uses them (checkers/checker-set.ts). */
export type Checkers = Pick<CheckerSet, keyof CheckerSet>;

type Known = { readonly result: CheckResult; readonly sinceMs: UnixMs };

/** Without `<failover period>`: often enough that a checker's own interval is what counts. */
const PERIOD_MS = 1_000;

/**
 * A module's checkers and the rules over them: runs those that the state asks for, keeps what they
 * found, and asks the pure rules what follows. It acts on nothing itself.
 */
export class Checks {
  readonly #options: ChecksOptions;
  readonly #set: Checkers;
  readonly #rules: readonly CheckRule[];
  readonly #known = new Map<string, Known>();
  #timer: Timer | null = null;
  #record = NEW_CHECKING_RECORD;
  #state: ModuleState = "STOP";
  #isQuiet = true;
  #blocker: string | null = null;
  #awaitsFirstResults = false;
  #heldBack: string | null = null;
  #isClosed = false;

  constructor(options: ChecksOptions) {
    this.#options = options;
    this.#rules = rulesOf(options.config);
    this.#set = options.newSet((resource, result) => this.#onResult(resource, result));
    this.#lookAgain();
  }

  #lookAgain(): void {
    if (this.#isClosed) return;
    const periodMs = this.#options.config.failover?.periodMs ?? PERIOD_MS;
    this.#timer = this.#options.timers.after(periodMs, () => {
      this.#decide();
      this.#lookAgain();
    });
  }

  /** Scripts move the module between two states. */
  moving(from: ModuleState, to: ModuleState): void {
    this.#isQuiet = true;
    this.#set.moving(from, to);
  }

  /** The application restarts in place. */
  restarting(): void {
    this.#isQuiet = true;
    this.#set.restarting();
  }

  /** No script runs; the module is in this state. */
  settledIn(state: ModuleState): void {
    this.#state = state;
    this.#isQuiet = false;
    this.#set.settledIn(state);
    this.#decide();
  }

  /** A person's command begins a new count of automatic actions. */
  resetLoop(): void {
    this.#record = { ...this.#record, loop: null };
  }

  /** A resource as rules see it now. */
  value(name: string): ResourceState {
    return this.#known.get(name)?.result.status ?? "init";
  }

  /** A module's own program says what it found. */
  set(name: string, result: CheckResult): void {
    this.#onResult(name, result);
  }

  setClass(name: string, isEnabled: boolean): void {
    this.#set.setClass(name, isEnabled);
  }

  /** Counts an automatic action that a script takes by itself. */
  count(action: "restart" | "stopstart" | "wait", cause: string): CountedAction {
    const nowMs = this.#options.nowUnixMs();
    const counted = countAction(this.#record.loop, action, cause, this.#limits(), nowMs);
    this.#record = { ...this.#record, loop: counted.counter };
    return counted;
  }

  /** Would the next automatic action stop the module? */
  get isLoopLimitReached(): boolean {
    const nowMs = this.#options.nowUnixMs();
    const { isLimitPassed } = countAction(this.#record.loop, "restart", "", this.#limits(), nowMs);
    return isLimitPassed;
  }

  /** A wait rule's resource has no result yet. */
  get awaitsFirstResults(): boolean {
    return this.#awaitsFirstResults;
  }

  /** While the node is fenced a silent application is no fault of its own. */
  pause(): void {
    this.#isQuiet = true;
  }

  facts(): readonly ResourceFacts[] {
    return [...this.#known].map(([name, { result, sinceMs }]) => ({
      name,
      value: result.status,
      sinceMs,
      text: result.detail,
    }));
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#isClosed = true;
    this.#set.stop();
  }

  #limits(): LoopLimits {
    const { maxLoop, loopIntervalMs } = this.#options.config.service;
    return { actionsMax: maxLoop, intervalMs: loopIntervalMs };
  }

  #onResult(resource: string, result: CheckResult | null): void {
    const was = this.#known.get(resource);
    if (result === null) {
      this.#known.delete(resource);
      return;
    }
    // A check that was cancelled says nothing: what was known before still holds, if anything.
    if (result.status === "unknown") return;
    const isSame = was?.result.status === result.status;
    const sinceMs = isSame ? was.sinceMs : this.#options.nowUnixMs();
    this.#known.set(resource, { result, sinceMs });
    if (isSame) return;
    const from = was?.result.status ?? "init";
    this.#options.onResource(resource, from, result.status, result.detail);
    this.#decide();
  }

  #decide(): void {
    if (this.#isQuiet) return;
    const local: Resources = Object.fromEntries(
      [...this.#known].map(([name, { result }]) => [name, result.status] as const),
    );
    const { config } = this.#options;
    const decision = decideChecks(
      this.#record,
      {
        rules: this.#rules,
        handleTimeMs: handleTimeMsOf(config),
        limits: this.#limits(),
        state: this.#state,
        resources: { local, remote: null },
      },
      this.#options.nowUnixMs(),
    );
    this.#tellBlocker(decision);
    const { action, reason } = decision;
    if (this.#isHeldBack(action, reason)) return;
    this.#record = decision.record;
    if (action === null || action.kind === "wakeup") return;
    // The action changes the module's state; until that has settled nothing more is asked for.
    this.#isQuiet = true;
    this.#options.onAction(action, reason);
  }

  #isHeldBack(action: CheckingAction | null, reason: string): boolean {
    const isHeld = action !== null && action.kind !== "wakeup" && this.#options.isInMaintenance();
    const held = isHeld ? reason : null;
    if (isHeld && held !== this.#heldBack) this.#options.onHeldBack(action.kind, reason);
    this.#heldBack = held;
    return isHeld;
  }

  #tellBlocker(decision: CheckingDecision): void {
    this.#awaitsFirstResults = decision.awaitsFirstResults;
    // What runs already is not stopped to wait: after a restart of the agent nothing is known yet.
    const mustAwait = decision.awaitsFirstResults && !isRunning(this.#state);
    const isBlocked = decision.waitRules.length > 0 || mustAwait;
    const blocker = isBlocked ? decision.reason : null;
    if (blocker === this.#blocker) return;
    this.#blocker = blocker;
    this.#options.onBlocked(blocker);
  }
}
