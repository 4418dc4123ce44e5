/** A file's metadata: read it, and make another file's equal to it. */
import { ERRNO } from "../adapters/linux/errno.ts";
import * as file from "../adapters/linux/file.ts";
import { systemCall, withNul } from "../adapters/linux/library.ts";
import { type Stat, timespecs } from "../adapters/linux/stat.ts";
import { isMark } from "./copy-mark.ts";
import type { ResyncPlace } from "./resync.ts";
import { check, FileFailure } from "./tree.ts";
import { type Meta, SYMLINK_BYTES_MAX, XATTR_BYTES_MAX, type Xattr } from "./wire-entry.ts";

/** XATTR_LIST_MAX and XATTR_SIZE_MAX (linux/limits.h): no call returns more. */
const XATTR_LIST_BYTES_MAX = 64 * 1024;
const names = new Uint8Array(XATTR_LIST_BYTES_MAX);
const value = new Uint8Array(XATTR_LIST_BYTES_MAX);
const NO_XATTRS: readonly Xattr[] = [];
const PERMISSIONS = 0o7777;

/** Metadata of `fd` (O_PATH or not), whose `stat` has just been read. */
export function metaOf(fd: number, stat: Stat, place: ResyncPlace): Meta {
  return {
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    sizeBytes: stat.type === file.S_IFREG ? stat.sizeBytes : 0,
    mtime: stat.mtime,
    rdev: stat.type === file.S_IFCHR || stat.type === file.S_IFBLK ? stat.rdev : 0,
    xattrs: xattrsOf(fd, place),
  };
}

/** All extended attributes that this process may see, sorted by name; ACLs are among them. */
export function xattrsOf(fd: number, place: ResyncPlace): readonly Xattr[] {
  let length = file.flistxattr(fd, names, names.length);
  // It refuses the O_PATH descriptors that symlinks and devices need; their paths do as well.
  if (length === -ERRNO.EBADF) {
    length = file.listxattr(file.descriptorPath(fd), names, names.length);
  }
  if (length === 0 || length === -ERRNO.EOPNOTSUPP) return NO_XATTRS;
  check(length, "listxattr", place);
  const list = names.slice(0, length);
  const found: Xattr[] = [];
  let bytes = 0;
  for (let start = 0; start < length; ) {
    const end = list.indexOf(0, start);
    const name = list.subarray(start, end);
    // `list` holds the NUL after the name, which is where the kernel stops.
    const read = file.getxattr(
      file.descriptorPath(fd),
      list.subarray(start, end + 1),
      value,
      value.length,
    );
    start = end + 1;
    if (isMark(name)) continue;
    // Removed between the two calls: then the file is dirty and is looked at again.
    if (read === -ERRNO.ENODATA) continue;
    check(read, "getxattr", place);
    bytes += name.length + read;
    if (bytes > XATTR_BYTES_MAX) throw new FileFailure(-ERRNO.E2BIG, "getxattr", place);
    found.push({ name, value: value.slice(0, read) });
  }
  return found.sort((a, b) => Buffer.compare(a.name, b.name));
}

const symlink = new Uint8Array(SYMLINK_BYTES_MAX + 1);
/** Where the symlink `fd` (O_PATH) leads. */
export function symlinkTarget(fd: number, place: ResyncPlace): Uint8Array {
  const length = file.readlinkat(fd, file.EMPTY_PATH, symlink, symlink.length);
  return symlink.slice(0, check(length, "readlinkat", place));
}

export const isSameTime = (a: Meta["mtime"], b: Meta["mtime"]): boolean =>
  a.seconds === b.seconds && a.nanoseconds === b.nanoseconds;

/**
 * Makes owner, permissions, extended attributes and mtime of `fd` (O_PATH or not; `stat` is its
 * present state) equal to `meta`. The order is the kernel's: chown clears suid bits and
 * capabilities, setting an ACL changes the group's permissions, and all of it follows the content,
 * whose writing clears capabilities and moves mtime. Returns whether anything had to change;
 * `changing` is called before each change.
 */
export function makeEqual(
  fd: number,
  stat: Stat,
  meta: Meta,
  place: ResyncPlace,
  changing: () => void,
): boolean {
  let changed = false;
  const [mode, mtime] = [stat.mode & PERMISSIONS, stat.mtime];
  const chowned = stat.uid !== meta.uid || stat.gid !== meta.gid;
  if (chowned) {
    changing();
    const flags = file.AT_EMPTY_PATH;
    check(file.fchownat(fd, file.EMPTY_PATH, meta.uid, meta.gid, flags), "chown", place);
    changed = true;
  }
  const xattrsChanged = makeXattrsEqual(fd, meta.xattrs, place, changing);
  const isSymlink = (meta.mode & file.S_IFMT) === file.S_IFLNK;
  // After chown or a change of ACL the bits are no longer what `stat` says.
  if (!isSymlink && (chowned || xattrsChanged || mode !== (meta.mode & PERMISSIONS))) {
    changing();
    check(file.chmod(file.descriptorPath(fd), meta.mode & PERMISSIONS), "chmod", place);
    changed = true;
  }
  if (!isSameTime(mtime, meta.mtime)) {
    changing();
    setMtime(fd, meta.mtime, place);
    changed = true;
  }
  return changed || xattrsChanged;
}

/** Sets mtime alone, to the nanosecond. */
export function setMtime(fd: number, mtime: Meta["mtime"], place: ResyncPlace): void {
  const times = timespecs(null, mtime);
  check(file.utimensat(file.AT_FDCWD, file.descriptorPath(fd), times, 0), "utimensat", place);
}

function makeXattrsEqual(
  fd: number,
  wanted: readonly Xattr[],
  place: ResyncPlace,
  changing: () => void,
): boolean {
  const present = xattrsOf(fd, place);
  if (present.length === 0 && wanted.length === 0) return false;
  let changed = false;
  for (const { name } of present) {
    if (wanted.some((other) => Buffer.compare(other.name, name) === 0)) continue;
    changing();
    check(file.removexattr(file.descriptorPath(fd), withNul(name)), "removexattr", place);
    changed = true;
  }
  for (const { name, value: bytes } of wanted) {
    const old = present.find((other) => Buffer.compare(other.name, name) === 0);
    if (old !== undefined && Buffer.compare(old.value, bytes) === 0) continue;
    changing();
    const path = file.descriptorPath(fd);
    check(file.setxattr(path, withNul(name), bytes, bytes.length, 0), "setxattr", place);
    changed = true;
  }
  return changed;
}

/** FS_IOC_GETFLAGS, FS_IOC_SETFLAGS (linux/fs.h); the same on x86-64 and arm64. */
const GET_FLAGS = 0x80086601;
const SET_FLAGS = 0x40086602;
const IMMUTABLE_OR_APPEND = 0x10 | 0x20;
const ioctl = systemCall<[fd: number, request: number, argument: Uint8Array]>(
  "int ioctl(int, ulong, void *)",
);

/**
 * Takes chattr(1)'s `i` and `a` off, which forbid root itself to write, rename or delete. The
 * flags are not replicated (nobody can set them through the mount), so a copy need not have them.
 */
export function thaw(directory: number, name: Uint8Array, stat: Stat): void {
  // stx_attributes has the same two bits (STATX_ATTR_IMMUTABLE, STATX_ATTR_APPEND; statx(2)).
  const attributes = stat.words[2] ?? 0;
  const hasFlags = stat.type === file.S_IFREG || stat.type === file.S_IFDIR;
  if (!hasFlags || (attributes & IMMUTABLE_OR_APPEND) === 0) return;
  const openFlags = file.O_RDONLY | file.O_NOFOLLOW | file.O_NONBLOCK | file.O_CLOEXEC;
  const fd = file.openat(directory, name, openFlags, 0);
  if (fd < 0) return;
  const flags = new Uint8Array(8);
  const words = new Uint32Array(flags.buffer);
  if (ioctl(fd, GET_FLAGS, flags) === 0) {
    words[0] = (words[0] ?? 0) & ~IMMUTABLE_OR_APPEND;
    // When this is refused, so is what comes next, and that failure names the file.
    ioctl(fd, SET_FLAGS, flags);
  }
  file.close(fd);
}
