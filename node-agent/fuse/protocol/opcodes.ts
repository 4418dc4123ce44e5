/**
 * The kernel's FUSE protocol (linux/fuse.h), as much of it as this server speaks. Every request
 * starts with a 40-byte `fuse_in_header` and every reply with a 16-byte `fuse_out_header`; numbers
 * are little-endian on the processors we run on. Offsets in this folder count from the start of
 * the request, header included.
 */

/** `enum fuse_opcode`. */
export const OPCODE = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  IOCTL: 39,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SYNCFS: 50,
  TMPFILE: 51,
  COPY_FILE_RANGE_64: 53,
} as const;

const NAMES = new Map<number, string>(Object.entries(OPCODE).map(([name, code]) => [code, name]));

/** `"WRITE"` for 16; `"opcode 99"` for one that has no name here. */
export const opcodeName = (opcode: number): string => NAMES.get(opcode) ?? `opcode ${opcode}`;

export const ROOT_NODE_ID = 1;
export const IN_HEADER_BYTES = 40;
export const OUT_HEADER_BYTES = 16;
/** Largest WRITE and READ: 256 pages. */
export const DATA_BYTES_MAX = 1024 * 1024;
/** The kernel refuses to hand out requests to a reader with less (EINVAL): data, header, a page. */
export const REQUEST_BYTES_MAX = DATA_BYTES_MAX + 4096;

/** `FATTR_*`: which fields of a SETATTR are meant. */
export const FATTR = {
  MODE: 1 << 0,
  UID: 1 << 1,
  GID: 1 << 2,
  SIZE: 1 << 3,
  ATIME: 1 << 4,
  MTIME: 1 << 5,
  FH: 1 << 6,
  ATIME_NOW: 1 << 7,
  MTIME_NOW: 1 << 8,
  KILL_SUIDGID: 1 << 11,
} as const;

export const WRITE_KILL_SUIDGID = 1 << 2;
export const FSYNC_DATA_ONLY = 1 << 0;
export const SETXATTR_ACL_KILL_SGID = 1 << 0;
export const FOPEN_DIRECT_IO = 1 << 0;
export const FOPEN_KEEP_CACHE = 1 << 1;
