/**
 * The judge's client: runs outside both nodes and commits numbered rows through the service's
 * address for as long as it lives. It writes to its own log, flushed to disk, what was answered:
 *
 *   ack ID        COMMIT returned: the row must exist for ever
 *   unknown ID    no answer came: the row may exist or not
 *
 * and one line for every gap: `gap MS`, the time between two acknowledgements over 200 ms.
 *
 *   node test/lab/commit-client.ts --host ADDRESS --log FILE [--connections N]
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import pg from "pg";

const { values } = parseArgs({
  options: {
    host: { type: "string", default: "127.0.0.1" },
    log: { type: "string", default: "commits.log" },
    connections: { type: "string", default: "4" },
  },
});

/** A dead peer never answers: past this, the outcome is unknown and the connection is given up. */
const ANSWER_MS_MAX = 1500;
const GAP_MS = 200;

const log = openSync(values.log, "a");
const run = process.pid.toString(36) + Date.now().toString(36);
let isStopped = false;
let lastAckMs = performance.now();

function write(line: string): void {
  writeSync(log, `${line}\n`);
  fdatasyncSync(log);
}

function acknowledge(id: string): void {
  const nowMs = performance.now();
  const gapMs = nowMs - lastAckMs;
  lastAckMs = nowMs;
  write(gapMs > GAP_MS ? `ack ${id}\ngap ${gapMs.toFixed(0)} ending ${Date.now()}` : `ack ${id}`);
}

async function connect(): Promise<pg.Client | null> {
  const client = new pg.Client({
    host: values.host,
    user: "postgres",
    database: "postgres",
    connectionTimeoutMillis: 500,
    query_timeout: ANSWER_MS_MAX,
  });
  // An idle connection that breaks is noticed by the next query.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch {
    void client.end().catch(() => undefined);
    return null;
  }
}

async function commitForEver(worker: number): Promise<void> {
  let client: pg.Client | null = null;
  for (let n = 1; !isStopped; n += 1) {
    client ??= await connect();
    if (client === null) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      continue;
    }
    const id = `${run}-${worker}-${n}`;
    try {
      await client.query("INSERT INTO commits (id) VALUES ($1)", [id]);
      acknowledge(id);
    } catch {
      write(`unknown ${id}`);
      const broken = client;
      client = null;
      broken.connection.stream.destroy();
    }
  }
  await client?.end().catch(() => undefined);
}

process.on("SIGTERM", () => {
  isStopped = true;
});
const workers = Array.from({ length: Number(values.connections) }, (_, n) => commitForEver(n));
await Promise.all(workers);
closeSync(log);
