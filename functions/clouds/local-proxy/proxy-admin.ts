/** The proxy's admin port: two requests, one secret, loopback only. */
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { TcpProxy } from "./proxy.ts";
import { ProxyTarget } from "./proxy-contract.ts";

const BODY_BYTES_MAX = 4_096;
const STATUS = { set: 200, unknownModule: 404, olderEpoch: 409, otherNodeSameEpoch: 409 } as const;

/** Serves `GET /targets` and `PUT /targets/:module`. */
export function proxyAdmin(proxy: TcpProxy, secret: string): Server {
  const wanted = hash(`Bearer ${secret}`);
  return createServer({ requestTimeout: 5_000 }, (request, response) => {
    const isAllowed = timingSafeEqual(hash(request.headers.authorization ?? ""), wanted);
    if (!isAllowed) return answer(response, 401, { error: "wrong secret" });
    serve(proxy, request, response).catch(() => answer(response, 400, { error: "bad request" }));
  });
}

const hash = (text: string): Buffer => createHash("sha256").update(text).digest();

async function serve(
  proxy: TcpProxy,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const module = /^\/targets\/([A-Za-z0-9_-]+)$/.exec(request.url ?? "")?.[1];
  if (request.method === "GET" && request.url === "/targets") {
    return answer(response, 200, { targets: proxy.status() });
  }
  if (request.method !== "PUT" || module === undefined) {
    return answer(response, 404, { error: "no such thing" });
  }
  const target = ProxyTarget.safeParse(JSON.parse(await read(request)));
  if (!target.success) return answer(response, 400, { error: "not a target" });
  const outcome = proxy.setTarget(module, target.data);
  answer(response, STATUS[outcome], { outcome });
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += String(chunk);
    if (text.length > BODY_BYTES_MAX) throw new Error("body too large");
  }
  return text;
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify(body));
}
