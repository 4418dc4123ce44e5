/**
 * Keeps the change record in a file of the module's state directory (its form: change-log-format.ts).
 * Replaced as a whole at each durable point, appended to in between. Whatever waits for the disk is
 * done by helper threads; the calls here only reach the page cache.
 */

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { PointId } from "#model/replication/change-record.ts";
import { NOTHING } from "#model/replication/dirty-set.ts";
import { syncDirectory, writeFileDurably } from "../adapters/atomic-file.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import { fsync } from "../adapters/linux/file.ts";
import type { BlockingCalls } from "../fuse/ports.ts";
import { markedPoint, setMark } from "../resync/copy-mark.ts";
import {
  decodeLog,
  encodeAppend,
  encodeStart,
  LOG_BLOCK_BYTES,
  type LogAppend,
  type LogStart,
  type StoredRecord,
} from "./change-log-format.ts";

const FILE = "changes";
const BESIDE = "changes.new";
/**
 * Zeros written ahead of the log, so that a flush of a batch is one write of a block: a file that
 * grows costs a commit of the file system's journal as well.
 */
const AHEAD_BYTES = 512 * 1024;
const ZEROS = Buffer.alloc(AHEAD_BYTES);
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

/** What a node's disk says about its own copy. */
export type FoundRecord =
  | {
      readonly kind: "record";
      readonly record: StoredRecord;
      /** Of its points the last that the directories themselves are marked with. */
      readonly point: PointId;
      /** The OS has run ever since it was written, so nothing of it can have been lost. */
      readonly isSameBoot: boolean;
    }
  /** Why there is none that can be relied on. */
  | { readonly kind: "none"; readonly why: string };

/** Where a data thread keeps its change record. Results are 0 or -errno. */
export interface ChangeStore {
  read(): FoundRecord;
  /** Bytes of the log, to see when it should be written anew; 0 without one. */
  readonly sizeBytes: number;
  /** In the page cache when it returns 0. Without a log: nothing. */
  append(append: LogAppend): number;
  /** Everything appended before is durable when `done` gets 0. */
  flush(done: (result: number) => void): void;
  /** One at a time. The old record holds until the new one is durable, and appends go to both. */
  replace(start: LogStart, done: (result: number) => void): void;
  /** Marks the directories with a point; durable when `done` gets 0. */
  mark(point: PointId, done: (result: number) => void): void;
  /** From here on there is no record, also after a power cut. */
  remove(): number;
}

export const bootId = (): string => readFileSync(BOOT_ID, "utf8").trim();

/** Of a copy that equals its source at `point`. Blocks: for threads that may wait. */
export function notePointNow(
  stateDirectory: string,
  rootFds: readonly number[],
  point: PointId,
): void {
  const start: LogStart = { role: "secondary", points: [point], isStrict: true, changes: NOTHING };
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  writeFileDurably(join(stateDirectory, FILE), encodeStart(start, bootId()));
  for (const rootFd of rootFds) {
    // Where a directory takes no mark the record is not believed, which costs a full comparison.
    if (setMark(rootFd, point) === 0) fsync(rootFd);
  }
}

/** Blocks. */
export function removeRecordNow(stateDirectory: string): void {
  const path = join(stateDirectory, FILE);
  if (!existsSync(path)) return;
  rmSync(path);
  syncDirectory(stateDirectory);
}

export function readRecordNow(stateDirectory: string, rootFds: readonly number[]): FoundRecord {
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(stateDirectory, FILE));
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return { kind: "none", why: isMissing ? "there is no record" : "the record cannot be read" };
  }
  const decoded = decodeLog(bytes);
  if (decoded.kind === "doubtful") return { kind: "none", why: `the record ${decoded.why}` };
  const { record } = decoded;
  const point = markedPoint(rootFds, record.points);
  if (point === null) return { kind: "none", why: "the record is not of these directories" };
  return { kind: "record", record, point, isSameBoot: record.bootId === bootId() };
}

type Log = {
  readonly fd: number;
  sizeBytes: number;
  /** How far it is filled with zeros. */
  filledBytes: number;
  number: number;
  /** Helper threads that use its descriptor. */
  users: number;
  isClosed: boolean;
};

export class FileChangeStore implements ChangeStore {
  readonly #stateDirectory: string;
  readonly #rootFds: readonly number[];
  readonly #blocking: BlockingCalls;
  #log: Log | null = null;
  /** Written, and not yet in the old one's place. */
  #next: Log | null = null;

  constructor(stateDirectory: string, rootFds: readonly number[], blocking: BlockingCalls) {
    this.#stateDirectory = stateDirectory;
    this.#rootFds = rootFds;
    this.#blocking = blocking;
  }

  get sizeBytes(): number {
    return this.#log?.sizeBytes ?? 0;
  }

  read(): FoundRecord {
    return readRecordNow(this.#stateDirectory, this.#rootFds);
  }

  append(append: LogAppend): number {
    for (const log of [this.#log, this.#next]) {
      const written = log === null ? 0 : write(log, encodeAppend(append, log.number));
      if (written < 0) return written;
    }
    return 0;
  }

  flush(done: (result: number) => void): void {
    const logs = [this.#log, this.#next].filter((log) => log !== null);
    let [left, failed] = [logs.length, 0];
    if (left === 0) done(0);
    for (const log of logs) {
      // What comes later must not touch a block that this flush makes durable.
      log.sizeBytes = Math.ceil(log.sizeBytes / LOG_BLOCK_BYTES) * LOG_BLOCK_BYTES;
      this.#sync("fdatasync", log, (result) => {
        left -= 1;
        failed = Math.min(failed, result);
        if (left === 0) done(failed);
      });
    }
  }

  replace(start: LogStart, done: (result: number) => void): void {
    const opened = this.#write(start);
    if (typeof opened === "number") {
      done(opened);
      return;
    }
    this.#next = opened;
    this.#sync("fdatasync", opened, (result) => {
      if (result < 0 || this.#next !== opened) done(result < 0 ? result : -ERRNO.EBADF);
      else this.#takeOver(opened, done);
    });
  }

  /** The new log, beside the old one. */
  #write(start: LogStart): Log | number {
    try {
      mkdirSync(this.#stateDirectory, { recursive: true, mode: 0o700 });
      const fd = openSync(this.#path(BESIDE), "w", 0o600);
      const log: Log = { fd, sizeBytes: 0, filledBytes: 0, number: 0, users: 0, isClosed: false };
      const written = write(log, encodeStart(start, bootId()));
      log.sizeBytes = Math.ceil(log.sizeBytes / LOG_BLOCK_BYTES) * LOG_BLOCK_BYTES;
      // Only what is flushed batch by batch gains by it.
      const isFilled = written === 0 && start.role === "primary" && start.isStrict;
      if (isFilled) writeSync(fd, ZEROS, 0, AHEAD_BYTES, fill(log));
      if (written === 0) return log;
      closeSync(fd);
      return written;
    } catch (error) {
      return errnoOf(error);
    }
  }

  #takeOver(next: Log, done: (result: number) => void): void {
    try {
      renameSync(this.#path(BESIDE), this.#path(FILE));
      const fd = openSync(this.#stateDirectory, "r");
      const directory: Log = {
        fd,
        sizeBytes: 0,
        filledBytes: 0,
        number: 0,
        users: 0,
        isClosed: false,
      };
      this.#sync("fsync", directory, (result) => {
        retire(directory);
        if (this.#log !== null) retire(this.#log);
        this.#log = next;
        this.#next = null;
        done(result);
      });
    } catch (error) {
      done(errnoOf(error));
    }
  }

  mark(point: PointId, done: (result: number) => void): void {
    let [left, failed] = [this.#rootFds.length, 0];
    const marked = (result: number): void => {
      left -= 1;
      failed = Math.min(failed, result);
      if (left === 0) done(failed);
    };
    for (const rootFd of this.#rootFds) {
      const set = setMark(rootFd, point);
      if (set < 0) marked(set);
      else if (!this.#blocking.submit("fsync", rootFd, marked)) marked(-ERRNO.EAGAIN);
    }
  }

  remove(): number {
    try {
      this.close();
      removeRecordNow(this.#stateDirectory);
      return 0;
    } catch (error) {
      return errnoOf(error);
    }
  }

  close(): void {
    for (const log of [this.#log, this.#next]) if (log !== null) retire(log);
    this.#log = null;
    this.#next = null;
  }

  #sync(kind: "fsync" | "fdatasync", log: Log, done: (result: number) => void): void {
    log.users += 1;
    const end = (result: number): void => {
      log.users -= 1;
      if (log.isClosed) retire(log);
      done(result);
    };
    // Too many wait for the disk already: as if it had failed, which costs a full comparison.
    if (!this.#blocking.submit(kind, log.fd, end)) end(-ERRNO.EAGAIN);
  }

  #path(name: string): string {
    return join(this.#stateDirectory, name);
  }
}

/** Closes it once no helper thread uses it: its number could be another file's by then. */
function retire(log: Log): void {
  log.isClosed = true;
  if (log.users === 0) closeSync(log.fd);
}

/** Where the next zeros go; they count as written. */
function fill(log: Log): number {
  const at = Math.max(log.filledBytes, log.sizeBytes);
  log.filledBytes = at + AHEAD_BYTES;
  return at;
}

function write(log: Log, bytes: Buffer): number {
  try {
    const isBeyond = log.filledBytes > 0 && log.sizeBytes + bytes.length > log.filledBytes;
    if (isBeyond) writeSync(log.fd, ZEROS, 0, AHEAD_BYTES, fill(log));
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(log.fd, bytes, at, bytes.length - at, log.sizeBytes + at);
    }
  } catch (error) {
    return errnoOf(error);
  }
  log.sizeBytes += bytes.length;
  log.number += 1;
  return 0;
}

function errnoOf(error: unknown): number {
  if (error instanceof Error && "errno" in error && typeof error.errno === "number") {
    return -Math.abs(error.errno);
  }
  return -ERRNO.EIO;
}
