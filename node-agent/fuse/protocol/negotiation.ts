/**
 * FUSE_INIT: what the kernel offers, what this server takes. Flags are given where they change
 * what the file system must do itself; what is left out is left out for a reason:
 *
 * - `POSIX_LOCKS`, `FLOCK_LOCKS`: locks are the primary's kernel's and die with it.
 * - `WRITEBACK_CACHE`: the kernel would answer write(2) before we have seen the data.
 * - `ATOMIC_O_TRUNC`: the kernel sends the truncation as a SETATTR of its own, one operation.
 * - `AUTO_INVAL_DATA`: nobody writes to the real files but through this mount, so a page in the
 *   cache is never stale on a primary, and a secondary does not use the cache.
 * - `EXPORT_SUPPORT`: no NFS export of the mount.
 */
import type { KernelLimit } from "../ports.ts";
import { DATA_BYTES_MAX } from "./opcodes.ts";
import type { Reply, Request } from "./request.ts";

const FLAGS = {
  ASYNC_READ: 1 << 0,
  BIG_WRITES: 1 << 5,
  DONT_MASK: 1 << 6,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  ASYNC_DIO: 1 << 15,
  PARALLEL_DIROPS: 1 << 18,
  HANDLE_KILLPRIV: 1 << 19,
  POSIX_ACL: 1 << 20,
  MAX_PAGES: 1 << 22,
  CACHE_SYMLINKS: 1 << 23,
  HANDLE_KILLPRIV_V2: 1 << 28,
  SETXATTR_EXT: 1 << 29,
  INIT_EXT: 1 << 30,
} as const;
/** In flags2, whose bit 0 is bit 32 of the whole. */
const DIRECT_IO_ALLOW_MMAP = 1 << 4;

const WANTED =
  FLAGS.ASYNC_READ |
  FLAGS.BIG_WRITES |
  FLAGS.DONT_MASK |
  FLAGS.DO_READDIRPLUS |
  FLAGS.READDIRPLUS_AUTO |
  FLAGS.ASYNC_DIO |
  FLAGS.PARALLEL_DIROPS |
  FLAGS.POSIX_ACL |
  FLAGS.MAX_PAGES |
  FLAGS.CACHE_SYMLINKS |
  FLAGS.HANDLE_KILLPRIV_V2 |
  FLAGS.SETXATTR_EXT |
  FLAGS.INIT_EXT;

const OWN_MAJOR = 7;
const OWN_MINOR = 45;
const MAX_BACKGROUND = 64;
const PAGE_BYTES = 4096;
const INIT_OUT_BYTES = 64;
/** Without MAX_PAGES (before 4.20) a request holds at most 32 pages. */
const OLD_DATA_BYTES_MAX = 32 * PAGE_BYTES;
/** Below 7.23 (Linux 3.15) the structures are shorter; such kernels are not supported. */
const MINOR_MIN = 23;

/** What was agreed with the kernel that mounted this tree. */
export type Agreement = {
  readonly minor: number;
  readonly flags: number;
  readonly flags2: number;
  /** SETXATTR requests carry the extra 8 bytes with `SETXATTR_ACL_KILL_SGID`. */
  readonly hasLongSetxattr: boolean;
  readonly dataBytesMax: number;
};

const NO_LIMIT: KernelLimit = { minorMax: OWN_MINOR, flagsMask: -1, flags2Mask: -1 };

/** Answers INIT in `reply`. The agreement and the payload's length, or null: kernel too old. */
export function negotiate(
  request: Request,
  reply: Reply,
  limit: KernelLimit = NO_LIMIT,
): { readonly agreement: Agreement; readonly length: number } | null {
  const major = request.u32(40);
  const minor = Math.min(request.u32(44), limit.minorMax, OWN_MINOR);
  if (major !== OWN_MAJOR || minor < MINOR_MIN) return null;
  const offered = request.u32(52) & limit.flagsMask;
  const hasExtension = (offered & FLAGS.INIT_EXT) !== 0;
  const offered2 = hasExtension ? request.u32(56) & limit.flags2Mask : 0;
  let flags = offered & WANTED;
  // Version 1 exists since 4.1 or so and asks more of us: strip on every write, by root too.
  if ((flags & FLAGS.HANDLE_KILLPRIV_V2) === 0) flags |= offered & FLAGS.HANDLE_KILLPRIV;
  const flags2 = offered2 & DIRECT_IO_ALLOW_MMAP;
  const dataBytesMax = (flags & FLAGS.MAX_PAGES) !== 0 ? DATA_BYTES_MAX : OLD_DATA_BYTES_MAX;

  reply.clear(0, INIT_OUT_BYTES);
  reply.setU32(0, OWN_MAJOR);
  reply.setU32(4, minor);
  reply.setU32(8, request.u32(48));
  reply.setU32(12, flags);
  reply.setU32(16, MAX_BACKGROUND | (((MAX_BACKGROUND * 3) / 4) << 16));
  reply.setU32(20, dataBytesMax);
  reply.setU32(24, 1);
  reply.setU32(28, dataBytesMax / PAGE_BYTES);
  reply.setU32(32, flags2);
  const hasLongSetxattr = (flags & FLAGS.SETXATTR_EXT) !== 0;
  return {
    agreement: { minor, flags, flags2, hasLongSetxattr, dataBytesMax },
    length: INIT_OUT_BYTES,
  };
}

/** The fallback of 5.10: every write and truncation strips suid and sgid, whoever writes. */
export const mustAlwaysStripPrivileges = (agreement: Agreement): boolean =>
  (agreement.flags & FLAGS.HANDLE_KILLPRIV) !== 0;
