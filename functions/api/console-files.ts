/**
 * Serves the console's built files, and trades the secret in the printed URL for a cookie. Files
 * with a hash in their name never change; everything else is asked for again each time.
 */
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Hono } from "hono";
import type { People } from "../identity/people.ts";
import { SESSION_MS } from "../identity/people.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};
/** Letters that a build puts into names; no dot at the start of a part, so no way upwards. */
const PATH = /^(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;
const NOT_BUILT =
  "The console is not built here. The API is under /v1, its description at /openapi.json.\n";

export interface ConsoleOptions {
  readonly folder: string;
  readonly people: People;
  readonly cookieName: string;
}

/** Adds the console's routes; call it after those of the API. */
export function serveConsole(app: Hono, { folder, people, cookieName }: ConsoleOptions): void {
  app.get("*", async (c) => {
    const url = new URL(c.req.url);
    const secret = url.searchParams.get("secret");
    if (secret !== null) {
      const person = await people.bySecret(secret);
      if (person === null) {
        return c.text(
          "This secret opens nothing. Use the URL that the control plane printed.\n",
          401,
        );
      }
      const cookie = `${cookieName}=${people.openSession(person)}; Path=/; HttpOnly; SameSite=Strict`;
      c.header("set-cookie", `${cookie}; Max-Age=${SESSION_MS / 1000}`);
      c.header("cache-control", "no-store");
      // The secret must not stay in the address bar, the history or a referrer.
      return c.redirect(url.pathname, 303);
    }
    const file = await find(folder, url.pathname);
    if (file === null) return c.text(NOT_BUILT, 404);
    const isHashed = file.path.startsWith("/assets/");
    return c.body(file.bytes, 200, {
      "content-type": TYPES[extname(file.path)] ?? "application/octet-stream",
      "cache-control": isHashed ? "public, max-age=31536000, immutable" : "no-cache",
    });
  });
}

/** The file itself, or the one page that shows every route of the console. */
async function find(
  folder: string,
  path: string,
): Promise<{ path: string; bytes: Uint8Array<ArrayBuffer> } | null> {
  if (PATH.test(path)) {
    const bytes = await read(join(folder, path));
    if (bytes !== null) return { path, bytes };
    // A missing script must not come back as a page: the browser would run it.
    if (path.startsWith("/assets/")) return null;
  }
  const bytes = await read(join(folder, "index.html"));
  return bytes === null ? null : { path: "/index.html", bytes };
}

async function read(path: string): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    return new Uint8Array(await readFile(path));
  } catch {
    // Absent, or a folder: either way there is nothing to serve by that name.
    return null;
  }
}
