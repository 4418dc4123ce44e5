/**
 * Files by descriptor: the system calls of the openat(2) family, of data and of attributes. See
 * library.ts for what they return and how names are passed.
 */
import { cString, systemCall } from "./library.ts";

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_EMPTY_PATH = 0x1000;

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_ACCMODE = 3;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DSYNC = 0o10000;
/** O_SYNC contains O_DSYNC (open(2)). */
export const O_SYNC = 0o4010000;
// These three differ between processors (asm/fcntl.h): x86 has its own, arm64 another set.
const isArm = process.arch === "arm64";
export const O_DIRECT = isArm ? 0o200000 : 0o40000;
export const O_DIRECTORY = isArm ? 0o40000 : 0o200000;
export const O_NOFOLLOW = isArm ? 0o100000 : 0o400000;
export const O_NOATIME = 0o1000000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const O_TMPFILE = 0o20000000 | O_DIRECTORY;

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

type Fd = number;
type Path = Uint8Array;

// --- opening and naming ---
export const openat = systemCall<[directory: Fd, path: Path, flags: number, mode: number]>(
  "int openat(int, const void *, int, uint)",
);
export const close = systemCall<[fd: Fd]>("int close(int)");
export const mkdirat = systemCall<[directory: Fd, path: Path, mode: number]>(
  "int mkdirat(int, const void *, uint)",
);
export const mknodat = systemCall<[directory: Fd, path: Path, mode: number, rdev: number]>(
  "int mknodat(int, const void *, uint, ulong)",
);
export const symlinkat = systemCall<[target: Path, directory: Fd, path: Path]>(
  "int symlinkat(const void *, int, const void *)",
);
export const linkat = systemCall<
  [directory: Fd, path: Path, newDirectory: Fd, newPath: Path, flags: number]
>("int linkat(int, const void *, int, const void *, int)");
export const unlinkat = systemCall<[directory: Fd, path: Path, flags: number]>(
  "int unlinkat(int, const void *, int)",
);
/** renameat2(2): RENAME_NOREPLACE 1, RENAME_EXCHANGE 2, RENAME_WHITEOUT 4. */
export const renameat2 = systemCall<
  [directory: Fd, path: Path, newDirectory: Fd, newPath: Path, flags: number]
>("int renameat2(int, const void *, int, const void *, uint)");
export const readlinkat = systemCall<
  [directory: Fd, path: Path, target: Uint8Array, sizeMax: number]
>("long readlinkat(int, const void *, void *, ulong)");

// --- data ---
export const read = systemCall<[fd: Fd, data: Uint8Array, length: number]>(
  "long read(int, void *, ulong)",
);
export const write = systemCall<[fd: Fd, data: Uint8Array, length: number]>(
  "long write(int, const void *, ulong)",
);
export const pread = systemCall<
  [fd: Fd, data: Uint8Array, length: number, offset: number | bigint]
>("long pread64(int, void *, ulong, int64)");
export const pwrite = systemCall<
  [fd: Fd, data: Uint8Array, length: number, offset: number | bigint]
>("long pwrite64(int, const void *, ulong, int64)");
export const ftruncate = systemCall<[fd: Fd, size: number | bigint]>("int ftruncate64(int, int64)");
export const truncate = systemCall<[path: Path, size: number | bigint]>(
  "int truncate64(const void *, int64)",
);
/** fallocate(2): KEEP_SIZE 1, PUNCH_HOLE 2, COLLAPSE_RANGE 8, ZERO_RANGE 16, INSERT_RANGE 32. */
export const fallocate = systemCall<[fd: Fd, mode: number, offset: number, length: number]>(
  "int fallocate64(int, int, int64, int64)",
);
export const lseek = systemCall<[fd: Fd, offset: number | bigint, whence: number]>(
  "int64 lseek64(int, int64, int)",
);
/** Offsets are 8-byte little-endian buffers that the call advances, or null for the file's own. */
export const copyFileRange = systemCall<
  [
    from: Fd,
    fromOffset: Uint8Array | null,
    to: Fd,
    toOffset: Uint8Array | null,
    length: number,
    flags: number,
  ]
>("long copy_file_range(int, void *, int, void *, ulong, uint)");
export const fsync = systemCall<[fd: Fd]>("int fsync(int)");
export const fdatasync = systemCall<[fd: Fd]>("int fdatasync(int)");
export const syncfs = systemCall<[fd: Fd]>("int syncfs(int)");

// --- attributes ---
/** For chmod of an O_PATH descriptor's file pass `DescriptorPath`; fchmodat(2) cannot. */
export const chmod = systemCall<[path: Path, mode: number]>("int chmod(const void *, uint)");
export const fchmod = systemCall<[fd: Fd, mode: number]>("int fchmod(int, uint)");
/** A uid or gid of 0xffffffff leaves it as it is. */
export const fchownat = systemCall<
  [directory: Fd, path: Path, uid: number, gid: number, flags: number]
>("int fchownat(int, const void *, uint, uint, int)");
/** `times` is two timespecs (see `timespecs` in stat.ts), or null for now. */
export const utimensat = systemCall<
  [directory: Fd, path: Path, times: Uint8Array | null, flags: number]
>("int utimensat(int, const void *, const void *, int)");
export const fstatfs = systemCall<[fd: Fd, result: Uint8Array]>("int fstatfs64(int, void *)");

// --- extended attributes; with a `DescriptorPath` they also reach O_PATH descriptors ---
export const setxattr = systemCall<
  [path: Path, name: Path, value: Uint8Array, size: number, flags: number]
>("int setxattr(const void *, const void *, const void *, ulong, int)");
export const getxattr = systemCall<
  [path: Path, name: Path, value: Uint8Array | null, sizeMax: number]
>("long getxattr(const void *, const void *, void *, ulong)");
export const listxattr = systemCall<[path: Path, names: Uint8Array | null, sizeMax: number]>(
  "long listxattr(const void *, void *, ulong)",
);
export const removexattr = systemCall<[path: Path, name: Path]>(
  "int removexattr(const void *, const void *)",
);
export const flistxattr = systemCall<[fd: Fd, names: Uint8Array | null, sizeMax: number]>(
  "long flistxattr(int, void *, ulong)",
);

/** No path: with AT_EMPTY_PATH the descriptor itself is meant. */
export const EMPTY_PATH = cString("");

const PREFIX = Buffer.from("/proc/self/fd/");
const descriptorPathBytes = new Uint8Array(PREFIX.length + 12);
descriptorPathBytes.set(PREFIX);

/**
 * The path `/proc/self/fd/N`, by which calls that take only paths reach an O_PATH descriptor's
 * file (it is followed to the file itself, even if that is a symlink; see proc(5)). The bytes are
 * shared: use them in the very next call.
 */
export function descriptorPath(fd: Fd): Path {
  let digits = 1;
  for (let bound = 10; fd >= bound; bound *= 10) digits += 1;
  let rest = fd;
  for (let at = PREFIX.length + digits - 1; at >= PREFIX.length; at -= 1) {
    descriptorPathBytes[at] = 48 + (rest % 10);
    rest = Math.trunc(rest / 10);
  }
  descriptorPathBytes[PREFIX.length + digits] = 0;
  return descriptorPathBytes;
}
