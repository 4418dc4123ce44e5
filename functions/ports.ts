/**
 * What the control plane needs from the world, as small interfaces. Everything in this folder is
 * written against them; `local.ts` puts SQLite, timers and files behind them, a serverless
 * deployment puts tables and queues there. A port says what a caller may rely on, so each has one
 * contract suite (test/contract) that every adapter must pass.
 */
import type { UnixMs } from "#model/shared/ids.ts";

/** Wall clock. Nodes never trust it for safety; the witness counts its own grants on it. */
export interface Clock {
  nowMs(): UnixMs;
}

/** Timers, so that tests need not wait for real ones. */
export interface Timers {
  /** Calls `fire` once after `delayMs` unless cancelled. Never keeps a process alive. */
  after(delayMs: number, fire: () => void): Timer;
}
export interface Timer {
  cancel(): void;
}

/** Unpredictable bytes and names made of them. */
export interface Random {
  bytes(count: number): Uint8Array;
  /** `prefix_` and 20 base32 characters: unique, URL-safe. */
  id(prefix: string): string;
}

/** Where a record lives. A partition is listed together and is the unit a cloud table keys by. */
interface RecordKey {
  readonly partition: string;
  readonly id: string;
}

/** A record as stored: JSON text, and a version that every write raises. */
interface StoredRecord {
  readonly id: string;
  readonly version: number;
  readonly text: string;
}

/** Most records one `list` returns; partitions are kept smaller than this by their owners. */
export const LIST_MAX = 1000;

/**
 * Versioned records, changed by conditional writes only. Reads are strongly consistent: a read
 * that begins after a write was answered sees it. A write is answered only once it is durable.
 */
export interface RecordStore {
  /** Incarnation: random, made with the store, so that a restored or wiped one is noticed. */
  readonly storeId: string;
  read(key: RecordKey): Promise<StoredRecord | null>;
  /** Records of a partition in order of id (code points), at most {@link LIST_MAX}. */
  list(partition: string): Promise<readonly StoredRecord[]>;
  /**
   * Stores `text` only if the record's version is still `seenVersion` (0: it must not exist).
   * True: stored, its version is now `seenVersion + 1`. False: someone else was first.
   */
  write(key: RecordKey, seenVersion: number, text: string): Promise<boolean>;
  /** Removes the record only if its version is still `seenVersion`. */
  remove(key: RecordKey, seenVersion: number): Promise<boolean>;
}

/** A draft for the log: JSON text without its sequence number. */
interface LogDraft {
  readonly text: string;
  /** A draft whose key the cluster's log already holds (of the kept part) is left out. */
  readonly dedupeKey: string | null;
}
interface LogEntry {
  readonly seq: number;
  readonly text: string;
}
/** What part of a log is kept. */
export interface LogRange {
  /** Sequence number of the oldest kept entry; `lastSeq + 1` when none is kept. */
  readonly firstSeq: number;
  /** 0 before the first entry. */
  readonly lastSeq: number;
}

/** One gapless, append-only log per cluster; the oldest entries fall off at `entriesMax`. */
export interface EventLog {
  /** Appends in order; answers with the stored entries (without duplicates) once durable. */
  append(clusterId: string, drafts: readonly LogDraft[]): Promise<readonly LogEntry[]>;
  /** Entries with a greater number than `after`, oldest first, at most `limit`. */
  after(clusterId: string, after: number, limit: number): Promise<readonly LogEntry[]>;
  range(clusterId: string): Promise<LogRange>;
}

/** Bytes by their hash: module archives, of older versions too, so that one can be restored. */
export interface BlobStore {
  put(sha256: string, bytes: Uint8Array): Promise<void>;
  get(sha256: string): Promise<Uint8Array | null>;
}

/** A log line for operators; never holds a secret. */
export interface Logger {
  log(severity: "C" | "E" | "I" | "D", text: string): void;
}
