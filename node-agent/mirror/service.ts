import type { CheckingAction } from "#model/checking/decide-checks.ts";
import { assertNever } from "#model/shared/assert.ts";
import { isServing, type ModuleState, type ScriptAction } from "#model/states/lifecycle.ts";
import type { ModuleFence } from "../modules/fence.ts";
import {
  type LifeCycleRecord,
  type LifeCycleView,
  ModuleLifeCycle,
  type ScriptEvent,
} from "../modules/life-cycle.ts";
import type { ScriptRunner } from "../modules/script-runner.ts";
import type { HeldAddress, VirtualAddress } from "../vip/virtual-address.ts";
import type { Checks, ChecksOptions } from "./checks.ts";

/** What the service tells whoever decides about it. */
export type ServiceEvent =
  | { readonly kind: "changed"; readonly view: LifeCycleView }
  /** A state was reached and no script runs. */
  | { readonly kind: "arrived"; readonly state: ModuleState }
  | { readonly kind: "script"; readonly event: ScriptEvent }
  | { readonly kind: "addressHeld"; readonly held: HeldAddress }
  | { readonly kind: "addressReleased"; readonly address: string }
  | {
      readonly kind: "resource";
      readonly name: string;
      readonly from: string;
      readonly to: string;
      readonly detail: string;
    }
  /** The rules ask for what only the quorum protocol may do. */
  | {
      readonly kind: "asked";
      readonly action: "stopstart" | "stop" | "swap";
      readonly reason: string;
    }
  | { readonly kind: "acted"; readonly action: string; readonly reason: string }
  /** The rules ask for it, and a person works on the machines. */
  | { readonly kind: "heldBack"; readonly action: string; readonly reason: string }
  | { readonly kind: "blocked"; readonly blocker: string | null }
  | { readonly kind: "problem"; readonly text: string };

/** A virtual address of the module on this node (vip/virtual-address.ts). */
export type NodeAddress = Pick<VirtualAddress, keyof VirtualAddress>;

/** What follows from the checks, and what holds it back. */
export type CheckReactions = Pick<
  ChecksOptions,
  "isInMaintenance" | "onHeldBack" | "onAction" | "onBlocked" | "onResource"
>;

/** What a service is made of: the machine's own in an agent (service-parts.ts). */
export type ServiceParts = {
  readonly scripts: ScriptRunner;
  readonly fence: Pick<ModuleFence, keyof ModuleFence>;
  readonly addresses: readonly NodeAddress[];
  newChecks(reactions: CheckReactions): Checks;
};

export type ServiceOptions = {
  readonly parts: ServiceParts;
  /**
   * Resolves with true when the replicated directories can be written to by this node's
   * application, with false when the wait is given up.
   */
  beforeServing(): Promise<boolean>;
  /** A person works on the machines: checkers are watched and not obeyed. */
  isInMaintenance(): boolean;
  /** Keeps how far the scripts are where the next agent finds it. */
  save(record: LifeCycleRecord): void;
  onEvent(event: ServiceEvent): void;
};

/** How long a freeze may take before the fence counts as incomplete; no reply leaves meanwhile. */
const FREEZE_MS_MAX = 500;
const KILL_MS_MAX = 3_000;

/**
 * A module's programs and its address on this node, as one thing: started and stopped by scripts,
 * frozen by the fence, killed when another node leads. It decides nothing.
 *
 * The address comes before the first start script and leaves after the last stop script, so that
 * clients are let in as early as possible and cut off as late as possible.
 */
export class Service {
  readonly #options: ServiceOptions;
  readonly #scripts: ScriptRunner;
  readonly #lifeCycle: ModuleLifeCycle;
  readonly #fence: ServiceParts["fence"];
  readonly #addresses: readonly NodeAddress[];
  readonly checks: Checks;
  #held: readonly HeldAddress[] = [];
  #isFrozen = false;
  /** Ends when no address is being taken off: one put on meanwhile would be taken off again. */
  #releasing: Promise<unknown> = Promise.resolve();
  #turn: Promise<void> = Promise.resolve();

  constructor(options: ServiceOptions) {
    this.#options = options;
    const { scripts, fence, addresses, newChecks } = options.parts;
    this.#scripts = scripts;
    this.#fence = fence;
    this.#addresses = addresses;
    this.#lifeCycle = new ModuleLifeCycle({
      scripts: this.#scripts,
      initial: { state: "STOP", to: null },
      hooks: {
        before: (from, to) => this.#beforeMove(from, to),
        after: (from, to) => this.#afterMove(from, to),
      },
      save: (record) => options.save(record),
      onChange: (view) => this.#onChange(view),
      onScript: (event) => options.onEvent({ kind: "script", event }),
    });
    this.checks = newChecks({
      isInMaintenance: () => options.isInMaintenance(),
      onHeldBack: (action, reason) => options.onEvent({ kind: "heldBack", action, reason }),
      onAction: (action, reason) => this.#onAction(action, reason),
      onBlocked: (blocker) => options.onEvent({ kind: "blocked", blocker }),
      onResource: (name, from, to, detail) =>
        options.onEvent({ kind: "resource", name, from, to, detail }),
    });
  }

  get view(): LifeCycleView {
    return this.#lifeCycle.view;
  }

  /** The state reached last. */
  get state(): ModuleState {
    return this.#lifeCycle.state;
  }

  get heldAddresses(): readonly HeldAddress[] {
    return this.#held;
  }

  get addresses(): readonly NodeAddress[] {
    return this.#addresses;
  }

  warnings(): readonly string[] {
    return this.#fence.warnings();
  }

  /**
   * The application of an earlier agent runs on, in this state. Whether it is frozen, and where the
   * address is, nobody knows yet: a `freeze` or a `thaw` follows.
   */
  adopt(state: ModuleState): void {
    this.#lifeCycle.adopt(state);
  }

  /** Takes away what an earlier agent may have left: processes, addresses. */
  async cleanUp(): Promise<void> {
    this.#options.save({ state: "STOP", to: null });
    await this.#releaseAddresses(true);
    await this.#fence.kill(KILL_MS_MAX);
    await this.#fence.thaw();
  }

  setTarget(target: ModuleState, action: ScriptAction): void {
    this.#lifeCycle.setTarget(target, action);
  }

  restart(services: string | null): void {
    this.#lifeCycle.restart(services);
  }

  /** The address leaves at once; stopping the processes takes its bounded time. */
  async freeze(): Promise<void> {
    this.checks.pause();
    this.#isFrozen = true;
    await this.#releaseAddresses(true);
    await this.#inTurn(async () => {
      if (this.#isFrozen) this.#tell(await this.#fence.freeze(FREEZE_MS_MAX));
    });
  }

  async thaw(): Promise<void> {
    this.#isFrozen = false;
    await this.#inTurn(async () => {
      await this.#fence.thaw();
      await this.#releasing;
      if (this.#isFrozen) return;
      const { state, runsScripts } = this.#lifeCycle.view;
      if (isServing(state)) this.#holdAddresses();
      if (!runsScripts) this.checks.settledIn(state);
    });
  }

  /** A thaw must not overtake the freeze before it: what it missed would stay stopped for ever. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(step, step);
    return this.#turn;
  }

  /** Ends everything of the module; the life cycle then goes to `target` by its stop scripts. */
  async kill(target: "STOP" | "WAIT" | "SECOND"): Promise<void> {
    this.#isFrozen = false;
    await this.#releaseAddresses(true);
    await this.#inTurn(async () => {
      const killed = await this.#lifeCycle.killedBy(target, () => this.#fence.kill(KILL_MS_MAX));
      await this.#fence.thaw();
      this.#tell(killed);
    });
  }

  /** The control plane did not see the address here: put it on again, and tell the neighbours. */
  async announce(): Promise<{ outcome: "done" | "refused"; text: string }> {
    if (!isServing(this.#lifeCycle.view.state)) {
      return { outcome: "refused", text: "this node does not serve" };
    }
    // No grant is live: another node may lead, and the address be there.
    if (this.#isFrozen) return { outcome: "refused", text: "this node is fenced" };
    this.#holdAddresses();
    return { outcome: "done", text: "the address is announced" };
  }

  /** The control plane saw the address here though another node leads. */
  async withdraw(): Promise<{ outcome: "done" | "refused"; text: string }> {
    if (isServing(this.#lifeCycle.view.state)) {
      return { outcome: "refused", text: "this node serves" };
    }
    await this.#releaseAddresses(true);
    return { outcome: "done", text: "the address is off" };
  }

  close(): void {
    this.checks.close();
    this.#scripts.close();
  }

  async #beforeMove(from: ModuleState, to: ModuleState): Promise<void> {
    this.checks.moving(from, to);
    if (!isServing(to) || isServing(from)) return;
    // A wait that was given up says nothing about a target that has changed back since.
    while (isServing(this.#lifeCycle.view.target)) {
      if (!(await this.#options.beforeServing())) continue;
      await this.#releasing;
      // While frozen the address stays away; the thaw puts it on.
      if (isServing(this.#lifeCycle.view.target) && !this.#isFrozen) this.#holdAddresses();
      return;
    }
  }

  async #afterMove(from: ModuleState, to: ModuleState): Promise<void> {
    if (isServing(from) && !isServing(to)) await this.#releaseAddresses(false);
  }

  #onChange(view: LifeCycleView): void {
    this.#options.onEvent({ kind: "changed", view });
    if (!view.runsScripts && view.state === view.target) {
      this.checks.settledIn(view.state);
      this.#options.onEvent({ kind: "arrived", state: view.state });
    }
  }

  #onAction(action: CheckingAction, reason: string): void {
    switch (action.kind) {
      case "restart":
        this.#options.onEvent({ kind: "acted", action: "restart", reason });
        this.checks.restarting();
        this.#lifeCycle.restart(action.services);
        return;
      case "stopstart":
      case "stop":
      case "swap":
        this.#options.onEvent({ kind: "asked", action: action.kind, reason });
        return;
      case "wait":
        // The blocker was told already: the protocol gives the role away and leads to WAIT.
        this.#options.onEvent({ kind: "acted", action: "wait", reason });
        return;
      case "handler":
        this.#runHandler(action.executable, reason);
        return;
      case "wakeup":
        return;
      default:
        assertNever(action);
    }
  }

  /** A module's own answer to a missing process: exit code 0 says that all is well again. */
  #runHandler(executable: string, reason: string): void {
    this.#options.onEvent({ kind: "acted", action: executable, reason });
    const running = this.#scripts.run({ script: executable, arguments: [], kind: "other" });
    void running.done.then((outcome) => {
      const isWell = outcome.kind === "exited" && outcome.code === 0;
      if (isWell) this.checks.settledIn(this.#lifeCycle.view.state);
      else
        this.#options.onEvent({
          kind: "asked",
          action: "stopstart",
          reason: `${executable} failed`,
        });
    });
  }

  #holdAddresses(): void {
    const held: HeldAddress[] = [];
    for (const address of this.#addresses) {
      const done = address.hold();
      if (done.ok) {
        held.push(done.value);
      } else {
        this.#options.onEvent({ kind: "problem", text: `virtual address: ${done.error}` });
      }
    }
    // Known before it is told: who hears of it tells the guard what to take off.
    this.#held = held;
    for (const one of held) this.#options.onEvent({ kind: "addressHeld", held: one });
  }

  #releaseAddresses(isUrgent: boolean): Promise<void> {
    const released = this.#release(isUrgent);
    this.#releasing = Promise.allSettled([this.#releasing, released]);
    return released;
  }

  async #release(isUrgent: boolean): Promise<void> {
    const was = this.#held;
    this.#held = [];
    for (const address of this.#addresses) {
      const done = await address.release(isUrgent);
      if (!done.ok) {
        this.#options.onEvent({ kind: "problem", text: `virtual address: ${done.error}` });
      }
    }
    for (const { address } of was) {
      this.#options.onEvent({ kind: "addressReleased", address });
    }
  }

  #tell(report: { readonly isComplete: boolean; readonly problems: readonly string[] }): void {
    for (const text of report.problems) this.#options.onEvent({ kind: "problem", text });
  }
}
