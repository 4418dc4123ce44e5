import type { BootMs, ModuleId } from "#model/shared/ids.ts";

/** What must be taken down when a module's lease ends and its agent did not do it. */
export type FenceTargets = {
  /** Virtual addresses that stand on an interface of this machine. */
  readonly addresses: readonly { readonly address: string; readonly interfaceName: string }[];
  /** Absolute path of the module's cgroup v2 directory; null where the agent may not make one. */
  readonly cgroupPath: string | null;
  /** Process groups to kill where there is no cgroup (a playground that is not root). */
  readonly processGroups: readonly number[];
  /** Mount points to detach, innermost last. */
  readonly mounts: readonly string[];
};

/** One module as the agent reports it to the guard; the latest report counts. */
export type GuardedModule = {
  readonly moduleId: ModuleId;
  /** The end of the lease, or null when there is none; a huge number under a standing vote. */
  readonly leaseUntilBootMs: BootMs | null;
  /** The agent says that it has fenced the module itself and watches over it. */
  readonly isFencedByAgent: boolean;
  /** null: nothing of this module runs here, there is nothing to take down. */
  readonly targets: FenceTargets | null;
};
