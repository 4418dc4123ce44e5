/**
 * One SQLite file holds everything the local control plane knows. WAL with `synchronous=FULL`:
 * SQLite syncs the log at each commit (https://sqlite.org/pragma.html#pragma_synchronous), so an
 * answered write survives a power cut; NORMAL would lose the newest ones. Because a sync costs about as much
 * as everything else together, writes that arrive in one turn of the event loop share a commit.
 */

import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** Statements queued for one commit; beyond this, callers are refused at once. */
const QUEUED_WRITES_MAX = 20_000;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS records (
  partition TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (partition, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS logs (cluster TEXT PRIMARY KEY, last_seq INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS events (
  cluster TEXT NOT NULL, seq INTEGER NOT NULL, dedupe_key TEXT, text TEXT NOT NULL,
  PRIMARY KEY (cluster, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS events_dedupe ON events (cluster, dedupe_key)
  WHERE dedupe_key IS NOT NULL;
CREATE TABLE IF NOT EXISTS blobs (sha256 TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
`;
/** A newer program's file must not be written by an older one. */
const SCHEMA_VERSION = 1;

interface QueuedWrite {
  readonly run: () => void;
  readonly settle: (failure: Error | null) => void;
}

/** The connection, its identity, and the queue that groups commits. */
export class Database {
  readonly connection: DatabaseSync;
  readonly storeId: string;
  #queue: QueuedWrite[] = [];
  #isScheduled = false;

  /** Opens or makes the file (mode 0600). Throws when another schema wrote it. */
  constructor(path: string, newStoreId: string) {
    if (path !== ":memory:") {
      closeSync(openSync(path, "a", 0o600));
      chmodSync(path, 0o600);
    }
    this.connection = new DatabaseSync(path, { timeout: 5000 });
    this.connection.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
    this.#checkSchema(path);
    this.connection.exec(SCHEMA);
    this.connection.exec(`PRAGMA user_version=${SCHEMA_VERSION}`);
    this.connection
      .prepare("INSERT OR IGNORE INTO meta (key, value) VALUES ('storeId', ?)")
      .run(newStoreId);
    const row = this.connection.prepare("SELECT value FROM meta WHERE key='storeId'").get();
    this.storeId = String(row?.["value"]);
  }

  #checkSchema(path: string): void {
    const found = Number(this.connection.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (found > SCHEMA_VERSION) {
      throw new Error(`${path} was written by a newer version (schema ${found}); start that one`);
    }
  }

  /** Runs `work` inside the next commit; resolves with its value once that is on disk. */
  write<T>(work: () => T): Promise<T> {
    if (this.#queue.length >= QUEUED_WRITES_MAX) {
      return Promise.reject(new Error("too many writes are waiting for the disk"));
    }
    return new Promise<T>((resolve, reject) => {
      let outcome: { value: T } | null = null;
      this.#queue.push({
        run: () => {
          outcome = { value: work() };
        },
        settle: (failure) => {
          if (failure !== null || outcome === null) reject(failure ?? new Error("write was lost"));
          else resolve(outcome.value);
        },
      });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#commit();
    });
  }

  /** One transaction for all that wait. A write that fails undoes only itself (savepoint). */
  #commit(): void {
    const batch = this.#queue;
    this.#queue = [];
    if (batch.length === 0) return;
    const failures = new Map<QueuedWrite, Error>();
    let commitFailure: Error | null = null;
    try {
      this.connection.exec("BEGIN IMMEDIATE");
      for (const queued of batch) this.#runOne(queued, failures);
      this.connection.exec("COMMIT");
    } catch (thrown) {
      commitFailure = thrown instanceof Error ? thrown : new Error(String(thrown));
      if (this.connection.isTransaction) this.connection.exec("ROLLBACK");
    }
    for (const queued of batch) queued.settle(commitFailure ?? failures.get(queued) ?? null);
  }

  #runOne(queued: QueuedWrite, failures: Map<QueuedWrite, Error>): void {
    this.connection.exec("SAVEPOINT one");
    try {
      queued.run();
    } catch (thrown) {
      this.connection.exec("ROLLBACK TO one");
      failures.set(queued, thrown instanceof Error ? thrown : new Error(String(thrown)));
    }
    this.connection.exec("RELEASE one");
  }

  /** Commits what waits, folds the log into the file and closes it. */
  close(): void {
    this.#commit();
    this.connection.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    this.connection.close();
  }
}
