/** What a workload is. Each family of them is a file in workloads/. */
import type { BenchLab } from "./bench-lab.ts";
import type { Target, TargetName } from "./targets.ts";

/** One line of the result. A workload measures one or several in one go. */
export type Row = {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly better: "more" | "less";
};

/** Row key to value, in the row's unit. */
export type Figures = Readonly<Record<string, number>>;

export type Workload = {
  /** For `--workloads`. */
  readonly name: string;
  readonly rows: readonly Row[];
  readonly targets: readonly TargetName[];
  /** Measured in the first so many rounds only: what hardly varies, or takes long. */
  readonly roundsMax?: number;
  /** Before a target's first measure. */
  prepare?(target: Target, bench: BenchLab): Promise<void>;
  /** Throws when it cannot be measured: the round then has no value here, and the reason is told. */
  measure(target: Target, bench: BenchLab): Promise<Figures>;
};

/** Ext4 by itself, ours in both modes, and the peer. */
export const FILE_SYSTEMS: readonly TargetName[] = ["native", "write", "fsync", "glusterfs"];
/** The same, and both images at once: what a write to two disks on one machine can be at best. */
export const WITH_DUAL: readonly TargetName[] = ["native", "dual", "write", "fsync", "glusterfs"];
