import {
  type CheckingAction,
  type CheckingDecision,
  type CheckingRecord,
  decideChecks,
} from "#model/checking/decide-checks.ts";
import type { Resources } from "#model/checking/resources.ts";
import { type CheckRule, handleTimeMsOf, rulesOf } from "#model/checking/rules.ts";
import type { ModuleConfig } from "#model/module/config.ts";
import type { ResourceState } from "#model/module/failover/rule.ts";
import { type CountedAction, countAction } from "#model/states/actions.ts";
import type { ModuleState } from "#model/states/lifecycle.ts";
import type { CheckResult } from "../checkers/checker.ts";

/** A resource as people see it. */
export type ResourceReport = {
  readonly state: ResourceState;
  readonly detail: string;
  readonly sinceMs: number;
};

export type ModuleChecksOptions = {
  readonly config: ModuleConfig;
  readonly initial: CheckingRecord;
  /** Milliseconds on a clock that outlives the agent (CLOCK_BOOTTIME). */
  nowMs(): number;
  /** The state to judge, or null while nothing may be decided: scripts run, or the node is fenced. */
  stateToJudge(): ModuleState | null;
  /** Called once per action; the module is expected to move, restart or stop because of it. */
  onAction(action: CheckingAction, reason: string): void;
  onChange(): void;
  save(record: CheckingRecord): void;
};

/** Keeps what the checkers found and asks `model/checking` what follows from it. */
export class ModuleChecks {
  readonly #options: ModuleChecksOptions;
  readonly #rules: readonly CheckRule[];
  readonly #resources = new Map<string, ResourceReport>();
  #remote: Resources | null = null;
  #record: CheckingRecord;
  #decision: CheckingDecision | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: ModuleChecksOptions) {
    this.#options = options;
    this.#rules = rulesOf(options.config);
    this.#record = options.initial;
  }

  get resources(): ReadonlyMap<string, ResourceReport> {
    return this.#resources;
  }

  /** What holds the module in WAIT, as last decided. */
  get decision(): CheckingDecision | null {
    return this.#decision;
  }

  /** A checker's result, or the `set` command of a module's own program. null: the watch ended. */
  set(resource: string, result: CheckResult | null): void {
    const was = this.#resources.get(resource);
    if (result === null) this.#resources.delete(resource);
    // `unknown` says nothing about the service: whatever was known stays.
    else if (result.status !== "unknown") {
      const isSame = was?.state === result.status;
      const sinceMs = isSame ? was.sinceMs : this.#options.nowMs();
      this.#resources.set(resource, { state: result.status, detail: result.detail, sinceMs });
    }
    if (was?.state === this.#resources.get(resource)?.state) return;
    this.#options.onChange();
    this.look();
  }

  /** What the peer says about its resources; null when it cannot be heard. */
  setRemote(resources: Resources | null): void {
    this.#remote = resources;
    this.look();
  }

  /** Decides anew; called also whenever the module has arrived in a state. */
  look(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const state = this.#isClosed ? null : this.#options.stateToJudge();
    if (state === null) return;
    const local = Object.fromEntries([...this.#resources].map(([key, { state: at }]) => [key, at]));
    const { config } = this.#options;
    const facts = {
      rules: this.#rules,
      handleTimeMs: handleTimeMsOf(config),
      limits: this.#limits(),
      state,
      resources: { local, remote: this.#remote },
    };
    const decision = decideChecks(this.#record, facts, this.#options.nowMs());
    this.#decision = decision;
    this.#store(decision.record);
    if (decision.action !== null) this.#options.onAction(decision.action, decision.reason);
    else if (decision.record.pending !== null) this.#lookAgainLater();
  }

  /** An automatic action that a script asks for by name, counted like those of rules. */
  count(action: "restart" | "stopstart" | "wait", cause: string): CountedAction {
    const { loop } = this.#record;
    const counted = countAction(loop, action, cause, this.#limits(), this.#options.nowMs());
    this.#store({ ...this.#record, loop: counted.counter });
    return counted;
  }

  /** A person acted: what the module did by itself before no longer counts. */
  resetLoop(): void {
    this.#store({ ...this.#record, loop: null });
  }

  /** Is the next automatic action one too many? */
  isLoopLimitReached(): boolean {
    const { loop } = this.#record;
    const counted = countAction(loop, "restart", "", this.#limits(), this.#options.nowMs());
    return counted.isLimitPassed;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #limits() {
    const { maxLoop, loopIntervalMs } = this.#options.config.service;
    return { actionsMax: maxLoop, intervalMs: loopIntervalMs };
  }

  #lookAgainLater(): void {
    const periodMs = this.#options.config.failover?.periodMs ?? 1_000;
    this.#timer = setTimeout(() => this.look(), periodMs);
  }

  #store(record: CheckingRecord): void {
    if (record === this.#record) return;
    const isLoopChanged = record.loop !== this.#record.loop;
    this.#record = record;
    // Only the counter outlives the agent; a pending action begins its wait anew.
    if (isLoopChanged) this.#options.save(record);
  }
}
