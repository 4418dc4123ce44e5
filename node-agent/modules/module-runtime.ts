import type { CheckingAction, CheckingRecord } from "#model/checking/decide-checks.ts";
import { NEW_CHECKING_RECORD } from "#model/checking/decide-checks.ts";
import type { ModuleConfig } from "#model/module/config.ts";
import type { ModuleId, NodeId } from "#model/shared/ids.ts";
import { isServing, type ModuleState, type ScriptAction } from "#model/states/lifecycle.ts";
import { type StateStatus, statusOf } from "#model/states/node-state.ts";
import { CheckerSet } from "../checkers/checker-set.ts";
import { snapshotProcesses, type WatchedProcess } from "../checkers/process-watch.ts";
import { type HeldAddress, VirtualAddress, virtualAddressPlans } from "../vip/virtual-address.ts";
import type { Containment } from "./containment.ts";
import { type FenceReport, ModuleFence, unitsOf } from "./fence.ts";
import { type LifeCycleRecord, ModuleLifeCycle, type ScriptEvent } from "./life-cycle.ts";
import { ModuleChecks } from "./module-checks.ts";
import { type ModuleDirectories, scriptEnvironment } from "./script-environment.ts";
import { ModuleScripts } from "./script-runner.ts";
import type { Systemd } from "./systemd-units.ts";

/** What outlives the agent: without it, a restarted agent would start a running application. */
export type RuntimeRecord = {
  readonly lifeCycle: LifeCycleRecord;
  readonly checking: CheckingRecord;
};

export const NEW_RUNTIME_RECORD: RuntimeRecord = {
  lifeCycle: { state: "STOP", to: null },
  checking: NEW_CHECKING_RECORD,
};

/** An action that the runtime cannot take by itself, as it concerns who is primary. */
export type WantedAction = { readonly kind: "stop" | "stopstart" | "wait" | "swap" };

export type ModuleRuntimeOptions = {
  readonly moduleId: ModuleId;
  readonly nodeId: NodeId;
  readonly config: ModuleConfig;
  readonly directories: ModuleDirectories;
  readonly containment: Containment;
  readonly systemd: Systemd | null;
  readonly initial: RuntimeRecord;
  /** Never killed: the agent and its guard. */
  readonly sparedProcessIds: readonly number[];
  /** Watch only the module's own processes: where several nodes share one process table. */
  readonly watchesOwnProcessesOnly: boolean;
  /** Put virtual addresses on this node's interfaces; false where something else carries them. */
  readonly holdsAddresses: boolean;
  mountPoints(): readonly string[];
  nowMs(): number;
  save(record: RuntimeRecord): void;
  /** State, status, resources or addresses changed: ask `view` and `resources`. */
  onChange(): void;
  onScript(event: ScriptEvent): void;
  /** A rule or a checker asks for what only the agent can do. `reason` goes to the log. */
  onWanted(action: WantedAction, reason: string): void;
  /** For the log: what the runtime did by itself, and what it could not do. */
  onNotice(text: string): void;
};

export type RuntimeView = {
  readonly state: ModuleState;
  readonly status: StateStatus;
  readonly target: ModuleState;
  readonly script: string | null;
  /** False while a wait rule holds, or a first result is awaited: no role may be taken. */
  readonly mayRun: boolean;
  /** Why not, or what was last decided about the checkers' results. */
  readonly checkReason: string;
  readonly addresses: readonly HeldAddress[];
};

/** An action that nobody has begun after this long is asked for again. */
const ACTION_MS_MAX = 30_000;

/**
 * One module on this node, all its parts joined: scripts, checkers, addresses and fence. It is told
 * which state to be in and reports what its checkers want; it never decides who is primary.
 */
export class ModuleRuntime {
  readonly lifeCycle: ModuleLifeCycle;
  readonly checks: ModuleChecks;
  readonly checkers: CheckerSet;
  readonly scripts: ModuleScripts;
  readonly fence: ModuleFence;
  readonly addresses: readonly VirtualAddress[];
  readonly #options: ModuleRuntimeOptions;
  #record: RuntimeRecord;
  #isFenced = false;
  #isResynchronising = false;
  /** An action is being carried out by somebody else; not asked for again before this time. */
  #actionUntilMs = 0;

  constructor(options: ModuleRuntimeOptions) {
    this.#options = options;
    this.#record = options.initial;
    const { config, moduleId, containment, systemd, directories } = options;
    this.scripts = new ModuleScripts({
      user: config.user,
      binDirectory: directories.bin,
      logDirectory: directories.userVar,
      environment: scriptEnvironment(moduleId, options.nodeId, directories, varsOf(config)),
      containment,
    });
    this.fence = new ModuleFence({ ...options, units: unitsOf(config), containment, systemd });
    this.addresses = this.#plannedAddresses();
    this.checks = this.#makeChecks();
    this.checkers = new CheckerSet({
      config,
      moduleId,
      scripts: this.scripts,
      systemd,
      processes: () => this.#processes(),
      onResult: (resource, result) => this.checks.set(resource, result),
    });
    this.lifeCycle = this.#makeLifeCycle();
  }

  /** Begins to check: after an agent's restart the module may be running already. */
  start(): void {
    const { state } = this.lifeCycle;
    this.checkers.settledIn(state);
    if (isServing(state)) this.#holdAddresses();
    this.checks.look();
  }

  get view(): RuntimeView {
    const { state, target, runsScripts, script } = this.lifeCycle.view;
    const decision = this.checks.decision;
    const awaitsFirstResults = decision?.awaitsFirstResults ?? false;
    const isResynchronising = this.#isResynchronising;
    const status = statusOf({ state, runsScripts, isResynchronising, awaitsFirstResults });
    const mayRun = (decision?.waitRules.length ?? 0) === 0 && !awaitsFirstResults;
    const addresses = this.addresses.flatMap((address) => address.observe());
    const checkReason = decision?.reason ?? "";
    return { state, status, target, script, mayRun, checkReason, addresses };
  }

  setTarget(target: ModuleState, action: ScriptAction): void {
    this.lifeCycle.setTarget(target, action);
  }

  /** Data is being copied to this node: a SECOND is not Ready before the end. */
  setResynchronising(isResynchronising: boolean): void {
    this.#isResynchronising = isResynchronising;
    this.#options.onChange();
  }

  /** The address goes first, then everything stops where it is; `unfence` lets it go on. */
  async freeze(waitMsMax: number): Promise<FenceReport> {
    this.#isFenced = true;
    await this.#releaseAddresses(true);
    return await this.fence.freeze(waitMsMax);
  }

  /** The same epoch was granted again: the address comes back and the application goes on. */
  async unfence(): Promise<void> {
    await this.fence.thaw();
    this.#isFenced = false;
    if (isServing(this.lifeCycle.state)) this.#holdAddresses();
    this.checks.look();
  }

  /** The role is lost: the address goes, every process is killed, and the module goes to `target`. */
  async kill(target: "STOP" | "WAIT" | "SECOND", waitMsMax: number): Promise<FenceReport> {
    this.#isFenced = true;
    await this.#releaseAddresses(true);
    const report = await this.lifeCycle.killedBy(target, () => this.fence.kill(waitMsMax));
    this.#isFenced = false;
    return report;
  }

  /** Stops watching; processes and addresses stay as they are, for the next agent to adopt. */
  close(): void {
    this.checks.close();
    this.checkers.stop();
    this.scripts.close();
    for (const address of this.addresses) address.stopAnnouncing();
  }

  #plannedAddresses(): readonly VirtualAddress[] {
    const { config, holdsAddresses } = this.#options;
    // In a farm every node is UP: the same address on all of them needs a load balancer instead.
    if (!holdsAddresses || config.mode === "farm") return [];
    return virtualAddressPlans(config).map((plan) => new VirtualAddress(plan));
  }

  #makeChecks(): ModuleChecks {
    const { config, initial } = this.#options;
    return new ModuleChecks({
      config,
      initial: initial.checking,
      nowMs: () => this.#options.nowMs(),
      stateToJudge: () => this.#stateToJudge(),
      onAction: (action, reason) => this.#act(action, reason),
      onChange: () => this.#options.onChange(),
      save: (checking) => this.#save({ ...this.#record, checking }),
    });
  }

  #makeLifeCycle(): ModuleLifeCycle {
    return new ModuleLifeCycle({
      scripts: this.scripts,
      initial: this.#options.initial.lifeCycle,
      hooks: {
        before: async (from, to) => this.#before(from, to),
        after: async (from, to) => await this.#after(from, to),
      },
      save: (lifeCycle) => this.#save({ ...this.#record, lifeCycle }),
      onChange: (view) => {
        if (view.runsScripts) this.#actionUntilMs = 0;
        else this.checks.look();
        this.#options.onChange();
      },
      onScript: (event) => this.#options.onScript(event),
    });
  }

  #before(from: ModuleState, to: ModuleState): void {
    if (from === to) this.checkers.restarting();
    else this.checkers.moving(from, to);
    if (!isServing(from) && isServing(to)) this.#holdAddresses();
  }

  async #after(from: ModuleState, to: ModuleState): Promise<void> {
    if (isServing(from) && !isServing(to)) await this.#releaseAddresses(false);
    this.checkers.settledIn(to);
  }

  #stateToJudge(): ModuleState | null {
    const isActing = this.#options.nowMs() < this.#actionUntilMs;
    const { runsScripts } = this.lifeCycle.view;
    return runsScripts || isActing || this.#isFenced ? null : this.lifeCycle.state;
  }

  #act(action: CheckingAction, reason: string): void {
    // Level-triggered through `view.mayRun`: whoever decides the roles looks there.
    if (action.kind === "wakeup") this.#options.onChange();
    else if (action.kind === "restart") {
      this.#options.onNotice(reason);
      this.lifeCycle.restart(action.services);
    } else {
      this.#actionUntilMs = this.#options.nowMs() + ACTION_MS_MAX;
      if (action.kind === "handler") void this.#runHandler(action.executable, reason);
      else this.#options.onWanted({ kind: action.kind }, reason);
    }
  }

  /** A module's own answer to a missing process: exit 0 says that all is well again. */
  async #runHandler(executable: string, reason: string): Promise<void> {
    const { moduleId, onNotice, onWanted } = this.#options;
    const call = { script: executable, arguments: [moduleId], kind: "other" } as const;
    const outcome = await this.scripts.run(call).done;
    this.#actionUntilMs = 0;
    onNotice(`${reason}: ${executable} ${outcome.kind}`);
    const isHandled = outcome.kind === "exited" && outcome.code === 0;
    if (!isHandled) onWanted({ kind: "stopstart" }, `${reason}: ${executable} did not mend it`);
  }

  #holdAddresses(): void {
    for (const address of this.addresses) {
      const held = address.hold();
      if (!held.ok) this.#options.onNotice(`virtual address: ${held.error}`);
    }
  }

  async #releaseAddresses(isUrgent: boolean): Promise<void> {
    await Promise.all(
      this.addresses.map(async (address) => {
        const released = await address.release(isUrgent);
        if (!released.ok) this.#options.onNotice(`virtual address: ${released.error}`);
      }),
    );
  }

  #processes(): readonly WatchedProcess[] {
    const { watchesOwnProcessesOnly, containment } = this.#options;
    return snapshotProcesses(watchesOwnProcessesOnly ? containment.processIds() : null);
  }

  #save(record: RuntimeRecord): void {
    this.#record = record;
    this.#options.save(record);
  }
}

const varsOf = (config: ModuleConfig) => config.user?.vars ?? [];
