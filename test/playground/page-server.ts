import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import type { Supervisor } from "./supervisor.ts";

const FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  "/": { file: "index.html", type: "text/html; charset=utf-8" },
  "/page.css": { file: "page.css", type: "text/css; charset=utf-8" },
  "/page.js": { file: "page.js", type: "text/javascript; charset=utf-8" },
};
const HEADERS = {
  "content-security-policy":
    "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};
const BODY_BYTES_MAX = 1_000;

/** Serves the playground's own page on loopback; resolves to its address. */
export function servePage(
  supervisor: Supervisor,
  port: number,
): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    answer(supervisor, request, response).catch((error: unknown) => {
      send(response, 500, "text/plain", error instanceof Error ? error.message : String(error));
    });
  });
  const { promise, resolve, reject } = Promise.withResolvers<{ url: string; server: Server }>();
  server.once("error", (error) => {
    const isTaken = "code" in error && error.code === "EADDRINUSE";
    const text = `port 127.0.0.1:${port} of the page is in use: choose another with --port`;
    reject(isTaken ? new Error(text) : error);
  });
  server.listen(port, "127.0.0.1", () => {
    const bound = server.address();
    const at = typeof bound === "object" && bound !== null ? bound.port : port;
    resolve({ url: `http://127.0.0.1:${at}/`, server });
  });
  return promise;
}

async function answer(
  supervisor: Supervisor,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Only this machine's own pages: another site could press the buttons through a browser.
  const isLocal = /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? "");
  const { origin } = request.headers;
  const isSameOrigin = origin === undefined || origin === `http://${request.headers.host}`;
  if (!isLocal || !isSameOrigin) return send(response, 403, "text/plain", "only from this machine");
  const path = (request.url ?? "/").split("?")[0] ?? "/";
  const file = FILES[path];
  if (request.method === "GET" && file !== undefined) {
    const content = readFileSync(join(import.meta.dirname, "page", file.file));
    return send(response, 200, file.type, content);
  }
  // Browsers ask for it; an error in their console would look like one of ours.
  if (path === "/favicon.ico") return send(response, 204, "image/x-icon", "");
  if (request.method === "GET" && path === "/state") {
    return send(response, 200, "application/json", JSON.stringify(supervisor.shown()));
  }
  if (request.method === "POST" && path === "/actions") {
    const text = await supervisor.act(await readAction(request));
    return send(response, 200, "application/json", JSON.stringify({ text }));
  }
  return send(response, 404, "text/plain", "no such page");
}

async function readAction(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of request) {
    text += String(part);
    if (text.length > BODY_BYTES_MAX) throw new Error("the request is too long");
  }
  const { id }: { id?: unknown } = JSON.parse(text);
  return typeof id === "string" ? id : "";
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  content: string | Buffer,
): void {
  response.writeHead(status, { ...HEADERS, "content-type": type });
  response.end(content);
}
