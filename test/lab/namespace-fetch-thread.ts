/**
 * A thread that lives in another network namespace and makes HTTP requests from there. The network
 * namespace is a property of a thread (setns(2)), and a socket belongs to the namespace of the
 * thread that made it; so one process can speak in several networks without a program in each.
 */
import { openSync } from "node:fs";
import { request } from "node:http";
import { parentPort, workerData } from "node:worker_threads";
import koffi from "koffi";
import type { FetchAnswer, FetchCall } from "./namespace-fetch.ts";

const CLONE_NEWNET = 0x40000000;
const setns = koffi.load("libc.so.6").func("int setns(int fd, int nstype)");

const { namespacePath }: { namespacePath: string } = workerData;
const entered: unknown = setns(openSync(namespacePath, "r"), CLONE_NEWNET);
if (entered !== 0) throw new Error(`setns ${namespacePath}: errno ${koffi.errno()}`);

function answer(id: number, result: FetchAnswer["result"]): void {
  parentPort?.postMessage({ id, result } satisfies FetchAnswer);
}

parentPort?.on("message", ({ id, url, method, headers, body, timeoutMs }: FetchCall) => {
  const outgoing = request(url, { method, headers, timeout: timeoutMs }, (incoming) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    incoming.on("end", () => {
      const text = Buffer.concat(parts).toString("utf8");
      answer(id, { status: incoming.statusCode ?? 0, text });
    });
  });
  const timer = setTimeout(() => outgoing.destroy(new Error("no answer in time")), timeoutMs);
  outgoing.on("close", () => clearTimeout(timer));
  outgoing.on("error", (error) => answer(id, { error: error.message }));
  outgoing.end(body === null ? undefined : Buffer.from(body));
});
