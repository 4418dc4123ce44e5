/**
 * Stands in front of the control plane's door for agents, inside the control machine, and does what
 * the file of the present fault says. With TLS of its own, by a certificate of the cluster's own
 * CA, as it has to read the requests that it delays, loses or doubles.
 *
 *   node test/lab/witness-proxy.ts PORT UPSTREAM_URL FAULT_FILE KEY_FILE CERTIFICATE_FILE
 *
 * One JSON line per request on standard output: {"atMs", "from", "method", "path", "vote", "did"}.
 */
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttps, request } from "node:https";
import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type BadAnswer, parseFault, type WitnessFault } from "./witness-fault.ts";

const [port, upstream = "", faultFile = "", keyFile = "", certificateFile = ""] =
  process.argv.slice(2);
const FAULT_LOOK_MS = 50;

let faultText = "";
let fault: WitnessFault = { kind: "none" };
/** Votes for which the present fault may still do its harm. */
let left = 0;
const sockets = new Set<Socket>();

function lookAtFault(): void {
  const text = readFileSync(faultFile, "utf8");
  if (text === faultText) return;
  faultText = text;
  fault = parseFault(text);
  left = "votes" in fault ? fault.votes : 0;
  // What waits for an answer is part of the fault, and what failed before is not part of what heals.
  for (const socket of sockets) socket.destroy();
}

type Received = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  /** The kind of vote that is asked for; null for every other request. */
  readonly vote: string | null;
  /** The asker has hung up. */
  readonly gone: AbortSignal;
};

async function receive(incoming: IncomingMessage, response: ServerResponse): Promise<Received> {
  const { method = "GET", url = "/", headers } = incoming;
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(Buffer.from(part));
  const body = Buffer.concat(parts);
  const asked: { kind?: string } = url.endsWith("/votes") ? JSON.parse(body.toString("utf8")) : {};
  return { method, url, headers, body, vote: asked.kind ?? null, gone: gone.signal };
}

type Answer = { status: number; headers: IncomingMessage["headers"]; body: Buffer };

/** What the control plane itself answers; null when it does not, or nobody waits for it any more. */
function forward(received: Received, gone: AbortSignal | null): Promise<Answer | null> {
  const { promise, resolve } = Promise.withResolvers<Answer | null>();
  const { method, headers, url, body } = received;
  const options = { method, headers, rejectUnauthorized: false };
  const signal = gone === null ? {} : { signal: gone };
  const outgoing = request(new URL(url, upstream), { ...options, ...signal }, async (answered) => {
    const parts: Buffer[] = [];
    try {
      for await (const part of answered) parts.push(Buffer.from(part));
    } catch {
      return resolve(null);
    }
    const status = answered.statusCode ?? 502;
    resolve({ status, headers: answered.headers, body: Buffer.concat(parts) });
  });
  outgoing.on("error", () => resolve(null));
  outgoing.end(body);
  return promise;
}

function pass(answer: Answer | null, response: ServerResponse): void {
  if (answer === null) {
    response.destroy();
    return;
  }
  const { "transfer-encoding": _, ...headers } = answer.headers;
  response.writeHead(answer.status, { ...headers, "content-length": answer.body.length });
  response.end(answer.body);
}

const refusal = (status: number) => (response: ServerResponse) => {
  response.writeHead(status, { "content-type": "application/json" });
  const error = { code: "internal", message: "as the lab wants it", remedy: "", requestId: "lab" };
  response.end(JSON.stringify(error));
};

const MISBEHAVE: Readonly<Record<BadAnswer, (response: ServerResponse) => void>> = {
  "429": refusal(429),
  "500": refusal(500),
  "503": refusal(503),
  "403": refusal(403),
  empty: (response) => response.writeHead(200).end(),
  html: (response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<html>Welcome</html>");
  },
  "wrong-json": (response) => {
    const granted = JSON.stringify({ granted: true, kind: "granted", epoch: 1_000_000 });
    response.writeHead(200, { "content-type": "application/json" }).end(granted);
  },
  "half-reply": (response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
    response.write('{"kind":"granted","requestId":"', () => response.destroy());
  },
};

/** Does what the fault says; resolves with a word for the log. */
async function serve(received: Received, response: ServerResponse): Promise<string> {
  const now = fault;
  switch (now.kind) {
    case "slow":
      await sleep(now.delayMs);
      break;
    case "fail":
      if (now.how === "tls-error") break;
      MISBEHAVE[now.how](response);
      return now.how;
    case "lose-reply":
    case "double":
    case "late":
      if (received.vote !== now.vote || left === 0) break;
      left -= 1;
      return await harmVote(now, received, response);
    default:
      break;
  }
  pass(await forward(received, received.gone), response);
  return now.kind === "slow" ? "slow" : "passed";
}

/** Each of them reaches the control plane; the node must not be the worse for it. */
async function harmVote(
  now: Extract<WitnessFault, { kind: "lose-reply" | "double" | "late" }>,
  received: Received,
  response: ServerResponse,
): Promise<string> {
  switch (now.kind) {
    case "lose-reply": {
      const answer = await forward(received, null);
      response.destroy();
      return `reply lost (${answer?.status ?? "none"})`;
    }
    case "double": {
      const answer = await forward(received, null);
      const second = await forward(received, null);
      pass(answer, response);
      return `doubled (${answer?.status ?? "none"}, ${second?.status ?? "none"})`;
    }
    case "late": {
      response.destroy();
      await sleep(now.delayMs);
      const answer = await forward(received, null);
      return `late (${answer?.status ?? "none"}: ${answer?.body.toString("utf8") ?? ""})`;
    }
  }
}

const server = createHttps(
  { key: readFileSync(keyFile), cert: readFileSync(certificateFile), keepAliveTimeout: 65_000 },
  (incoming, response) => {
    const { method, url, socket } = incoming;
    // The socket forgets it when it is closed.
    const from = socket.remoteAddress;
    const line = (vote: string | null, did: string) => {
      console.log(JSON.stringify({ atMs: Date.now(), from, method, path: url, vote, did }));
    };
    receive(incoming, response)
      .then(async (received) => line(received.vote, await serve(received, response)))
      .catch((error: unknown) => {
        line(null, String(error));
        response.destroy();
      });
  },
);
lookAtFault();
setInterval(lookAtFault, FAULT_LOOK_MS);
createServer((socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
  if (fault.kind === "fail" && fault.how === "tls-error") socket.end("220 this is not TLS\r\n");
  else server.emit("connection", socket);
}).listen(Number(port), "0.0.0.0");
