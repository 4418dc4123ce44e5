/** What processes share: locks, leases, mappings, watches. */
import { close, read } from "../../../node-agent/adapters/linux/file.ts";
import { systemCall } from "../../../node-agent/adapters/linux/library.ts";
import { quote } from "../language/text.ts";
import { Mapping } from "./mapping.ts";
import { type Call, c, flags, number, type Session } from "./session.ts";

const flock = systemCall<[fd: number, operation: number]>("int flock(int, int)");
const fcntlNumber = systemCall<[fd: number, command: number, argument: number]>(
  "int fcntl64(int, int, long)",
);
const fcntlLock = systemCall<[fd: number, command: number, lock: Uint8Array]>(
  "int fcntl64(int, int, void *)",
);
const inotifyInit = systemCall<[flags: number]>("int inotify_init1(int)");
const inotifyAdd = systemCall<[fd: number, path: Uint8Array, mask: number]>(
  "int inotify_add_watch(int, const void *, uint)",
);
const fanotifyInit = systemCall<[flags: number, eventFlags: number]>(
  "int fanotify_init(uint, uint)",
);
const fanotifyMark = systemCall<
  [fd: number, flags: number, mask: number, at: number, path: Uint8Array]
>("int fanotify_mark(int, uint, uint64, int, const void *)");

const FLOCK = { SH: 1, EX: 2, NB: 4, UN: 8 };
const LOCK: Record<string, number> = { READ: 0, WRITE: 1, UNLOCK: 2 };
const PROTECTION = { NONE: 0, READ: 1, WRITE: 2, EXEC: 4 };
const MAP = { SHARED: 1, PRIVATE: 2, POPULATE: 0x8000, SHARED_VALIDATE: 3, SYNC: 0x80000 };
const MSYNC = { ASYNC: 1, INVALIDATE: 2, SYNC: 4 };
const WATCH: Record<string, number> = {
  MODIFY: 2,
  ATTRIB: 4,
  CLOSE_WRITE: 8,
  MOVED_FROM: 64,
  MOVED_TO: 128,
  CREATE: 256,
  DELETE: 512,
};
const COMMANDS = { GETLK: 5, SETLK: 6, SETLKW: 7, OFD_GETLK: 36, OFD_SETLK: 37, OFD_SETLKW: 38 };
const [F_GETFL, F_SETFL, F_SETLEASE, F_GETLEASE, F_NOTIFY] = [3, 4, 1024, 1025, 1026];
const FAN_NONBLOCK = 2;
const NONBLOCK = 0o4000;

/** struct flock of 64-bit Linux: type, whence, start, length, pid. */
function lock(type: string, start: string, length: string): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, LOCK[type] ?? number(type), true);
  view.setBigInt64(8, BigInt(number(start)), true);
  view.setBigInt64(16, BigInt(number(length)), true);
  return bytes;
}

/** `free`, or what stands in the way. */
function tellLock(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer);
  const type = view.getInt16(0, true);
  if (type === LOCK["UNLOCK"]) return "free";
  const name = type === LOCK["READ"] ? "READ" : "WRITE";
  return `${name} ${view.getBigInt64(8, true)} ${view.getBigInt64(16, true)}`;
}

function events(fd: number): string {
  const bytes = Buffer.alloc(16_384);
  const length = read(fd, bytes, bytes.length);
  const told: string[] = [];
  for (let at = 0; at < length; at += 16 + bytes.readUInt32LE(at + 12)) {
    const mask = bytes.readUInt32LE(at + 4);
    const kinds = Object.keys(WATCH).filter((kind) => (mask & (WATCH[kind] ?? 0)) !== 0);
    const end = bytes.indexOf(0, at + 16);
    const hasName = bytes.readUInt32LE(at + 12) > 0;
    const name = hasName ? quote(bytes.subarray(at + 16, end).toString("latin1")) : "itself";
    told.push(`${kinds.join("|")}:${name}`);
  }
  return told.join(" ") || "none";
}

function map(s: Session, name: string, f: string, o: readonly string[]): string | number {
  const [length, protection, how, offset = "0"] = o;
  const mapped = Mapping.of(s.fd(f), {
    length: number(length),
    protection: flags(PROTECTION, protection),
    flags: flags(MAP, how),
    offset: number(offset),
  });
  if (typeof mapped === "number") return mapped;
  s.maps.set(name, mapped);
  return 0;
}

export const SHARING: Record<string, Call> = {
  flock: (s, f = "", how = "EX") => flock(s.fd(f), flags(FLOCK, how)),
  /** `fcntl F SETLK|GETLK|... TYPE START LENGTH` */
  fcntl: (s, f = "", command = "SETLK", type = "WRITE", start = "0", length = "0") => {
    const bytes = lock(type, start, length);
    const result = fcntlLock(s.fd(f), flags(COMMANDS, command), bytes);
    return result < 0 || !command.endsWith("GETLK") ? result : tellLock(bytes);
  },
  lease: (s, f = "", type = "WRITE") => fcntlNumber(s.fd(f), F_SETLEASE, LOCK[type] ?? 0),
  "get-lease": (s, f = "") => {
    const type = fcntlNumber(s.fd(f), F_GETLEASE, 0);
    return Object.keys(LOCK).find((name) => LOCK[name] === type) ?? type;
  },
  dnotify: (s, f = "", mask = "2") => fcntlNumber(s.fd(f), F_NOTIFY, number(mask)),
  /** Status flags, in octal, without the large-file bit that the kernel adds. */
  "get-flags": (s, f = "") => (fcntlNumber(s.fd(f), F_GETFL, 0) & ~0o100000).toString(8),
  "set-flags": (s, f = "", value = "0") => fcntlNumber(s.fd(f), F_SETFL, Number.parseInt(value, 8)),
  /** `mmap M F LENGTH PROTECTION FLAGS [OFFSET]` */
  mmap: (s, name = "", f = "", ...rest) => map(s, name, f, rest),
  poke: (s, name = "", at = "0", text = "") => s.map(name).bytes.write(text, number(at), "latin1"),
  peek: (s, name = "", at = "0", length = "1") =>
    quote(
      s
        .map(name)
        .bytes.subarray(number(at), number(at) + number(length))
        .toString("latin1"),
    ),
  msync: (s, name = "", how = "SYNC") => s.map(name).sync(flags(MSYNC, how)),
  munmap: (s, name = "") => {
    const mapped = s.map(name);
    s.maps.delete(name);
    return mapped.unmap();
  },
  /** A watch on `path`, to be read by `events`. */
  inotify: (_, path = "", kinds = "CREATE|DELETE") => {
    const fd = inotifyInit(NONBLOCK);
    const added = fd < 0 ? fd : inotifyAdd(fd, c(path), flags(WATCH, kinds));
    return added < 0 ? added : fd;
  },
  events: (s, f = "") => events(s.fd(f)),
  /** Whether a whole mount or file system can be watched. */
  fanotify: (s, path = "", mark = "0") => {
    const fd = fanotifyInit(FAN_NONBLOCK, 0);
    if (fd < 0) return fd;
    s.files.set("fanotify", fd);
    return fanotifyMark(fd, 1 + number(mark), 2, -100, c(path));
  },
  "fanotify-read": (s) => {
    const bytes = Buffer.alloc(4096);
    const length = read(s.fd("fanotify"), bytes, bytes.length);
    // Each struct fanotify_event_metadata has a descriptor of its file, which is ours to close.
    for (let at = 0; at < length; at += bytes.readUInt32LE(at)) close(bytes.readInt32LE(at + 16));
    return length > 0 ? "an event" : "none";
  },
};
