/**
 * Mounting over a replicated directory. The real directory is opened first and reached through
 * that descriptor from then on: what is mounted over its path hides it from everybody else.
 *
 * No function here may run on the thread that serves the tree, once it is mounted: looking at the
 * path, and unmounting (which writes mapped pages back), wait for that thread.
 */
import { err, ok, type Result } from "#model/shared/result.ts";
import { ERRNO, errnoName } from "../adapters/linux/errno.ts";
import {
  AT_FDCWD,
  close,
  fstatfs,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  openat,
} from "../adapters/linux/file.ts";
import { mountAsUser, unmountAsUser } from "../adapters/linux/fusermount.ts";
import { effectiveGid, effectiveUid } from "../adapters/linux/identity.ts";
import { cString } from "../adapters/linux/library.ts";
import {
  MNT_DETACH,
  type MountPoint,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  mount,
  mountPoints,
  UMOUNT_NOFOLLOW,
  umount2,
} from "../adapters/linux/mount.ts";
import { setNonBlocking } from "../adapters/linux/poll.ts";
import { Stat } from "../adapters/linux/stat.ts";

const TYPE = "fuse.mirrorfarm";
const SOURCE = "mirrorfarm";
const STATFS_BYTES = 120;
const FLAGS_WORD = 20;

/** A mounted tree: what `FuseServer` is constructed with. */
export type MountedTree = {
  readonly path: string;
  /** Of the real directory, readable. Close it after the server. */
  readonly rootFd: number;
  /** /dev/fuse, non-blocking; the server closes it. */
  readonly device: number;
  /** Whether processes of other users can use the mount: false only without root. */
  readonly isForEverybody: boolean;
};

export type MountError =
  | {
      readonly kind: "notADirectory" | "unreadable";
      readonly path: string;
      readonly detail: string;
    }
  /** Served by somebody already; two servers would undo each other's order. */
  | { readonly kind: "alreadyServed"; readonly path: string }
  /** Something is mounted below, which could not be replicated and would be hidden. */
  | { readonly kind: "nestedMount"; readonly path: string; readonly nested: string }
  /** Part of what is replicated already: it would be copied twice, in two orders. */
  | { readonly kind: "insideAnother"; readonly path: string; readonly outer: string }
  | { readonly kind: "noFuse"; readonly path: string; readonly detail: string }
  | { readonly kind: "mountFailed"; readonly path: string; readonly detail: string };

/** Opens the directory at `path` (absolute, without symlinks or a trailing slash) and mounts. */
export function mountTree(path: string): Result<MountedTree, MountError> {
  const cleared = clearStale(path);
  if (!cleared.ok) return cleared;
  const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const rootFd = openat(AT_FDCWD, cString(path), flags, 0);
  if (rootFd === -ERRNO.ENOTDIR || rootFd === -ERRNO.ENOENT) {
    return err({ kind: "notADirectory", path, detail: errnoName(rootFd) });
  }
  if (rootFd < 0) return err({ kind: "unreadable", path, detail: errnoName(rootFd) });
  const mounted = effectiveUid() === 0 ? mountAsRoot(path, rootFd) : mountWithHelper(path);
  if (!mounted.ok) close(rootFd);
  return mounted.ok ? ok({ path, rootFd, ...mounted.value }) : mounted;
}

type Mounted = { readonly device: number; readonly isForEverybody: boolean };

function mountAsRoot(path: string, rootFd: number): Result<Mounted, MountError> {
  const opening = O_RDWR | O_CLOEXEC | O_NONBLOCK;
  const device = openat(AT_FDCWD, cString("/dev/fuse"), opening, 0);
  if (device < 0) return err({ kind: "noFuse", path, detail: errnoName(device) });
  const stat = new Stat();
  stat.of(rootFd);
  const options = [
    `fd=${device}`,
    `rootmode=${stat.type.toString(8)}`,
    `user_id=${effectiveUid()}`,
    `group_id=${effectiveGid()}`,
    "default_permissions",
    "allow_other",
  ].join(",");
  const mounted = mount(
    cString(SOURCE),
    cString(path),
    cString(TYPE),
    inheritedFlags(rootFd),
    cString(options),
  );
  if (mounted === 0) return ok({ device, isForEverybody: true });
  close(device);
  return err({ kind: "mountFailed", path, detail: errnoName(mounted) });
}

/** Whatever the real file system forbids (running, devices, setuid) the mount must not allow. */
function inheritedFlags(rootFd: number): number {
  const words = new Uint32Array(STATFS_BYTES / 4);
  if (fstatfs(rootFd, new Uint8Array(words.buffer)) < 0) return 0;
  // ST_RDONLY, ST_NOSUID, ST_NODEV, ST_NOEXEC (statfs(2)) have the values of the MS_ flags.
  return (words[FLAGS_WORD] ?? 0) & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
}

/** `allow_other` needs `user_allow_other` in /etc/fuse.conf: without it only this user sees it. */
function mountWithHelper(path: string): Result<Mounted, MountError> {
  const common = `fsname=${SOURCE},subtype=${SOURCE},default_permissions`;
  const open = mountAsUser(path, `${common},allow_other`);
  const mounted = open.ok ? open : mountAsUser(path, common);
  if (!mounted.ok) return err({ kind: "mountFailed", path, detail: mounted.error });
  const set = setNonBlocking(mounted.value);
  if (set < 0) {
    close(mounted.value);
    return err({ kind: "mountFailed", path, detail: `fcntl: ${errnoName(set)}` });
  }
  return ok({ device: mounted.value, isForEverybody: open.ok });
}

/** Takes off what a killed agent left behind; refuses what is alive or in the way. */
function clearStale(path: string): Result<void, MountError> {
  // Each round takes one dead mount off; a stack of them is short.
  for (let round = 0; round < 8; round += 1) {
    const points = mountPoints();
    const ours = points.filter((point) => point.path === asLatin1(path)).at(-1);
    if (ours?.type !== TYPE) return refuseNested(path, points);
    if (isServed(path)) return err({ kind: "alreadyServed", path });
    const gone = unmountPath(path, true);
    if (gone !== null) return err({ kind: "mountFailed", path, detail: `stale mount: ${gone}` });
  }
  return err({ kind: "alreadyServed", path });
}

/**
 * Whether somebody answers. By statfs(2), which is always asked: stat(2) may be answered from the
 * kernel's memory long after the server has died.
 */
function isServed(path: string): boolean {
  const fd = openat(AT_FDCWD, cString(path), O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return fd !== -ERRNO.ENOTCONN;
  const answer = fstatfs(fd, new Uint8Array(STATFS_BYTES));
  close(fd);
  return answer !== -ERRNO.ENOTCONN;
}

function refuseNested(path: string, points: readonly MountPoint[]): Result<void, MountError> {
  const outer = points.find(
    (point) => point.type === TYPE && asLatin1(path).startsWith(`${point.path}/`),
  );
  if (outer !== undefined) return err({ kind: "insideAnother", path, outer: asUtf8(outer.path) });
  const below = `${asLatin1(path)}/`;
  const nested = points.find((point) => point.path.startsWith(below));
  if (nested === undefined) return ok(undefined);
  return err({ kind: "nestedMount", path, nested: asUtf8(nested.path) });
}

const asUtf8 = (latin1: string): string => Buffer.from(latin1, "latin1").toString();
const asLatin1 = (path: string): string => Buffer.from(path).toString("latin1");

/** null, or what went wrong. */
function unmountPath(path: string, isLazy: boolean): string | null {
  if (effectiveUid() !== 0) return unmountAsUser(path, isLazy);
  const result = umount2(cString(path), UMOUNT_NOFOLLOW | (isLazy ? MNT_DETACH : 0));
  return result < 0 ? errnoName(result) : null;
}

/**
 * Takes the mount off. Without `lazy` it fails while somebody uses it (`EBUSY`); with it the path
 * is free at once, and whoever has files open keeps them until the server closes the device.
 */
export function unmountTree(path: string, o: { readonly lazy: boolean }): Result<void, string> {
  const failed = unmountPath(path, o.lazy);
  return failed === null ? ok(undefined) : err(failed);
}
