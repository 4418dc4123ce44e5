/**
 * The console as people get it: built, and served with the headers that the control plane sends.
 * Built once and again only after a source changed, as every test file needs it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { extname, join } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import { FakeControlPlane } from "../../console/fake-api/fake-control-plane.ts";
import type { Scenario } from "../../console/fake-api/scenarios.ts";
import { SECURITY_HEADERS } from "../../functions/api/browser-guard.ts";

const ROOT = join(import.meta.dirname, "..", "..");
export const DIST = join(ROOT, "console", "dist");
const BUILD_MS_MAX = 100_000;

/** Builds console/dist where it is missing or older than what it is made from. */
export function buildConsole(): void {
  const page = join(DIST, "index.html");
  const newestMs = Math.max(
    ...["console", "model"].map((folder) => newestIn(join(ROOT, folder))),
    statSync(join(ROOT, "package-lock.json")).mtimeMs,
  );
  if (existsSync(page) && statSync(page).mtimeMs > newestMs) return;
  const vite = join(ROOT, "node_modules", "vite", "bin", "vite.js");
  const built = spawnSync(process.execPath, [vite, "build", "console", "--logLevel", "warn"], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: BUILD_MS_MAX,
    // The test runner's own NODE_ENV would put React's development build into it.
    env: { ...process.env, NODE_ENV: "production" },
  });
  if (built.status !== 0) throw new Error(`the console does not build:\n${built.stderr}`);
}

function newestIn(folder: string): number {
  let newestMs = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path.startsWith(DIST) || path.endsWith(".test.ts")) continue;
    newestMs = Math.max(newestMs, statSync(path).mtimeMs);
  }
  return newestMs;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The built console in front of a fake control plane. */
export class ConsoleUnderTest {
  readonly fake: FakeControlPlane;
  #server: Server;
  #port = 0;

  private constructor(scenario: Scenario) {
    this.fake = new FakeControlPlane(scenario);
    this.#server = createServer();
    this.fake.app.use("*", async (c, next) => {
      await next();
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.res.headers.set(name, value);
    });
    this.fake.app.get("*", (c) => {
      const path = new URL(c.req.url).pathname;
      const isAsset = path.startsWith("/assets/") || path === "/favicon.svg";
      const file = join(DIST, isAsset ? path : "index.html");
      if (!existsSync(file)) return c.text("missing", 404);
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      return c.body(new Uint8Array(readFileSync(file)), 200, { "content-type": type });
    });
  }

  static async start(scenario: Scenario): Promise<ConsoleUnderTest> {
    const made = new ConsoleUnderTest(scenario);
    await made.listen();
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Opens the port, the same one again after {@link stop}. */
  async listen(): Promise<void> {
    const server = createAdaptorServer({ fetch: this.fake.app.fetch, createServer });
    if (!("closeAllConnections" in server)) throw new Error("not an HTTP/1.1 server");
    this.#server = server;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen(this.#port, "127.0.0.1", resolve);
    await promise;
    const bound = server.address();
    this.#port = typeof bound === "object" && bound !== null ? bound.port : 0;
  }

  /** As when the process dies: every connection breaks. */
  async stop(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }
}
