/**
 * What every store must do, run against each of them. An adapter that passes may hold the
 * witness's records: the conditional write is what keeps two nodes from both being told yes.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { BlobStore, EventLog, RecordStore } from "../../functions/ports.ts";
import {
  memoryBlobStore,
  memoryEventLog,
  memoryRecordStore,
} from "../../functions/stores/memory/memory-store.ts";
import { Database } from "../../functions/stores/sqlite/database.ts";
import {
  sqliteBlobStore,
  sqliteEventLog,
  sqliteRecordStore,
} from "../../functions/stores/sqlite/sqlite-store.ts";

const ENTRIES_MAX = 50;
interface Stores {
  readonly records: RecordStore;
  readonly events: EventLog;
  readonly blobs: BlobStore;
}

const folder = mkdtempSync(join(tmpdir(), "store-contract-"));
const databases: Database[] = [];
afterAll(() => {
  for (const database of databases) database.close();
  rmSync(folder, { recursive: true, force: true });
});

let made = 0;
function openSqlite(path: string, newStoreId: string): Database {
  const database = new Database(path, newStoreId);
  databases.push(database);
  return database;
}
function sqliteStores(): Stores {
  made += 1;
  const database = openSqlite(join(folder, `${made}.db`), "store-1");
  return {
    records: sqliteRecordStore(database),
    events: sqliteEventLog(database, ENTRIES_MAX),
    blobs: sqliteBlobStore(database),
  };
}
const memoryStores = (): Stores => ({
  records: memoryRecordStore("store-1"),
  events: memoryEventLog(ENTRIES_MAX),
  blobs: memoryBlobStore(),
});

describe.each([
  ["memory", memoryStores],
  ["sqlite", sqliteStores],
])("%s", (_name, open) => {
  const key = { partition: "witness/prod", id: "shop" };

  test("a record is made once, and only while it does not exist", async () => {
    const { records } = open();
    expect(await records.read(key)).toBeNull();
    expect(await records.write(key, 0, "a")).toBe(true);
    expect(await records.write(key, 0, "b")).toBe(false);
    expect(await records.read(key)).toEqual({ id: "shop", version: 1, text: "a" });
  });

  test("a write under an old version changes nothing", async () => {
    const { records } = open();
    await records.write(key, 0, "a");
    expect(await records.write(key, 1, "b")).toBe(true);
    expect(await records.write(key, 1, "c")).toBe(false);
    expect(await records.write(key, 3, "c")).toBe(false);
    expect(await records.read(key)).toEqual({ id: "shop", version: 2, text: "b" });
  });

  test("of a thousand parallel writers exactly one wins each version", async () => {
    const { records } = open();
    await records.write(key, 0, "start");
    const writers = Array.from({ length: 1000 }, (_, i) => records.write(key, 1, `writer ${i}`));
    const won = (await Promise.all(writers)).filter(Boolean);
    expect(won).toHaveLength(1);
    expect((await records.read(key))?.version).toBe(2);
  });

  test("a removed record can be made again, and is removed only under its version", async () => {
    const { records } = open();
    await records.write(key, 0, "a");
    expect(await records.remove(key, 2)).toBe(false);
    expect(await records.remove(key, 1)).toBe(true);
    expect(await records.remove(key, 1)).toBe(false);
    expect(await records.write(key, 0, "again")).toBe(true);
  });

  test("a partition lists its own records in order of id", async () => {
    const { records } = open();
    for (const id of ["b", "a", "B", "10", "é"]) {
      await records.write({ partition: "p", id }, 0, id);
    }
    await records.write({ partition: "p2", id: "x" }, 0, "x");
    expect((await records.list("p")).map((record) => record.id)).toEqual([
      "10",
      "B",
      "a",
      "b",
      "é",
    ]);
  });

  test("the log numbers entries without a gap, also from parallel writers", async () => {
    const { events } = open();
    const appends = Array.from({ length: 20 }, (_, i) =>
      events.append("prod", [
        { text: `${i}a`, dedupeKey: null },
        { text: `${i}b`, dedupeKey: null },
      ]),
    );
    await Promise.all(appends);
    const all = await events.after("prod", 0, 1000);
    expect(all.map((entry) => entry.seq)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(await events.range("prod")).toEqual({ firstSeq: 1, lastSeq: 40 });
    expect(await events.range("other")).toEqual({ firstSeq: 1, lastSeq: 0 });
  });

  test("a draft sent twice is stored once and takes no number", async () => {
    const { events } = open();
    const draft = { text: "x", dedupeKey: "node1/1" };
    expect(await events.append("prod", [draft, draft])).toEqual([{ seq: 1, text: "x" }]);
    expect(await events.append("prod", [draft])).toEqual([]);
    const next = await events.append("prod", [{ text: "y", dedupeKey: "node1/2" }]);
    expect(next).toEqual([{ seq: 2, text: "y" }]);
    expect(await events.append("dev", [draft])).toHaveLength(1);
  });

  test("the oldest entries fall off, the numbers go on", async () => {
    const { events } = open();
    for (let i = 1; i <= ENTRIES_MAX + 5; i += 1) {
      await events.append("prod", [{ text: `${i}`, dedupeKey: null }]);
    }
    expect(await events.range("prod")).toEqual({ firstSeq: 6, lastSeq: ENTRIES_MAX + 5 });
    const page = await events.after("prod", 10, 3);
    expect(page.map((entry) => entry.seq)).toEqual([11, 12, 13]);
  });

  test("a blob comes back byte for byte", async () => {
    const { blobs } = open();
    await blobs.put("aa", new Uint8Array([0, 255, 1]));
    await blobs.put("bb", new Uint8Array([2]));
    expect([...((await blobs.get("aa")) ?? [])]).toEqual([0, 255, 1]);
    expect([...((await blobs.get("bb")) ?? [])]).toEqual([2]);
    expect(await blobs.get("cc")).toBeNull();
  });
});

describe("the sqlite file", () => {
  test("keeps records, numbers and its incarnation over a reopening", async () => {
    const path = join(folder, "kept.db");
    const first = new Database(path, "store-1");
    await sqliteRecordStore(first).write({ partition: "p", id: "a" }, 0, "text");
    await sqliteEventLog(first, 10).append("prod", [{ text: "x", dedupeKey: "k" }]);
    first.close();
    const second = openSqlite(path, "store-2");
    expect(second.storeId).toBe("store-1");
    expect((await sqliteRecordStore(second).read({ partition: "p", id: "a" }))?.text).toBe("text");
    const events = sqliteEventLog(second, 10);
    expect(await events.append("prod", [{ text: "x", dedupeKey: "k" }])).toEqual([]);
    expect(await events.append("prod", [{ text: "y", dedupeKey: null }])).toEqual([
      { seq: 2, text: "y" },
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("runs with the settings that make an answered write durable", () => {
    const database = openSqlite(join(folder, "settings.db"), "store-1");
    const pragma = (name: string) => database.connection.prepare(`PRAGMA ${name}`).get();
    expect(pragma("journal_mode")).toEqual({ journal_mode: "wal" });
    expect(pragma("synchronous")).toEqual({ synchronous: 2 });
  });

  test("a write that throws fails alone and leaves its neighbours in the commit", async () => {
    const database = openSqlite(join(folder, "neighbours.db"), "store-1");
    const records = sqliteRecordStore(database);
    const good = records.write({ partition: "p", id: "a" }, 0, "a");
    const bad = database.write(() => {
      throw new Error("no");
    });
    const later = records.write({ partition: "p", id: "b" }, 0, "b");
    await expect(bad).rejects.toThrow("no");
    expect(await Promise.all([good, later])).toEqual([true, true]);
    expect(await records.list("p")).toHaveLength(2);
  });

  test("refuses a file of a newer schema", () => {
    const path = join(folder, "newer.db");
    const database = openSqlite(path, "store-1");
    database.connection.exec("PRAGMA user_version=99");
    expect(() => new Database(path, "store-1")).toThrow("newer version");
  });
});
