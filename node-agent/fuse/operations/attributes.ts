/** GETATTR, SETATTR and STATFS. */
import { ERRNO } from "../../adapters/linux/errno.ts";
import {
  AT_EMPTY_PATH,
  chmod,
  descriptorPath,
  EMPTY_PATH,
  fchownat,
  fstatfs,
  ftruncate,
  S_IFLNK,
  truncate,
  utimensat,
} from "../../adapters/linux/file.ts";
import { timespecs } from "../../adapters/linux/stat.ts";
import type { FileId, FileTime, Operation } from "../../replication/operation.ts";
import type { Node } from "../inode-table.ts";
import { putAttrOut, putStatfsOut } from "../protocol/attributes.ts";
import { FATTR } from "../protocol/opcodes.ts";
import type { Handler, TreeContext } from "../tree-context.ts";

const PERMISSIONS = 0o7777;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o010;
const UNCHANGED = 0xffffffff;
const STATFS_BYTES = 120;

export const getattr: Handler = (tree, node) => {
  const fd = tree.nodes.descriptor(node);
  const described = fd < 0 ? fd : tree.stat.of(fd);
  return described < 0 ? described : putAttrOut(tree.reply, tree.stat, tree.validity);
};

export const statfs: Handler = (tree) => {
  const words = new Uint32Array(STATFS_BYTES / 4);
  const result = fstatfs(tree.nodes.root.fd, new Uint8Array(words.buffer));
  return result < 0 ? result : putStatfsOut(tree.reply, words);
};

/** The mode that is left when somebody without privileges writes (inode(7)). */
export function withoutPrivileges(mode: number): number {
  const withoutSetuid = mode & ~S_ISUID;
  // Setgid without group execute once meant mandatory locking, and is left alone.
  return (mode & S_IXGRP) !== 0 ? withoutSetuid & ~S_ISGID : withoutSetuid;
}

/** Clears suid and sgid after a write, here and on the peer. Nothing to do for most files. */
export function stripPrivileges(tree: TreeContext, node: Node, fd: number, id: FileId): number {
  const described = tree.stat.of(fd);
  if (described < 0) return described;
  const mode = withoutPrivileges(tree.stat.mode) & PERMISSIONS;
  if (mode === (tree.stat.mode & PERMISSIONS)) return 0;
  const changed = chmod(descriptorPath(fd), mode);
  if (changed < 0) return changed;
  if (id > 0) tree.submit({ kind: "setattr", id, mode });
  tree.reports.attributes(node);
  return 0;
}

/** What of a SETATTR took effect, should a later part of it fail. */
type Applied = {
  error: number;
  hasOwner: boolean;
  hasMode: boolean;
  hasSize: boolean;
  hasTimes: boolean;
};

export const setattr: Handler = (tree, node) => {
  const valid = tree.request.u32(40);
  const fd = tree.nodes.descriptor(node);
  if (fd < 0) return fd;
  const id = tree.bindings.idOf(node);
  if (id < 0) return tree.fault("setattr", id);
  const applied = apply(tree, node, fd, valid);
  const described = tree.stat.of(fd);
  if (described < 0) return tree.fault("setattr", described);
  report(tree, node, applied);
  const length = putAttrOut(tree.reply, tree.stat, tree.validity);
  const operations = id > 0 ? describe(tree, id, valid, applied) : [];
  const last = operations.pop();
  for (const operation of operations) tree.submit(operation);
  if (last === undefined) return applied.error < 0 ? applied.error : length;
  if (applied.error === 0) return tree.replicate(last, length);
  // A part of it took effect before the failure: the peer must have that part as well.
  tree.submit(last);
  return applied.error;
};

/** Owner, mode, size, times, in this order: chown(2) clears bits that chmod(2) may then set. */
function apply(tree: TreeContext, node: Node, fd: number, valid: number): Applied {
  const { request } = tree;
  const done: Applied = {
    error: 0,
    hasOwner: false,
    hasMode: false,
    hasSize: false,
    hasTimes: false,
  };
  if ((valid & (FATTR.UID | FATTR.GID)) !== 0) {
    const uid = (valid & FATTR.UID) !== 0 ? request.u32(116) : UNCHANGED;
    const gid = (valid & FATTR.GID) !== 0 ? request.u32(120) : UNCHANGED;
    done.error = fchownat(fd, EMPTY_PATH, uid, gid, AT_EMPTY_PATH);
    if (done.error < 0) return done;
    done.hasOwner = true;
  }
  if ((valid & FATTR.MODE) !== 0) {
    done.error = chmod(descriptorPath(fd), request.u32(108) & PERMISSIONS);
    if (done.error < 0) return done;
    done.hasMode = true;
  }
  if ((valid & FATTR.SIZE) !== 0) {
    done.error = resize(tree, fd, valid);
    if (done.error < 0) return done;
    done.hasSize = true;
    if (tree.mustStripPrivileges((valid & FATTR.KILL_SUIDGID) !== 0)) {
      done.error = strip(tree, fd, done);
      if (done.error < 0) return done;
    }
    tree.times.mark(node);
  }
  if ((valid & (FATTR.ATIME | FATTR.MTIME)) !== 0) {
    done.error = utimensat(fd, EMPTY_PATH, askedTimes(tree, valid), AT_EMPTY_PATH);
    if (done.error < 0) return done;
    done.hasTimes = true;
  }
  return done;
}

function strip(tree: TreeContext, fd: number, done: Applied): number {
  const described = tree.stat.of(fd);
  if (described < 0) return described;
  const mode = withoutPrivileges(tree.stat.mode) & PERMISSIONS;
  if (mode === (tree.stat.mode & PERMISSIONS)) return 0;
  done.hasMode = true;
  return chmod(descriptorPath(fd), mode);
}

function resize(tree: TreeContext, fd: number, valid: number): number {
  const size = tree.request.u64(56);
  if (!Number.isSafeInteger(size)) return -ERRNO.EFBIG;
  const handle = (valid & FATTR.FH) !== 0 ? tree.handles.get(tree.request.u64(48)) : undefined;
  // An open file may be truncated whatever its mode; so may any by us, unless we are not root.
  return handle === undefined ? truncate(descriptorPath(fd), size) : ftruncate(handle.fd, size);
}

function askedTimes(tree: TreeContext, valid: number): Uint8Array {
  const { request } = tree;
  const asked = (set: number, now: number, at: number, nanosecondsAt: number) => {
    if ((valid & set) === 0) return null;
    if ((valid & now) !== 0) return "now" as const;
    const time: FileTime = { seconds: request.s64(at), nanoseconds: request.u32(nanosecondsAt) };
    return time;
  };
  const atime = asked(FATTR.ATIME, FATTR.ATIME_NOW, 72, 96);
  return timespecs(atime, asked(FATTR.MTIME, FATTR.MTIME_NOW, 80, 100));
}

function report(tree: TreeContext, node: Node, applied: Applied): void {
  if (applied.hasSize) tree.reports.file(node);
  else tree.reports.attributes(node);
}

/** The facts as they came to be (in `tree.stat`), not as they were asked for. */
function describe(tree: TreeContext, id: FileId, valid: number, applied: Applied): Operation[] {
  const { stat } = tree;
  const operations: Operation[] = [];
  if (applied.hasSize) operations.push({ kind: "truncate", id, sizeBytes: stat.sizeBytes });
  if (!applied.hasOwner && !applied.hasMode && !applied.hasTimes) return operations;
  // A change of owner clears bits of the mode, so the mode goes along with it. A symlink has none.
  const hasMode = (applied.hasOwner || applied.hasMode) && stat.type !== S_IFLNK;
  operations.push({
    kind: "setattr",
    id,
    ...(hasMode ? { mode: stat.mode & PERMISSIONS } : {}),
    ...(applied.hasOwner ? { uid: stat.uid, gid: stat.gid } : {}),
    ...(applied.hasTimes && (valid & FATTR.ATIME) !== 0 ? { atime: stat.atime } : {}),
    ...(applied.hasTimes && (valid & FATTR.MTIME) !== 0 ? { mtime: stat.mtime } : {}),
  });
  return operations;
}
