/** Listing: getdents64(2), and the positions of telldir(3). */
import { readdirSync } from "node:fs";
import { getdents64 } from "../../../node-agent/adapters/linux/directory.ts";
import {
  close,
  lseek,
  mkdirat,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  openat,
  renameat2,
  unlinkat,
} from "../../../node-agent/adapters/linux/file.ts";
import { quote } from "../language/text.ts";
import { type Call, c, HERE, number } from "./session.ts";

type Entry = { readonly name: string; readonly type: number; readonly next: bigint };

const CHANGES_MAX = 60;
const BUFFER_BYTES = 32_768;
const TYPES: Record<number, string> = {
  1: "fifo",
  2: "char",
  4: "directory",
  6: "block",
  8: "file",
  10: "symlink",
  12: "socket",
};

/** What one getdents64(2) fills `size` bytes with, dots too; or -errno. */
function some(fd: number, size = BUFFER_BYTES): Entry[] | number {
  const buffer = Buffer.alloc(size);
  const filled = getdents64(fd, buffer, size);
  if (filled < 0) return filled;
  const entries: Entry[] = [];
  for (let at = 0; at < filled; at += buffer.readUInt16LE(at + 16)) {
    const end = buffer.indexOf(0, at + 19);
    const name = buffer.subarray(at + 19, end).toString("latin1");
    entries.push({ name, type: buffer.readUInt8(at + 18), next: buffer.readBigInt64LE(at + 8) });
  }
  return entries;
}

const isDot = ({ name }: Entry): boolean => name === "." || name === "..";

/** All entries; `between` runs after each piece. */
function all(path: string, size: number, between: (seen: Entry[]) => void = () => undefined) {
  const fd = openat(HERE, c(path), O_RDONLY | O_DIRECTORY, 0);
  if (fd < 0) return fd;
  const seen: Entry[] = [];
  for (;;) {
    const entries = some(fd, size);
    if (typeof entries === "number" || entries.length === 0) {
      close(fd);
      return typeof entries === "number" ? entries : seen;
    }
    seen.push(...entries);
    between(entries.filter((entry) => !isDot(entry)));
  }
}

function makeMany(path: string, prefix: string, count: number): number {
  for (let n = 0; n < count; n += 1) {
    const fd = openat(HERE, c(`${path}/${prefix}${n}`), O_RDWR | O_CREAT | O_EXCL, 0o644);
    if (fd < 0) return fd;
    close(fd);
  }
  return count;
}

/** How many of `prefix0`.. the listing has, each at most once; or what is wrong with it. */
function judge(seen: readonly Entry[], prefix: string, count: number): string {
  const names = seen.map(({ name }) => name).filter((name) => name.startsWith(prefix));
  const distinct = new Set(names);
  if (distinct.size !== names.length) return `${names.length - distinct.size} twice`;
  return distinct.size === count ? "each once" : `${count - distinct.size} missing`;
}

export const DIRECTORIES: Record<string, Call> = {
  /** Names, sorted. */
  list: (_, path = ".") => readdirSync(path, "latin1").sort().map(quote).join(" ") || "empty",
  count: (_, path = ".") => {
    const seen = all(path, BUFFER_BYTES);
    return typeof seen === "number" ? seen : seen.filter((entry) => !isDot(entry)).length;
  },
  /** `name:type` of each, as d_type has it. */
  types: (_, path = ".") => {
    const seen = all(path, BUFFER_BYTES);
    if (typeof seen === "number") return seen;
    const told = seen.map(({ name, type }) => `${quote(name)}:${TYPES[type] ?? type}`);
    return told.sort().join(" ");
  },
  /** A getdents64(2) into a buffer of so many bytes: how many entries. */
  getdents: (s, f = "", size = `${BUFFER_BYTES}`) => {
    const entries = some(s.fd(f), number(size));
    return typeof entries === "number" ? entries : entries.length;
  },
  rewinddir: (s, f = "") => lseek(s.fd(f), 0, 0),
  "make-many": (_, path = "", prefix = "", count = "0") => makeMany(path, prefix, number(count)),
  "make-directories": (_, path = "", count = "0") => {
    for (let n = 0; n < number(count); n += 1) {
      const made = mkdirat(HERE, c(`${path}/${n}`), 0o755);
      if (made < 0) return made;
    }
    return number(count);
  },
  /** Removes what each piece listed before the next is read: nothing may be left. */
  "remove-while-listing": (_, path = "", size = "256") => {
    const seen = all(path, number(size), (entries) => {
      for (const { name } of entries) unlinkat(HERE, c(`${path}/${name}`), 0);
    });
    return typeof seen === "number" ? seen : seen.filter((entry) => !isDot(entry)).length;
  },
  /**
   * Lists while files named `new` come and `old` go and `ren` change their names: what is there all
   * the time (`keep`) must be listed exactly once (readdir(3)).
   */
  "list-while-changing": (_, path = "", prefix = "", count = "0") => {
    let round = 0;
    const seen = all(path, BUFFER_BYTES, () => {
      // How many pieces there are is the file system's own affair.
      if (round === CHANGES_MAX) return;
      const fd = openat(HERE, c(`${path}/new${round}`), O_RDWR | O_CREAT, 0o644);
      if (fd >= 0) close(fd);
      unlinkat(HERE, c(`${path}/old${round}`), 0);
      renameat2(HERE, c(`${path}/ren${round}`), HERE, c(`${path}/moved${round}`), 0);
      round += 1;
    });
    return typeof seen === "number" ? seen : judge(seen, prefix, number(count));
  },
  /** Goes back to where each entry began (seekdir) and reads it again: how many were others. */
  "seek-each": (s, f = "") => {
    const fd = s.fd(f);
    const entries = some(fd, BUFFER_BYTES);
    if (typeof entries === "number") return entries;
    let wrong = 0;
    for (const [at, { next }] of entries.entries()) {
      const after = entries[at + 1];
      if (after === undefined) break;
      lseek(fd, next, 0);
      const again = some(fd, BUFFER_BYTES);
      if (typeof again === "number" || again[0]?.name !== after.name) wrong += 1;
    }
    return wrong;
  },
};
