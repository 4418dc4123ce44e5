/**
 * The answer that load balancers ask for: `GET /var/modules/MODULE/ready.txt` on port 9010 says 200
 * on the node that serves the module, and something else everywhere. A balancer believes it at
 * once, so 200 is said only while the module is Ready *and* this node holds a live grant: a node
 * that may have been replaced sends no client anywhere.
 *
 * It needs no login and tells nothing else; whoever can reach the port learns one bit per module.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { err, ok, type Result } from "#model/shared/result.ts";

/** `fenced`: this node would serve, but no grant is live. */
export type ProbeAnswer = "ready" | "notReady" | "fenced";

export type ProbeOptions = {
  readonly host: string;
  readonly port: number;
  /** Asked for every request, so that no answer is older than the request. */
  answer(moduleId: string): ProbeAnswer;
};

export const PROBE_PORT = 9010;
const PATH = /^\/var\/modules\/([A-Za-z0-9][A-Za-z0-9_-]{0,62})\/ready\.txt$/;
const STATUS: Readonly<Record<ProbeAnswer, number>> = { ready: 200, notReady: 404, fenced: 503 };
const TEXT: Readonly<Record<number, string>> = {
  200: "ready\n",
  404: "not ready\n",
  405: "only GET and HEAD\n",
  503: "fenced\n",
};
const CONNECTIONS_MAX = 200;
const REQUEST_MS_MAX = 5_000;

/** The running probe. */
export type Probe = { readonly port: number; close(): Promise<void> };

/** Starts to listen; port 0 takes a free one (tests). */
export async function startProbe(options: ProbeOptions): Promise<Result<Probe, string>> {
  const limits = {
    maxHeaderSize: 8_192,
    headersTimeout: REQUEST_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    connectionsCheckingInterval: 1_000,
    // A kept connection would go on being balanced to a node that has stopped listening.
    keepAliveTimeout: 1,
  };
  const server = createServer(limits, (request, response) => reply(options, request, response));
  server.maxConnections = CONNECTIONS_MAX;
  return await new Promise((resolve) => {
    server.once("error", (cause) => resolve(err(cause.message)));
    server.listen(options.port, options.host, () => resolve(ok(probeOf(server))));
  });
}

function reply(options: ProbeOptions, request: IncomingMessage, response: ServerResponse): void {
  const status = statusFor(options, request);
  const text = TEXT[status] ?? "";
  response.writeHead(status, {
    connection: "close",
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

function statusFor(options: ProbeOptions, request: IncomingMessage): number {
  const moduleId = PATH.exec((request.url ?? "").split("?")[0] ?? "")?.[1];
  if (moduleId === undefined) return 404;
  if (request.method !== "GET" && request.method !== "HEAD") return 405;
  return STATUS[options.answer(moduleId)];
}

function probeOf(server: Server): Probe {
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
