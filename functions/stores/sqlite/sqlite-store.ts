/** Records, logs and blobs in SQLite. See database.ts for what makes an answered write durable. */
import * as z from "zod/mini";
import type { BlobStore, EventLog, RecordStore } from "../../ports.ts";
import { LIST_MAX } from "../../ports.ts";
import type { Database } from "./database.ts";

const RecordRow = z.object({ id: z.string(), version: z.int(), text: z.string() });
const EventRow = z.object({ seq: z.int(), text: z.string() });
const SeqRow = z.object({ seq: z.nullable(z.int()) });
const BlobRow = z.object({ bytes: z.instanceof(Uint8Array) });

/** Conditional writes: the `WHERE version = ?` is the whole of the concurrency control. */
export function sqliteRecordStore(database: Database): RecordStore {
  const db = database.connection;
  const read = db.prepare("SELECT id, version, text FROM records WHERE partition=? AND id=?");
  const list = db.prepare(
    `SELECT id, version, text FROM records WHERE partition=? ORDER BY id LIMIT ${LIST_MAX}`,
  );
  const insert = db.prepare(
    "INSERT OR IGNORE INTO records (partition, id, version, text) VALUES (?, ?, 1, ?)",
  );
  const update = db.prepare(
    "UPDATE records SET version=version+1, text=? WHERE partition=? AND id=? AND version=?",
  );
  const remove = db.prepare("DELETE FROM records WHERE partition=? AND id=? AND version=?");
  return {
    storeId: database.storeId,
    async read({ partition, id }) {
      const row = read.get(partition, id);
      return row === undefined ? null : RecordRow.parse(row);
    },
    async list(partition) {
      return list.all(partition).map((row) => RecordRow.parse(row));
    },
    write: ({ partition, id }, seenVersion, text) =>
      database.write(() => {
        if (seenVersion === 0) return insert.run(partition, id, text).changes === 1;
        return update.run(text, partition, id, seenVersion).changes === 1;
      }),
    remove: ({ partition, id }, seenVersion) =>
      database.write(() => remove.run(partition, id, seenVersion).changes === 1),
  };
}

/** The number after the last one is taken inside the transaction that stores the entry: no gap. */
export function sqliteEventLog(database: Database, entriesMax: number): EventLog {
  const db = database.connection;
  const lastSeq = db.prepare("SELECT last_seq AS seq FROM logs WHERE cluster=?");
  const setLast = db.prepare(
    `INSERT INTO logs (cluster, last_seq) VALUES (?, ?)
     ON CONFLICT (cluster) DO UPDATE SET last_seq=excluded.last_seq`,
  );
  const insert = db.prepare(
    "INSERT OR IGNORE INTO events (cluster, seq, dedupe_key, text) VALUES (?, ?, ?, ?)",
  );
  const trim = db.prepare("DELETE FROM events WHERE cluster=? AND seq<=?");
  const after = db.prepare(
    "SELECT seq, text FROM events WHERE cluster=? AND seq>? ORDER BY seq LIMIT ?",
  );
  const first = db.prepare("SELECT min(seq) AS seq FROM events WHERE cluster=?");
  const last = (clusterId: string): number => {
    const row = lastSeq.get(clusterId);
    return row === undefined ? 0 : (SeqRow.parse(row).seq ?? 0);
  };
  return {
    append: (clusterId, drafts) =>
      database.write(() => {
        const stored = [];
        let seq = last(clusterId);
        for (const { text, dedupeKey } of drafts) {
          if (insert.run(clusterId, seq + 1, dedupeKey, text).changes === 0) continue;
          seq += 1;
          stored.push({ seq, text });
        }
        setLast.run(clusterId, seq);
        trim.run(clusterId, seq - entriesMax);
        return stored;
      }),
    async after(clusterId, seq, limit) {
      return after.all(clusterId, seq, limit).map((row) => EventRow.parse(row));
    },
    async range(clusterId) {
      const lastKept = last(clusterId);
      const firstKept = SeqRow.parse(first.get(clusterId)).seq ?? lastKept + 1;
      return { firstSeq: firstKept, lastSeq: lastKept };
    },
  };
}

/** Archives are at most 10 MiB each and few, so they live in the same file as what names them. */
export function sqliteBlobStore(database: Database): BlobStore {
  const db = database.connection;
  const put = db.prepare("INSERT OR IGNORE INTO blobs (sha256, bytes) VALUES (?, ?)");
  const get = db.prepare("SELECT bytes FROM blobs WHERE sha256=?");
  return {
    put: (sha256, bytes) =>
      database.write(() => {
        put.run(sha256, bytes);
      }),
    async get(sha256) {
      const row = get.get(sha256);
      return row === undefined ? null : BlobRow.parse(row).bytes;
    },
  };
}
