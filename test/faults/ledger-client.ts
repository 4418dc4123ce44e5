/**
 * The judge's clients, outside both nodes: they append to the ledger for as long as they live, one
 * through the service's address, one to each node directly, as a client that knows no better. What
 * was answered stands in a log, on disk before the next request leaves:
 *
 *   ack ID NODE MS      the line must exist for ever; NODE answered, at this wall clock
 *   unknown ID          no answer came: the line may exist or not
 *
 *   node test/faults/ledger-client.ts LOG VIP NODE1 NODE2
 */
import { fdatasyncSync, openSync, writeSync } from "node:fs";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const [logPath = "told.log", vip = "127.0.0.1", ...nodes] = process.argv.slice(2);
const PORT = 8080;
const PAUSE_MS = 10;
/** Nobody there: looked again soon. */
const AGAIN_MS = 20;
/** Through the address a dead node never answers; who speaks to a node itself waits for long. */
const VIP_MS_MAX = 1_000;
const DIRECT_MS_MAX = 600_000;

const log = openSync(logPath, "a");
const run = `${process.pid.toString(36)}${Date.now().toString(36)}`;

function write(line: string): void {
  writeSync(log, `${line}\n`);
  fdatasyncSync(log);
}

/** The name of the node that has the line now; null when no answer came. */
function append(agent: Agent, host: string, id: string, limitMs: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const options = { agent, host, port: PORT, method: "POST", path: `/append/${id}` };
  const signal = AbortSignal.timeout(limitMs);
  const outgoing = request({ ...options, signal }, (answer) => {
    let text = "";
    answer.on("data", (part: Buffer) => {
      text += part.toString("utf8");
    });
    answer.on("end", () => resolve(answer.statusCode === 200 ? text : null));
    answer.on("error", () => resolve(null));
  });
  outgoing.on("error", () => resolve(null));
  outgoing.end();
  return promise;
}

async function appendForEver(name: string, host: string, limitMs: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let n = 1; ; n += 1) {
    const id = `${run}-${name}-${n}`;
    const node = await append(agent, host, id, limitMs);
    write(node === null ? `unknown ${id}` : `ack ${id} ${node} ${Date.now()}`);
    await sleep(node === null ? AGAIN_MS : PAUSE_MS);
  }
}

await Promise.all([
  appendForEver("vip", vip, VIP_MS_MAX),
  ...nodes.map((host, index) => appendForEver(`direct${index + 1}`, host, DIRECT_MS_MAX)),
]);
