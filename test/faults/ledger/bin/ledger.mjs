/**
 * A ledger: one line per request, on the disk before it is answered. Over HTTP:
 *
 *   POST /append/ID   the line is written and synced, then the name of this node
 *   GET /lines        every line of the file
 *   GET /ping         the name of this node; touches no file
 *
 * One file, one thread, blocking calls: while the directory does not answer, this process stands
 * in that very call, as a database does.
 */
import { fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import { hostname } from "node:os";

const FILE = "/srv/data/ledger";
const file = openSync(FILE, "a");

createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  const [, verb, id] = request.url.split("/");
  if (verb === "lines") return response.end(readFileSync(FILE));
  if (verb === "append") {
    writeSync(file, `${id}\n`);
    fsyncSync(file);
  }
  response.end(hostname());
}).listen(8080);
