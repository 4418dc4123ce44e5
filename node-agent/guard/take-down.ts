import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoName } from "../adapters/linux/errno.ts";
import { unmountAsUser } from "../adapters/linux/fusermount.ts";
import { cString } from "../adapters/linux/library.ts";
import { MNT_DETACH, UMOUNT_NOFOLLOW, umount2 } from "../adapters/linux/mount.ts";
import { hasEnvironmentEntry, processIds } from "../modules/process-table.ts";
import { addressBytes } from "../vip/interfaces.ts";
import { interfaceIndex, removeAddress } from "../vip/netlink.ts";
import type { FenceTargets } from "./fence-order.ts";

/**
 * umount(2) MNT_FORCE: on FUSE it aborts the connection (fs/fuse/inode.c, fuse_umount_begin), which
 * ends every file operation that waits for an agent that does not answer any more. Without it a
 * killed process could sit in such an operation for ever.
 */
const MNT_FORCE = 1;

/**
 * Makes what a module runs on this node stand still, so that it can go on later: the address first,
 * then the processes. Sentences for what does not, empty when all is done. A process inside a file
 * operation stops when that is answered, which it is not without a lease.
 */
export function hold(targets: FenceTargets): readonly string[] {
  return [
    ...targets.addresses.map(takeOffAddress),
    writeCgroup(targets.cgroupPath, "cgroup.freeze"),
    signalMarked(targets.processMark, "SIGSTOP"),
  ].filter((problem) => problem !== null);
}

/**
 * Takes down what a module runs on this node; sentences for what could not be taken down, empty
 * when all is gone. May be repeated. In the order of harm: the address first, since a client that
 * reaches this node could be told what is not true any more; then the processes; then the mounts.
 */
export function takeDown(targets: FenceTargets): readonly string[] {
  return [
    ...targets.addresses.map(takeOffAddress),
    // cgroup.kill (cgroups(7), Linux 5.14): SIGKILL for all of the tree, whatever it forks meanwhile.
    writeCgroup(targets.cgroupPath, "cgroup.kill"),
    signalMarked(targets.processMark, "SIGKILL"),
    ...targets.mounts.toReversed().map(detachMount),
  ].filter((problem) => problem !== null);
}

function takeOffAddress(held: FenceTargets["addresses"][number]): string | null {
  const bytes = addressBytes(held.address);
  const index = interfaceIndex(held.interfaceName);
  // An interface that is gone has taken its addresses with it.
  if (bytes === null || index === 0) return null;
  const result = removeAddress(index, bytes, held.prefixLength);
  return result < 0 ? `${held.address} on ${held.interfaceName}: ${errnoName(result)}` : null;
}

function writeCgroup(path: string | null, file: "cgroup.freeze" | "cgroup.kill"): string | null {
  if (path === null) return null;
  try {
    writeFileSync(join(path, file), "1");
    return null;
  } catch (cause) {
    const isGone = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
    return isGone ? null : `${path}: ${String(cause)}`;
  }
}

function signalMarked(mark: string | null, name: "SIGSTOP" | "SIGKILL"): string | null {
  if (mark === null) return null;
  const problems = processIds()
    .filter((id) => id !== process.pid && hasEnvironmentEntry(id, mark))
    .map((id) => {
      try {
        process.kill(id, name);
        return null;
      } catch (cause) {
        const isGone = cause instanceof Error && "code" in cause && cause.code === "ESRCH";
        return isGone ? null : `process ${id}: ${String(cause)}`;
      }
    });
  return problems.find((problem) => problem !== null) ?? null;
}

function detachMount(path: string): string | null {
  if (process.geteuid?.() !== 0) return unmountAsUser(path, true);
  const result = umount2(cString(path), MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW);
  // EINVAL: not a mount point (any more); ENOENT: the directory itself is gone.
  const name = result < 0 ? errnoName(result) : null;
  return name === null || name === "EINVAL" || name === "ENOENT" ? null : `${path}: ${name}`;
}
