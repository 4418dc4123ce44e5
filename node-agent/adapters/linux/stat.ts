/**
 * statx(2) into one reusable record, without an object per call: `stat.of(fd)` fills it, and the
 * getters read the fields where the kernel put them (struct statx in linux/stat.h).
 */
import type { FileTime } from "../../replication/operation.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, EMPTY_PATH, S_IFMT } from "./file.ts";
import { systemCall } from "./library.ts";

const statxCall = systemCall<
  [directory: number, path: Uint8Array, flags: number, mask: number, result: Uint8Array]
>("int statx(int, const void *, int, uint, void *)");

const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;
const STATX_MNT_ID = 0x1000;
const STATX_BYTES = 256;
const TWO_32 = 2 ** 32;

/** One statx(2) result, overwritten by each call. */
export class Stat {
  readonly #bytes = new Uint8Array(STATX_BYTES);
  /** The raw words of struct statx, for copying into another layout. */
  readonly words = new Uint32Array(this.#bytes.buffer);
  readonly #signed = new Int32Array(this.#bytes.buffer);

  /** Fills this record from a descriptor (O_PATH will do). 0 or -errno. */
  of(fd: number): number {
    return statxCall(fd, EMPTY_PATH, AT_EMPTY_PATH, STATX_BASIC_STATS, this.#bytes);
  }

  /** Fills this record from `name` in `directory`, not following a symlink. 0 or -errno. */
  at(directory: number, name: Uint8Array): number {
    const mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
    return statxCall(directory, name, AT_SYMLINK_NOFOLLOW, mask, this.#bytes);
  }

  #long(index: number): number {
    return (this.words[index] ?? 0) + (this.words[index + 1] ?? 0) * TWO_32;
  }
  #time(index: number): FileTime {
    const seconds = (this.words[index] ?? 0) + (this.#signed[index + 1] ?? 0) * TWO_32;
    return { seconds, nanoseconds: this.words[index + 2] ?? 0 };
  }

  get blockSize(): number {
    return this.words[1] ?? 0;
  }
  get linkCount(): number {
    return this.words[4] ?? 0;
  }
  get uid(): number {
    return this.words[5] ?? 0;
  }
  get gid(): number {
    return this.words[6] ?? 0;
  }
  /** Type and permission bits. */
  get mode(): number {
    return (this.words[7] ?? 0) & 0xffff;
  }
  /** `mode & S_IFMT`. */
  get type(): number {
    return this.mode & S_IFMT;
  }
  /** Exact below 2^53, which holds for the inode numbers of ext4, XFS, btrfs and tmpfs in use. */
  get inode(): number {
    return this.#long(8);
  }
  /** A key for the inode that is exact for every 64-bit number: a bigint where a number is not. */
  get inodeKey(): number | bigint {
    const high = this.words[9] ?? 0;
    if (high < 0x200000) return (this.words[8] ?? 0) + high * TWO_32;
    return (BigInt(high) << 32n) | BigInt(this.words[8] ?? 0);
  }
  get sizeBytes(): number {
    return this.#long(10);
  }
  /** Blocks of 512 bytes. */
  get blocks(): number {
    return this.#long(12);
  }
  get atime(): FileTime {
    return this.#time(16);
  }
  get ctime(): FileTime {
    return this.#time(24);
  }
  get mtime(): FileTime {
    return this.#time(28);
  }
  /** Of a device file, as mknod(2) takes it (glibc's encoding of major and minor). */
  get rdev(): number {
    return makeDevice(this.words[32] ?? 0, this.words[33] ?? 0);
  }
  /** Of the file system that holds the file. */
  get device(): number {
    return makeDevice(this.words[34] ?? 0, this.words[35] ?? 0);
  }
}

/** makedev(3) for majors below 2^12 and minors below 2^20, which is what Linux has. */
function makeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

const timespecBytes = new Uint8Array(32);
const timespecLongs = new BigInt64Array(timespecBytes.buffer);
const UTIME_OMIT = 0x3ffffffen;
const UTIME_NOW = 0x3fffffffn;

/** `utimensat`'s two timespecs; `null` leaves a time as it is, `"now"` takes the kernel's. Shared bytes. */
export function timespecs(atime: FileTime | "now" | null, mtime: FileTime | "now" | null) {
  setTimespec(0, atime);
  setTimespec(2, mtime);
  return timespecBytes;
}

function setTimespec(at: number, time: FileTime | "now" | null): void {
  const isExact = time !== null && time !== "now";
  timespecLongs[at] = isExact ? BigInt(time.seconds) : 0n;
  timespecLongs[at + 1] = isExact
    ? BigInt(time.nanoseconds)
    : time === null
      ? UTIME_OMIT
      : UTIME_NOW;
}
