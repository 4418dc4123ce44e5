/** What stat(2) tells and what changes it; rights. */
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  chmod,
  close,
  fchmod,
  fchownat,
  fstatfs,
  O_PATH,
  openat,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
  utimensat,
} from "../../../node-agent/adapters/linux/file.ts";
import { systemCall } from "../../../node-agent/adapters/linux/library.ts";
import { Stat, timespecs } from "../../../node-agent/adapters/linux/stat.ts";
import type { FileTime } from "../../../node-agent/replication/operation.ts";
import { type Call, c, flags, HERE, mode, number, type Session, told } from "./session.ts";

const faccessat = systemCall<[at: number, path: Uint8Array, mode: number, flags: number]>(
  "int faccessat(int, const void *, int, int)",
);
const statx = systemCall<
  [at: number, path: Uint8Array, flags: number, mask: number, result: Uint8Array]
>("int statx(int, const void *, int, uint, void *)");

const ACCESS = { F: 0, X: 1, W: 2, R: 4 };
const AT_EACCESS = 0x200;
const TYPES: Record<number, string> = {
  [S_IFREG]: "file",
  [S_IFDIR]: "directory",
  [S_IFLNK]: "symlink",
  [S_IFIFO]: "fifo",
  [S_IFSOCK]: "socket",
  [S_IFCHR]: "char",
  [S_IFBLK]: "block",
};
const UNCHANGED = 0xffffffff;
/** More than the clock's step, by which file times move. */
const CLOCK_STEP_MS = 12;

const time = ({ seconds, nanoseconds }: FileTime): string =>
  `${seconds}.${`${nanoseconds}`.padStart(9, "0")}`;

const FIELDS: Record<string, (stat: Stat) => string> = {
  type: (stat) => TYPES[stat.type] ?? "?",
  mode: (stat) => (stat.mode & 0o7777).toString(8).padStart(4, "0"),
  uid: (stat) => `${stat.uid}`,
  gid: (stat) => `${stat.gid}`,
  links: (stat) => `${stat.linkCount}`,
  size: (stat) => `${stat.sizeBytes}`,
  rdev: (stat) => `0x${stat.rdev.toString(16)}`,
  blksize: (stat) => `${stat.blockSize}`,
  /** What is allocated, in KiB. */
  kib: (stat) => `${stat.blocks / 2}`,
  atime: (stat) => time(stat.atime),
  mtime: (stat) => time(stat.mtime),
};

function tell(stat: Stat, result: number, fields: string): string | number {
  if (result < 0) return result;
  return fields
    .split(",")
    .map((field) => FIELDS[field]?.(stat) ?? `no field ${field}`)
    .join(" ");
}

/** stat(2) of a path that may be a symlink's. */
function follow(stat: Stat, path: string): number {
  const fd = openat(HERE, c(path), O_PATH, 0);
  if (fd < 0) return fd;
  const result = stat.of(fd);
  close(fd);
  return result;
}

/** `now`, `omit`, or seconds with a fraction: `-5.123456789`. */
function asked(word = "now"): FileTime | "now" | null {
  if (word === "now") return "now";
  if (word === "omit") return null;
  const [seconds, fraction = ""] = word.split(".");
  return { seconds: Number(seconds), nanoseconds: Number(fraction.padEnd(9, "0").slice(0, 9)) };
}

const inode = (path: string): number | bigint => {
  const stat = new Stat();
  return stat.at(HERE, c(path)) < 0 ? -1 : stat.inodeKey;
};

function stamps(path: string): readonly string[] {
  const stat = new Stat();
  stat.at(HERE, c(path));
  return [`atime ${time(stat.atime)}`, `mtime ${time(stat.mtime)}`, `ctime ${time(stat.ctime)}`];
}

const pause = (milliseconds: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
};

/** Which of the times are others than when `note` looked. */
function moved(session: Session, path: string): string {
  const before = session.noted.get(path) ?? [];
  const changed = stamps(path).filter((stamp) => !before.includes(stamp));
  return changed.map((stamp) => stamp.split(" ")[0]).join(" ") || "none";
}

const own = (path: string, uid = "-1", gid = "-1", how = "0") =>
  fchownat(HERE, c(path), owner(uid), owner(gid), Number(how));
const owner = (word: string): number => (word === "-1" ? UNCHANGED : Number(word));

export const ATTRIBUTES: Record<string, Call> = {
  /** `stat PATH type,mode,...` follows a symlink, lstat does not. */
  stat: (_, path = "", fields = "") => {
    const stat = new Stat();
    return tell(stat, follow(stat, path), fields);
  },
  lstat: (_, path = "", fields = "") => {
    const stat = new Stat();
    return tell(stat, stat.at(HERE, c(path)), fields);
  },
  fstat: (s, f = "", fields = "") => {
    const stat = new Stat();
    return tell(stat, stat.of(s.fd(f)), fields);
  },
  /** Which of the bits asked for statx(2) answers, in hexadecimal. */
  "statx-mask": (_, path = "", mask = "0") => {
    const bytes = new Uint8Array(256);
    const result = statx(HERE, c(path), 0, number(mask), bytes);
    const answered = new Uint32Array(bytes.buffer)[0] ?? 0;
    return result < 0 ? result : `0x${(answered & number(mask)).toString(16)}`;
  },
  "same-inode": (_, a = "", b = "") => (inode(a) === inode(b) ? "yes" : "no"),
  chmod: (_, path = "", rights = "") => chmod(c(path), mode(rights)),
  fchmod: (s, f = "", rights = "") => fchmod(s.fd(f), mode(rights)),
  chown: (_, path = "", uid, gid) => own(path, uid, gid),
  lchown: (_, path = "", uid, gid) => own(path, uid, gid, `${AT_SYMLINK_NOFOLLOW}`),
  fchown: (s, f = "", uid = "-1", gid = "-1") =>
    fchownat(s.fd(f), c(""), owner(uid), owner(gid), AT_EMPTY_PATH),
  /** `utimens PATH ATIME MTIME`; without times utimensat(2) gets a null pointer. */
  utimens: (_, path = "", atime?: string, mtime?: string) =>
    utimensat(HERE, c(path), atime === undefined ? null : timespecs(asked(atime), asked(mtime)), 0),
  lutimens: (_, path = "", atime, mtime) =>
    utimensat(HERE, c(path), timespecs(asked(atime), asked(mtime)), AT_SYMLINK_NOFOLLOW),
  futimens: (s, f = "", atime, mtime) => {
    const path = c(`/proc/self/fd/${s.fd(f)}`);
    return utimensat(HERE, path, timespecs(asked(atime), asked(mtime)), 0);
  },
  umask: (_, mask = "022") => {
    process.umask(mode(mask));
    return 0;
  },
  /** By the real user's rights, and by the effective one's. */
  access: (_, path = "", how = "F") => faccessat(HERE, c(path), flags(ACCESS, how), 0),
  eaccess: (_, path = "", how = "F") => faccessat(HERE, c(path), flags(ACCESS, how), AT_EACCESS),
  /** Remembers the times, and lets the clock go on. */
  note: (s, path = "") => {
    s.noted.set(path, stamps(path));
    pause(CLOCK_STEP_MS);
    return 0;
  },
  moved: (s, path = "") => moved(s, path),
  statfs: (_, path = "", field = "bsize") => {
    const words = new BigUint64Array(15);
    const fd = openat(HERE, c(path), O_PATH, 0);
    const result = fd < 0 ? fd : fstatfs(fd, new Uint8Array(words.buffer));
    close(fd);
    // struct statfs of 64-bit Linux: type, bsize, blocks, bfree, bavail, files, ffree, id, namelen.
    const at = { type: 0, bsize: 1, blocks: 2, bfree: 3, files: 5, namelen: 8 }[field] ?? 1;
    return result < 0 ? told(result) : `${words[at]}`;
  },
};
