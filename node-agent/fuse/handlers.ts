/** Which handler answers which request. What is not in the table is answered with ENOSYS. */
import { ERRNO } from "../adapters/linux/errno.ts";
import { getattr, setattr, statfs } from "./operations/attributes.ts";
import { copyRange, copyRange64, fallocate, fsync, lseek, read, write } from "./operations/data.ts";
import { readdir, readdirplus } from "./operations/directory.ts";
import { getxattr, listxattr, removexattr, setxattr } from "./operations/extended-attributes.ts";
import { lookup, readlink } from "./operations/lookup.ts";
import {
  link,
  mkdir,
  mknod,
  rename,
  rename2,
  rmdir,
  symlink,
  unlink,
} from "./operations/namespace.ts";
import { create, open, opendir, release, tmpfile } from "./operations/open.ts";
import { OPCODE } from "./protocol/opcodes.ts";
import type { Handler } from "./tree-context.ts";

export type Entry = {
  readonly handle: Handler;
  /** Refused with EROFS on a secondary. */
  readonly mutates: boolean;
  /** Fixed part of the request, header included: a shorter one is answered with EINVAL. */
  readonly bytesMin: number;
};

const reads = (bytesMin: number, handle: Handler): Entry => ({ handle, mutates: false, bytesMin });
const mutates = (bytesMin: number, handle: Handler): Entry => ({ handle, mutates: true, bytesMin });
const refuses = (errno: number): Entry => reads(40, () => -errno);

/** By opcode. */
export const HANDLERS: ReadonlyMap<number, Entry> = new Map([
  [OPCODE.LOOKUP, reads(42, lookup)],
  [OPCODE.GETATTR, reads(56, getattr)],
  [OPCODE.SETATTR, mutates(128, setattr)],
  [OPCODE.READLINK, reads(40, readlink)],
  [OPCODE.SYMLINK, mutates(44, symlink)],
  [OPCODE.MKNOD, mutates(58, mknod)],
  [OPCODE.MKDIR, mutates(50, mkdir)],
  [OPCODE.UNLINK, mutates(42, unlink)],
  [OPCODE.RMDIR, mutates(42, rmdir)],
  [OPCODE.RENAME, mutates(52, rename)],
  [OPCODE.RENAME2, mutates(60, rename2)],
  [OPCODE.LINK, mutates(50, link)],
  [OPCODE.OPEN, reads(48, open)],
  [OPCODE.READ, reads(80, read)],
  [OPCODE.WRITE, mutates(80, write)],
  [OPCODE.STATFS, reads(40, statfs)],
  [OPCODE.RELEASE, reads(64, release)],
  [OPCODE.FSYNC, reads(56, fsync)],
  [OPCODE.SETXATTR, mutates(50, setxattr)],
  [OPCODE.GETXATTR, reads(50, getxattr)],
  [OPCODE.LISTXATTR, reads(48, listxattr)],
  [OPCODE.REMOVEXATTR, mutates(42, removexattr)],
  [OPCODE.OPENDIR, reads(48, opendir)],
  [OPCODE.READDIR, reads(80, readdir)],
  [OPCODE.READDIRPLUS, reads(80, readdirplus)],
  [OPCODE.RELEASEDIR, reads(64, release)],
  [OPCODE.FSYNCDIR, reads(56, fsync)],
  [OPCODE.CREATE, mutates(58, create)],
  [OPCODE.TMPFILE, mutates(56, tmpfile)],
  [OPCODE.FALLOCATE, mutates(72, fallocate)],
  [OPCODE.LSEEK, reads(64, lseek)],
  [OPCODE.COPY_FILE_RANGE, mutates(96, copyRange)],
  [OPCODE.COPY_FILE_RANGE_64, mutates(96, copyRange64)],
  // chattr(1) and the like: their flags could not be replicated, so say that there are none.
  [OPCODE.IOCTL, refuses(ERRNO.ENOTTY)],
  // ENOSYS once, and the kernel never asks again: nothing is left to do at close(2); permissions
  // are checked by the kernel (`default_permissions`); interrupts do not undo what was begun.
  [OPCODE.FLUSH, refuses(ERRNO.ENOSYS)],
  [OPCODE.ACCESS, refuses(ERRNO.ENOSYS)],
]);
