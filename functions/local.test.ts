import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { call } from "./testing/test-server.ts";

const PROGRAM = join(import.meta.dirname, "local.ts");
const Started = z.object({
  url: z.string(),
  apiUrl: z.string(),
  agentUrl: z.string(),
  secretFile: z.string(),
  caFingerprint: z.string(),
  storeId: z.string(),
});
let folder = "";
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "local-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function run(...more: string[]): ChildProcess {
  const state = join(folder, "state");
  const child = spawn(process.execPath, [PROGRAM, "--state", state, "--json", ...more], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  return child;
}
/** The start-up line, or what the program said instead. */
function started(child: ChildProcess): Promise<z.infer<typeof Started>> {
  return new Promise((resolve, reject) => {
    let complaint = "";
    child.stderr?.on("data", (chunk) => {
      complaint += String(chunk);
    });
    child.stdout?.once("data", (chunk) => resolve(Started.parse(JSON.parse(String(chunk)))));
    child.once("exit", () => reject(new Error(complaint)));
  });
}
async function stop(child: ChildProcess): Promise<{ code: number | null; ms: number }> {
  const beganMs = performance.now();
  const code = await new Promise<number | null>((resolve) => {
    child.once("exit", resolve);
    child.kill("SIGTERM");
  });
  return { code, ms: performance.now() - beganMs };
}
/** Resolves once the answer has begun. */
function openStream({ apiUrl, url }: z.infer<typeof Started>): Promise<{ ended: Promise<void> }> {
  return new Promise((resolve, reject) => {
    const headers = authorized(url);
    get(`${apiUrl}/v1/clusters/prod/stream`, { headers }, (response) => {
      response.resume();
      resolve({ ended: new Promise((end) => response.once("close", () => end())) });
    }).on("error", reject);
  });
}
const authorized = (url: string) => ({
  authorization: `Bearer ${new URL(url).searchParams.get("secret")}`,
});

describe("the control plane's process", () => {
  test("starts, stops within two seconds and comes back with all it knew", async () => {
    const first = run("--cluster", "prod", "--nodes", "node1=127.0.0.11,node2=127.0.0.12");
    const was = await started(first);
    const token = await call("POST", `${was.apiUrl}/v1/clusters/prod/tokens`, {
      headers: { ...authorized(was.url), "content-type": "application/json" },
      body: JSON.stringify({ node: "node1" }),
    });
    expect(token.status).toBe(201);
    const before = await call("GET", `${was.apiUrl}/v1/clusters/prod`, {
      headers: authorized(was.url),
    });
    // A stream held open must not hold the stop up.
    const stream = await openStream(was);
    const stopped = await stop(first);
    await stream.ended;
    expect(stopped.code).toBe(0);
    expect(stopped.ms).toBeLessThan(2_000);
    expect(existsSync(join(folder, "state", "control-plane.db-wal"))).toBe(false);
    const now = await started(run());
    expect(now.storeId).toBe(was.storeId);
    expect(now.caFingerprint).toBe(was.caFingerprint);
    const after = await call("GET", `${now.apiUrl}/v1/clusters/prod`, {
      headers: authorized(was.url),
    });
    const Kept = z.object({ lastSeq: z.int(), cluster: z.looseObject({ version: z.int() }) });
    expect(Kept.parse(after.json).lastSeq).toBe(Kept.parse(before.json).lastSeq);
    expect(Kept.parse(after.json).cluster.version).toBe(Kept.parse(before.json).cluster.version);
  });

  test("says what is wrong with its arguments, and starts nothing", async () => {
    await expect(started(run("--unknown"))).rejects.toThrow("unknown");
  });
});
