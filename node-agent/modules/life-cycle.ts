import {
  isRunning,
  isServing,
  type ModuleState,
  nextState,
  restartCalls,
  type ScriptAction,
  type ScriptCall,
  transitionCalls,
} from "#model/states/lifecycle.ts";
import type { RunningScript, ScriptOutcome, ScriptRunner } from "./script-runner.ts";

/** Where a module stands, for reports and for the probe. */
export type LifeCycleView = {
  /** As people see it: during a move, the state that is being entered (WAIT on the way to STOP). */
  readonly state: ModuleState;
  readonly target: ModuleState;
  /** Scripts run or are about to: the status is Transient. */
  readonly runsScripts: boolean;
  readonly script: string | null;
};

/**
 * What must survive the agent: after its restart the application is still there, and is adopted
 * rather than started a second time. `to` is set while a move was under way.
 */
export type LifeCycleRecord = { readonly state: ModuleState; readonly to: ModuleState | null };

export type ScriptEvent =
  | { readonly kind: "scriptStarted"; readonly call: ScriptCall; readonly ulog: string | null }
  | { readonly kind: "scriptEnded"; readonly call: ScriptCall; readonly outcome: ScriptOutcome };

/** What happens around the scripts of a move, such as a virtual address that comes and goes. */
interface LifeCycleHooks {
  /** Before the first script of a move; of a restart in place when both states are the same. */
  before(from: ModuleState, to: ModuleState): Promise<void>;
  /** After the last one. */
  after(from: ModuleState, to: ModuleState): Promise<void>;
}

export type LifeCycleOptions = {
  readonly scripts: ScriptRunner;
  readonly initial: LifeCycleRecord;
  readonly hooks: LifeCycleHooks;
  /** Called before the first script of a move and after the last; must be quick. */
  save(record: LifeCycleRecord): void;
  onChange(view: LifeCycleView): void;
  onScript(event: ScriptEvent): void;
};

/** A start script that is in the way of a stop gets this long before it is killed. */
const START_GRACE_MS = 10_000;

/**
 * Drives one module from the state it is in to the state it should have, one script at a time.
 *
 * The target may change at any moment and the latest wins. Stop scripts always run to their end;
 * start scripts that nobody wants any more are skipped, and the one that runs is given a little
 * time. A move that was cut short counts as made: the way back then runs every stop script of the
 * state that was being entered, for its start scripts may have got anywhere.
 */
export class ModuleLifeCycle {
  readonly #options: LifeCycleOptions;
  #state: ModuleState;
  #shown: ModuleState;
  #entering: { readonly from: ModuleState; readonly to: ModuleState } | null = null;
  #target: ModuleState;
  #action: ScriptAction = "start";
  #restart: { readonly services: string | null } | null = null;
  #running: { readonly call: ScriptCall; readonly script: RunningScript } | null = null;
  #driving: Promise<void> | null = null;
  #held: Promise<void> | null = null;

  constructor(options: LifeCycleOptions) {
    this.#options = options;
    const { state, to } = options.initial;
    // The agent died in the middle of a move: the scripts may have got anywhere, as when cut short.
    this.#state = to ?? state;
    this.#shown = this.#state;
    this.#target = this.#state;
  }

  /** The state reached, which is the one being left while scripts run. */
  get state(): ModuleState {
    return this.#state;
  }

  get view(): LifeCycleView {
    return {
      state: this.#shown,
      target: this.#target,
      runsScripts: this.#driving !== null,
      script: this.#running?.call.script ?? null,
    };
  }

  /** Says where the module should be and why. Returns at once; `settled` waits for the arrival. */
  setTarget(target: ModuleState, action: ScriptAction): void {
    this.#action = action;
    if (target === this.#target) return;
    this.#target = target;
    if (!isRunning(target)) this.#restart = null;
    const running = this.#running;
    // A stop script is never cut for a new target: it has its timeout, and half a stop is worse.
    const isStop = running?.call.kind === "stop" || running?.call.kind === "forceStop";
    if (!isStop && this.#isUnwanted()) running?.script.cut(START_GRACE_MS);
    this.#drive();
  }

  /** Stops and starts the application in place; nothing where none runs. */
  restart(services: string | null = null): void {
    if (!isRunning(this.#target)) return;
    this.#restart = { services };
    this.#drive();
  }

  /**
   * The application of an earlier agent stands here, as its record says. Only for a life cycle that
   * has not begun.
   */
  adopt(state: ModuleState): void {
    this.#state = state;
    this.#shown = state;
    this.#target = state;
    this.#options.save({ state, to: null });
    this.#options.onChange(this.view);
  }

  /** Resolves when no script runs and the target is reached; at once when that is so already. */
  async settled(): Promise<void> {
    while (this.#driving !== null) await this.#driving;
  }

  /**
   * Runs `kill`, which ends every process of the module, while no new script may start: one that
   * was still to come would start the application again on a node that has lost it. `target` is
   * where the module then goes; its stop scripts find nothing left and clean up.
   */
  async killedBy<T>(target: "STOP" | "WAIT" | "SECOND", kill: () => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    try {
      return await kill();
    } finally {
      this.setTarget(target, "stop");
      this.#held = null;
      resolve();
    }
  }

  #drive(): void {
    if (this.#driving !== null) return;
    this.#driving = this.#driveToTarget().finally(() => {
      this.#driving = null;
      // A wish that came between the last look and here must not be forgotten.
      if (this.#hasWork()) this.#drive();
      else this.#options.onChange(this.view);
    });
  }

  #hasWork(): boolean {
    return this.#state !== this.#target || this.#restart !== null;
  }

  async #driveToTarget(): Promise<void> {
    // Let a caller that changes its mind at once do so before any script has started.
    await Promise.resolve();
    for (;;) {
      const to = nextState(this.#state, this.#target);
      if (to !== null) await this.#move(to);
      else if (this.#restart !== null) await this.#restartInPlace(this.#restart.services);
      else return;
    }
  }

  async #move(to: ModuleState): Promise<void> {
    const { hooks, save } = this.#options;
    const from = this.#state;
    save({ state: from, to });
    this.#entering = { from, to };
    this.#shown = to === "STOP" ? "WAIT" : to;
    this.#options.onChange(this.view);
    await hooks.before(from, to);
    await this.#runAll(transitionCalls(from, to, this.#action));
    await hooks.after(from, to);
    this.#state = to;
    this.#shown = to;
    this.#entering = null;
    save({ state: to, to: null });
  }

  async #restartInPlace(services: string | null): Promise<void> {
    const { hooks, save } = this.#options;
    this.#restart = null;
    save({ state: this.#state, to: this.#state });
    this.#options.onChange(this.view);
    await hooks.before(this.#state, this.#state);
    await this.#runAll(restartCalls(this.#state, services));
    await hooks.after(this.#state, this.#state);
    save({ state: this.#state, to: null });
  }

  async #runAll(calls: readonly ScriptCall[]): Promise<void> {
    for (const call of calls) {
      if (this.#held !== null) await this.#held;
      if (call.kind === "start" && this.#isUnwanted()) continue;
      await this.#runOne(call);
    }
  }

  async #runOne(call: ScriptCall): Promise<void> {
    const { scripts, onScript } = this.#options;
    const script = scripts.run(call);
    this.#running = { call, script };
    if (script.ulog !== null) onScript({ kind: "scriptStarted", call, ulog: script.ulog });
    this.#options.onChange(this.view);
    const outcome = await script.done;
    this.#running = null;
    if (outcome.kind !== "absent") onScript({ kind: "scriptEnded", call, outcome });
  }

  /** Is what is being started something that the target takes away again? */
  #isUnwanted(): boolean {
    const { from, to } = this.#entering ?? { from: this.#state, to: this.#state };
    if (!isRunning(to)) return from === "STOP" && this.#target === "STOP";
    return !isRunning(this.#target) || (isServing(to) && this.#target === "SECOND");
  }
}
