/** `node data-process-main.ts SOCKET`, started by remote-engine.ts; see protocol.ts. */
import { Socket } from "node:net";
import { newReplicationEngine } from "../replication/replication-engine.ts";
import { DataHost } from "./host.ts";

/** What it inherits: see `spawnDataProcess`. */
const MEMORY_DESCRIPTOR = 3;
const AGENT_DESCRIPTOR = 4;

const [socketPath = ""] = process.argv.slice(2);

/**
 * Whoever used the mounts gets an error, as nobody is there who could answer. At once: an orderly
 * exit would wait for threads, and one may hang in a call to a dead disk.
 */
function end(why: string): void {
  if (why === "closed") process.exit(0);
  process.stderr.write(`${new Date().toISOString()} C data ${why}\n`);
  process.kill(process.pid, "SIGKILL");
}

process.on("uncaughtException", (error) => end(error.stack ?? error.message));
process.on("unhandledRejection", (reason) => end(String(reason)));
// Its agent ends it; what asks a whole group of processes to end does not.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
// A log whose reader went with the agent is no reason to go too.
process.stderr.on("error", () => undefined);

const host = new DataHost({
  engine: newReplicationEngine(),
  memoryDescriptor: MEMORY_DESCRIPTOR,
  socketPath,
  end,
});
host.serveFirst(new Socket({ fd: AGENT_DESCRIPTOR, readable: true, writable: true }));
