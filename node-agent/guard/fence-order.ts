import * as z from "zod/mini";
import { MODULES_MAX, ModuleName } from "#model/contract/common.ts";

/**
 * The guard: a small process that outlives the agent.
 *
 * A node may act as primary only while its lease lives, and normally the agent itself sees to that.
 * The guard is for the agent that cannot: killed, stopped by a bug, or hung. It starts the agent as
 * its child and hears from the agent's heartbeat thread, 20 times a second over an inherited
 * socket, until when each module's lease lasts and what would have to be taken down. When a lease
 * ends without a word that the agent fenced the module itself, the guard takes the address off and
 * freezes the module's processes; no file operation is answered, as the module's data process looks
 * at the lease itself. The next agent goes on from there, or ends it. If none comes, the guard kills
 * the processes and detaches the mounts. It also starts a dead agent again.
 *
 * It is no part of the data path, holds no data and decides nothing about who is primary. On the
 * way to a fence it starts no program and opens no file outside /proc and the cgroup file system,
 * so a hung disk cannot stop it (a playground without root is the exception: fusermount3).
 */

const AbsolutePath = z.string().check(z.maxLength(4096), z.startsWith("/"));

const FenceTargetsForm = z.object({
  /** Virtual addresses that stand on an interface of this machine. */
  addresses: z
    .array(
      z.object({
        address: z.string().check(z.maxLength(64)),
        prefixLength: z.int().check(z.minimum(0), z.maximum(128)),
        interfaceName: z.string().check(z.maxLength(15)),
      }),
    )
    .check(z.maxLength(64)),
  /** The module's cgroup v2 directory; null where the agent may not make one. */
  cgroupPath: z.nullable(AbsolutePath),
  /** `NAME=value`, in the environment of each of its processes, where there is no cgroup. */
  processMark: z.nullable(z.string().check(z.minLength(3), z.maxLength(300))),
  /** Mount points of the replicated trees, in the order in which they were mounted. */
  mounts: z.array(AbsolutePath).check(z.maxLength(64)),
});

const GuardedModuleForm = z.object({
  moduleId: ModuleName,
  /** The end of the lease, null when there is none; a huge number under a standing vote. */
  leaseUntilBootMs: z.nullable(z.number()),
  /** The agent says that it has fenced the module itself and watches over it. */
  isFencedByAgent: z.boolean(),
  /** null: nothing of this module runs here, there is nothing to take down. */
  targets: z.nullable(FenceTargetsForm),
});

const GuardReportForm = z.object({
  /** The agent's main thread has made no progress for `hangAfterMs`. */
  isMainHung: z.boolean(),
  modules: z.array(GuardedModuleForm).check(z.maxLength(MODULES_MAX)),
});

/** What must be taken down when a module's lease ends and its agent did not do it. */
export type FenceTargets = z.infer<typeof FenceTargetsForm>;
/** One module as the agent reports it to the guard; the latest report counts. */
export type GuardedModule = z.infer<typeof GuardedModuleForm>;
/** Everything the agent tells the guard, each time anew. */
export type GuardReport = z.infer<typeof GuardReportForm>;

/** Reads one line of the agent; null when it is malformed. */
export function parseGuardReport(line: string): GuardReport | null {
  try {
    const report = GuardReportForm.safeParse(JSON.parse(line));
    return report.success ? report.data : null;
  } catch {
    return null;
  }
}
