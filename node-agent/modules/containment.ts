/**
 * Running a module's programs on this node: its scripts in their order, everything they leave
 * behind, and the power to stop it all.
 *
 * Whatever a script starts must be found again when the module loses its right to run: daemons fork
 * twice, change their process group and outlive the script, and the agent itself may have restarted
 * since. So each module's processes live in a *containment*, normally a cgroup v2 directory
 * (cgroup.ts), which no child can leave and which outlives the agent. Where the agent may not make
 * one, as in a playground that is not root, every process carries a mark in its environment instead
 * (marked-processes.ts); that holds for well-behaved programs only, and is reported as a warning.
 *
 * `script-runner.ts` runs one script, `life-cycle.ts` walks the order of them, `fence.ts` stops
 * everything at once.
 */

/** What freezing or killing achieved within its bound. */
export type ContainmentOutcome = {
  /** Every process is frozen (or gone). */
  readonly isComplete: boolean;
  /**
   * Processes that did not stop in time. One that is inside a file operation of ours is not
   * interruptible: it is harmless as long as no reply leaves, and goes on or dies with the reply.
   */
  readonly stuckProcessIds: readonly number[];
};

/** The processes of one module on this node. */
export interface Containment {
  readonly kind: "cgroup" | "marked";
  /** Absolute path of the cgroup; null for `marked`. The guard is told it, to kill without us. */
  readonly cgroupPath: string | null;
  /** Sentences for the people who run this node; empty when nothing can escape. */
  readonly warnings: readonly string[];
  /** The command that runs `command` inside: it joins before it executes, so no child escapes. */
  wrap(command: readonly string[]): readonly string[];
  /** Variables that every process inside must have. */
  readonly environment: Readonly<Record<string, string>>;
  processIds(): readonly number[];
  isEmpty(): boolean;
  /** Stops every process from running, within `waitMsMax`; idempotent. */
  freeze(waitMsMax: number): Promise<ContainmentOutcome>;
  thaw(): void;
  /** SIGKILL for all, frozen ones too, and for what they fork meanwhile; idempotent. */
  kill(waitMsMax: number): Promise<ContainmentOutcome>;
  /** Forgets an empty containment, as when a module is uninstalled. */
  remove(): void;
}
