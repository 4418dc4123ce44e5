/** All workloads, in the order they are measured in. */
import type { Workload } from "./workload.ts";
import { BESIDE } from "./workloads/beside.ts";
import { DATABASES } from "./workloads/databases.ts";
import { ENCRYPTION } from "./workloads/encryption.ts";
import { WITH_FILES } from "./workloads/footprint.ts";
import { RANDOM_WRITES } from "./workloads/random-writes.ts";
import { READS } from "./workloads/reads.ts";
import { RESYNC } from "./workloads/resync.ts";
import { SEQUENTIAL_WRITES } from "./workloads/sequential-writes.ts";
import { SMALL_FILES } from "./workloads/small-files.ts";
import { TREES } from "./workloads/trees.ts";

export const workloadsOf = (idle: Workload): readonly Workload[] => [
  idle,
  ...RANDOM_WRITES,
  ...SEQUENTIAL_WRITES,
  ...READS,
  ...SMALL_FILES,
  ...TREES,
  ...DATABASES,
  ...BESIDE,
  ENCRYPTION,
  ...RESYNC,
  WITH_FILES,
];
