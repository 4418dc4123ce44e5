/**
 * One row per transaction, each synced (synchronous = FULL), for SECONDS.
 *
 *   node sqlite-program.ts FILE wal|delete SECONDS      {"perSecond"}
 */
import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

const [file = "", journal = "", seconds = ""] = process.argv.slice(2);
for (const rest of ["", "-wal", "-shm", "-journal"]) rmSync(`${file}${rest}`, { force: true });
const database = new DatabaseSync(file);
database.exec(`PRAGMA journal_mode = ${journal}; PRAGMA synchronous = FULL`);
database.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, article TEXT, price INTEGER)");
const insert = database.prepare("INSERT INTO orders (article, price) VALUES (?, ?)");
const startMs = performance.now();
const endMs = startMs + Number(seconds) * 1000;
let done = 0;
for (; performance.now() < endMs; done += 1) insert.run(`article ${done}`, done % 1000);
const perSecond = (done * 1000) / (performance.now() - startMs);
database.close();
console.log(JSON.stringify({ perSecond }));
