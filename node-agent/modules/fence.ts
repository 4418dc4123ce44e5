import type { ModuleConfig } from "#model/module/config.ts";
import type { Containment } from "./containment.ts";
import type { MountUser } from "./mount-users.ts";
import { readProcess, signal } from "./process-table.ts";
import { type MountUsers, scanMountUsers } from "./scan-mount-users.ts";
import type { Systemd } from "./systemd-units.ts";

/** Everything of a module that runs on this node, and how to stop it. */
export type FenceOptions = {
  readonly containment: Containment;
  /** Mount points of the replicated trees; asked each time, as they come and go. */
  mountPoints(): readonly string[];
  /** systemd units that the module's scripts start. */
  readonly units: readonly string[];
  /** null: systemd does not run this machine. */
  readonly systemd: Systemd | null;
  /** Never touched: the agent with its guard, which have the directories below the mounts open. */
  sparedProcessIds(): readonly number[];
  readonly findMountUsers?: (places: readonly string[], waitMsMax: number) => Promise<MountUsers>;
};

export type FenceReport = {
  /** True when nothing of the module runs any more (frozen, or gone when killing). */
  readonly isComplete: boolean;
  /** One sentence for each thing that could not be stopped. */
  readonly problems: readonly string[];
  readonly otherProcessIds: readonly number[];
};

/**
 * Stops all that a module runs: its containment, the systemd units that it starts, and any other
 * process that uses its directories. The order is that of reach: first the containment, which is
 * one write, then what takes a search. The fence as a whole does not rest on it: no file operation
 * is answered and the address is gone before any of this.
 */
export class ModuleFence {
  readonly #options: FenceOptions;
  /** Processes outside the containment that we stopped, to be continued on a thaw. */
  #stopped: readonly number[] = [];

  constructor(options: FenceOptions) {
    this.#options = options;
  }

  /** What this fence cannot cover, to be told when the module starts, not when it is too late. */
  warnings(): readonly string[] {
    const { containment, units, systemd } = this.#options;
    if (units.length === 0 || systemd !== null) return containment.warnings;
    const names = units.join(", ");
    const warning =
      `The module watches the services ${names}, but systemd does not run this machine: ` +
      "they are not stopped when this node is fenced.";
    return [...containment.warnings, warning];
  }

  /** Nothing of the module shall run, but it may go on later where it stopped. */
  async freeze(waitMsMax: number): Promise<FenceReport> {
    const { containment, units, systemd } = this.#options;
    const [contained, others, frozenUnits] = await Promise.all([
      containment.freeze(waitMsMax),
      this.#others(waitMsMax),
      Promise.all(units.map(async (unit) => (await systemd?.freeze(unit)) ?? false)),
    ]);
    this.#stopped = others.users
      .map(({ processId }) => processId)
      .filter((id) => signal(id, "SIGSTOP"));
    const stuck = contained.stuckProcessIds.map((id) => `${describe(id)} does not freeze`);
    return this.#report(contained.isComplete, stuck, others, frozenUnits, "freeze");
  }

  /** Undoes `freeze`. */
  async thaw(): Promise<void> {
    const { containment, units, systemd } = this.#options;
    for (const id of this.#stopped) signal(id, "SIGCONT");
    this.#stopped = [];
    containment.thaw();
    await Promise.all(units.map((unit) => systemd?.thaw(unit)));
  }

  /** Nothing of the module shall exist any more. Call again while it is not complete. */
  async kill(waitMsMax: number): Promise<FenceReport> {
    const { containment, units, systemd } = this.#options;
    const killed = containment.kill(waitMsMax);
    const [contained, others, killedUnits] = await Promise.all([
      killed,
      this.#others(waitMsMax),
      Promise.all(units.map(async (unit) => (await systemd?.kill(unit)) ?? false)),
    ]);
    for (const { processId } of others.users) signal(processId, "SIGKILL");
    this.#stopped = [];
    const stuck = contained.stuckProcessIds.map((id) => `${describe(id)} does not die`);
    return this.#report(contained.isComplete, stuck, others, killedUnits, "kill");
  }

  async #others(waitMsMax: number): Promise<MountUsers> {
    const { containment, mountPoints, sparedProcessIds } = this.#options;
    const find = this.#options.findMountUsers ?? scanMountUsers;
    const { users, isComplete } = await find(mountPoints(), waitMsMax);
    const known = new Set([...containment.processIds(), ...sparedProcessIds(), process.pid]);
    return { users: users.filter(({ processId }) => !known.has(processId)), isComplete };
  }

  #report(
    isContained: boolean,
    stuck: readonly string[],
    others: MountUsers,
    units: readonly boolean[],
    verb: string,
  ): FenceReport {
    const missed = this.#options.units
      .filter((_, index) => units[index] !== true)
      .map((unit) => `cannot ${verb} ${unit}`);
    const search = others.isComplete
      ? []
      : ["the search for users of the directories took too long"];
    const problems = [...stuck, ...missed, ...search];
    return {
      isComplete: isContained && problems.length === 0,
      problems,
      otherProcessIds: others.users.map((user: MountUser) => user.processId),
    };
  }
}

/** The systemd units that a module's file names as watched services. */
export function unitsOf(config: ModuleConfig): readonly string[] {
  const services = (config.errd?.procs ?? []).filter((proc) => proc.isService);
  return [...new Set(services.map(({ name }) => unitName(name)))];
}

/** systemctl takes a bare name for a service (systemctl(1)); a name with a suffix stays. */
export function unitName(service: string): string {
  return /\.[a-z]+$/.test(service) ? service : `${service}.service`;
}

function describe(processId: number): string {
  const entry = readProcess(processId);
  return entry === null ? `process ${processId}` : `process ${processId} (${entry.command})`;
}
