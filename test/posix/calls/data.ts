/** Contents: reading, writing, space, moving data between files. */
import { createHash } from "node:crypto";
import {
  close,
  copyFileRange,
  fallocate,
  fdatasync,
  fsync,
  ftruncate,
  lseek,
  O_APPEND,
  O_CREAT,
  O_RDONLY,
  O_TRUNC,
  O_WRONLY,
  pread,
  pwrite,
  read,
  syncfs,
  truncate,
  write,
} from "../../../node-agent/adapters/linux/file.ts";
import { addressOf, systemCall } from "../../../node-agent/adapters/linux/library.ts";
import { type Call, c, data, flags, number, told, toldData, withFile } from "./session.ts";

type Vector = [fd: number, vector: Uint8Array, count: number, offset: number, flags: number];
const preadv2 = systemCall<Vector>("long preadv64v2(int, const void *, int, int64, int)");
const pwritev2 = systemCall<Vector>("long pwritev64v2(int, const void *, int, int64, int)");
const sendfile = systemCall<[to: number, from: number, offset: null, length: number]>(
  "long sendfile64(int, int, void *, ulong)",
);
const splice = systemCall<
  [from: number, fromAt: null, to: number, toAt: null, length: number, flags: number]
>("long splice(int, void *, int, void *, ulong, uint)");
const pipe = systemCall<[ends: Uint8Array]>("int pipe(void *)");
const syncRange = systemCall<[fd: number, offset: number, length: number, flags: number]>(
  "int sync_file_range(int, int64, int64, uint)",
);
/** Answers its error as a positive number. */
const fadvise = systemCall<[fd: number, offset: number, length: number, advice: number]>(
  "int posix_fadvise64(int, int64, int64, int)",
);
const readahead = systemCall<[fd: number, offset: number, length: number]>(
  "long readahead(int, int64, ulong)",
);

const FALLOCATE = { KEEP_SIZE: 1, PUNCH_HOLE: 2, COLLAPSE: 8, ZERO: 16, INSERT: 32, UNSHARE: 64 };
const WHENCE = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 };
const RWF = { HIPRI: 1, DSYNC: 2, SYNC: 4, NOWAIT: 8, APPEND: 16, NOAPPEND: 32, ATOMIC: 64 };
const ADVICE = { NORMAL: 0, RANDOM: 1, SEQUENTIAL: 2, WILLNEED: 3, DONTNEED: 4, NOREUSE: 5 };
const SYNC_RANGE = { WAIT_BEFORE: 1, WRITE: 2, WAIT_AFTER: 4 };
const DIRECT_ALIGNMENT = 4096;
const READ_BYTES_MAX = 1 << 20;

/** The same bytes everywhere, and no two pages alike. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = 48 + ((at * 7 + (at >> 8)) % 10);
  return bytes;
}

/** Memory that starts at a block's boundary, for O_DIRECT; `skip` spoils that. */
function aligned(length: number, skip = 0): Uint8Array {
  const memory = new Uint8Array(length + 2 * DIRECT_ALIGNMENT);
  const toBoundary = Number(-addressOf(memory) & BigInt(DIRECT_ALIGNMENT - 1));
  return memory.subarray(toBoundary + skip, toBoundary + skip + length);
}

/** struct iovec of two halves of `bytes`. */
function halves(bytes: Uint8Array): Uint8Array {
  const half = Math.floor(bytes.length / 2);
  const address = addressOf(bytes);
  const words = [address, half, address + BigInt(half), bytes.length - half].map(BigInt);
  return new Uint8Array(new BigUint64Array(words).buffer);
}

/** Hash of a whole file, and its size. */
function digest(fd: number): string {
  const hash = createHash("sha256");
  const bytes = new Uint8Array(READ_BYTES_MAX);
  for (let at = 0; ; ) {
    const length = pread(fd, bytes, bytes.length, at);
    if (length < 0) return told(length);
    if (length === 0) return `${at} ${hash.digest("hex").slice(0, 8)}`;
    hash.update(bytes.subarray(0, length));
    at += length;
  }
}

/** Moves bytes through a pipe: into it by the first, out of it by the second. */
function throughPipe(first: (end: number) => number, second: (end: number) => number): number {
  const ends = new Int32Array(2);
  pipe(new Uint8Array(ends.buffer));
  const [out = -1, into = -1] = ends;
  const moved = first(into);
  const left = moved < 0 ? moved : second(out);
  close(out);
  close(into);
  return left;
}

/** Data segments of the file, as `from-to`: blocks of the file system, so in KiB. */
function segments(fd: number): string {
  const found: string[] = [];
  for (let at = 0; ; ) {
    const start = lseek(fd, at, WHENCE.DATA);
    if (start < 0) return found.join(" ") || "none";
    at = lseek(fd, start, WHENCE.HOLE);
    found.push(`${start / 1024}-${Math.ceil(at / 1024)}`);
  }
}

const writeAll = (path: string, how: number, bytes: Uint8Array) =>
  withFile(path, how, (fd) => {
    let at = 0;
    while (at < bytes.length) {
      const written = write(fd, bytes.subarray(at), bytes.length - at);
      if (written < 0) return written;
      at += written;
    }
    return at;
  });

export const DATA: Record<string, Call> = {
  /** Makes or empties a file and writes the text. */
  put: (_, path = "", text = "") => writeAll(path, O_WRONLY | O_CREAT | O_TRUNC, data(text)),
  /** The same with `length` bytes of a pattern. */
  fill: (_, path = "", length = "0") =>
    writeAll(path, O_WRONLY | O_CREAT | O_TRUNC, pattern(number(length))),
  append: (_, path = "", text = "") => writeAll(path, O_WRONLY | O_APPEND, data(text)),
  /** `append-lines PATH WORD COUNT`: one write(2) a line, all through one descriptor. */
  "append-lines": (_, path = "", word = "", count = "0") =>
    withFile(path, O_WRONLY | O_APPEND | O_CREAT, (fd) => {
      const line = data(`${word}\n`);
      for (let n = 0; n < number(count); n += 1) {
        const written = write(fd, line, line.length);
        if (written !== line.length) return written;
      }
      return 0;
    }),
  /** How often each line is there: `40 a 40 b`. */
  lines: (_, path = "") =>
    withFile(path, O_RDONLY, (fd) => {
      const bytes = new Uint8Array(READ_BYTES_MAX);
      const length = Math.max(0, pread(fd, bytes, bytes.length, 0));
      const text = Buffer.from(bytes.subarray(0, length)).toString("latin1");
      const counts = new Map<string, number>();
      for (const line of text.split("\n").slice(0, -1)) {
        counts.set(line, (counts.get(line) ?? 0) + 1);
      }
      return [...counts]
        .sort()
        .map(([line, count]) => `${count} ${line}`)
        .join(" ");
    }),
  cat: (_, path = "") =>
    withFile(path, O_RDONLY, (fd) => {
      const bytes = new Uint8Array(READ_BYTES_MAX);
      return toldData(pread(fd, bytes, bytes.length, 0), bytes);
    }),
  digest: (_, path = "") => withFile(path, O_RDONLY, digest),
  segments: (_, path = "") => withFile(path, O_RDONLY, segments),
  read: (s, f = "", length = "0") => {
    const bytes = new Uint8Array(number(length));
    return toldData(read(s.fd(f), bytes, bytes.length), bytes);
  },
  pread: (s, f = "", length = "0", at = "0") => {
    const bytes = new Uint8Array(number(length));
    return toldData(pread(s.fd(f), bytes, bytes.length, number(at)), bytes);
  },
  write: (s, f = "", text = "") => write(s.fd(f), data(text), text.length),
  pwrite: (s, f = "", text = "", at = "0") => pwrite(s.fd(f), data(text), text.length, offset(at)),
  pfill: (s, f = "", length = "0", at = "0") => {
    const bytes = pattern(number(length));
    return pwrite(s.fd(f), bytes, bytes.length, number(at));
  },
  /** `direct-write F LENGTH AT [SKIP]`: from memory that is aligned, less SKIP. */
  "direct-write": (s, f = "", length = "0", at = "0", skip = "0") => {
    const bytes = aligned(number(length), number(skip)).fill(68);
    return pwrite(s.fd(f), bytes, bytes.length, number(at));
  },
  "direct-read": (s, f = "", length = "0", at = "0", skip = "0") => {
    const bytes = aligned(number(length), number(skip));
    return pread(s.fd(f), bytes, bytes.length, number(at));
  },
  /** Two vectors each; at -1 the file's own position counts. */
  preadv2: (s, f = "", length = "0", at = "0", text = "0") => {
    const bytes = new Uint8Array(number(length));
    return toldData(preadv2(s.fd(f), halves(bytes), 2, number(at), flags(RWF, text)), bytes);
  },
  pwritev2: (s, f = "", text = "", at = "0", how = "0") => {
    const bytes = data(text);
    return pwritev2(s.fd(f), halves(bytes), 2, number(at), flags(RWF, how));
  },
  truncate: (_, path = "", size = "0") => truncate(c(path), number(size)),
  ftruncate: (s, f = "", size = "0") => ftruncate(s.fd(f), offset(size)),
  fallocate: (s, f = "", how = "0", at = "0", length = "0") =>
    fallocate(s.fd(f), flags(FALLOCATE, how), number(at), number(length)),
  lseek: (s, f = "", at = "0", whence = "SET") => lseek(s.fd(f), number(at), flags(WHENCE, whence)),
  /** `copy F AT G AT LENGTH`: copy_file_range(2), until nothing more is copied. */
  copy: (s, f = "", from = "0", g = "", to = "0", length = "0") => {
    const [source, target] = [new BigInt64Array([BigInt(number(from))]), new BigInt64Array(1)];
    target[0] = BigInt(number(to));
    const views = [new Uint8Array(source.buffer), new Uint8Array(target.buffer)] as const;
    let copied = 0;
    for (;;) {
      const wanted = number(length) - copied;
      const moved = copyFileRange(s.fd(f), views[0], s.fd(g), views[1], wanted, 0);
      if (moved < 0) return moved;
      copied += moved;
      if (moved === 0 || copied === number(length)) return copied;
    }
  },
  sendfile: (s, to = "", from = "", length = "0") =>
    sendfile(s.fd(to), s.fd(from), null, number(length)),
  /** What is in the file comes out of a pipe. */
  "splice-out": (s, f = "", length = "0") => {
    const bytes = new Uint8Array(number(length));
    const moved = throughPipe(
      (into) => splice(s.fd(f), null, into, null, bytes.length, 0),
      (out) => read(out, bytes, bytes.length),
    );
    return toldData(moved, bytes);
  },
  "splice-in": (s, f = "", text = "") =>
    throughPipe(
      (into) => write(into, data(text), text.length),
      (out) => splice(out, null, s.fd(f), null, text.length, 0),
    ),
  fsync: (s, f = "") => fsync(s.fd(f)),
  fdatasync: (s, f = "") => fdatasync(s.fd(f)),
  syncfs: (s, f = "") => syncfs(s.fd(f)),
  "sync-range": (s, f = "", at = "0", length = "0", how = "WRITE") =>
    syncRange(s.fd(f), number(at), number(length), flags(SYNC_RANGE, how)),
  fadvise: (s, f = "", advice = "NORMAL") => -fadvise(s.fd(f), 0, 0, flags(ADVICE, advice)),
  readahead: (s, f = "", length = "0") => readahead(s.fd(f), 0, number(length)),
};

/** Beyond 2^53 numbers are not exact. */
function offset(word: string): number | bigint {
  return /^\d{16,}$/.test(word) ? BigInt(word) : number(word);
}
