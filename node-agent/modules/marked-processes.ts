import { setTimeout as sleep } from "node:timers/promises";
import type { Containment, ContainmentOutcome } from "./containment.ts";
import { hasEnvironmentEntry, processIds, readProcess, signal } from "./process-table.ts";

const POLL_MS = 10;
const VARIABLE = "MIRRORFARM_CONTAINMENT";

/**
 * The containment without a cgroup: a variable in the environment marks each process, and children
 * inherit it however often they fork. A program that clears its environment escapes, which is why
 * this is only the second choice.
 */
export function openMarkedProcesses(instance: string, moduleId: string, why: string): Containment {
  return new MarkedProcesses(`${instance}/${moduleId}`, why);
}

class MarkedProcesses implements Containment {
  readonly kind = "marked";
  readonly cgroupPath = null;
  readonly warnings: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly #entry: string;

  constructor(mark: string, why: string) {
    this.environment = { [VARIABLE]: mark };
    this.#entry = `${VARIABLE}=${mark}`;
    this.warnings = [
      `Processes are found by their environment, not by a cgroup (${why}): ` +
        "a program that clears its environment cannot be stopped when this node is fenced.",
    ];
  }

  wrap(command: readonly string[]): readonly string[] {
    return command;
  }

  processIds(): readonly number[] {
    return processIds().filter(
      (id) =>
        id !== process.pid &&
        hasEnvironmentEntry(id, this.#entry) &&
        readProcess(id)?.state !== "Z",
    );
  }

  isEmpty(): boolean {
    return this.processIds().length === 0;
  }

  async freeze(waitMsMax: number): Promise<ContainmentOutcome> {
    const running = () =>
      this.processIds().filter((id) => !["T", "t"].includes(readProcess(id)?.state ?? "T"));
    return await this.#repeat("SIGSTOP", waitMsMax, running);
  }

  thaw(): void {
    for (const id of this.processIds()) signal(id, "SIGCONT");
  }

  async kill(waitMsMax: number): Promise<ContainmentOutcome> {
    return await this.#repeat("SIGKILL", waitMsMax, () => this.processIds());
  }

  remove(): void {}

  /** Signals what is left until nothing is: what forked while we looked is found the next time. */
  async #repeat(
    name: NodeJS.Signals,
    waitMsMax: number,
    left: () => readonly number[],
  ): Promise<ContainmentOutcome> {
    for (let waitedMs = 0; ; waitedMs += POLL_MS) {
      const ids = left();
      if (ids.length === 0) return { isComplete: true, stuckProcessIds: [] };
      if (waitedMs >= waitMsMax) return { isComplete: false, stuckProcessIds: ids };
      for (const id of ids) signal(id, name);
      await sleep(POLL_MS);
    }
  }
}
