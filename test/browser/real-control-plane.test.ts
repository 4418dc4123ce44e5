/** The console before the real control plane: its own process, its own cookie, its own stream. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { MODULES_FOLDER, packModule } from "../setup/module-archive.ts";
import { fetchTransport, PeopleClient } from "../setup/people-client.ts";
import {
  connection,
  HAS_CHROMIUM,
  LACKING,
  launch,
  openPage,
  problemsOn,
  seen,
} from "./browser.ts";
import { buildConsole } from "./built-console.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "functions", "local.ts");
const START_MS_MAX = 20_000;
const Started = z.object({ url: z.string(), apiUrl: z.string() });

let browser: Browser;
let folder = "";
let child: ChildProcess | null = null;
beforeAll(async () => {
  if (!HAS_CHROMIUM) return;
  buildConsole();
  browser = await launch();
  folder = mkdtempSync(join(tmpdir(), "console-"));
});
afterAll(async () => {
  child?.kill("SIGKILL");
  await browser?.close();
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

/** Starts the control plane and reads where it is. */
async function startControlPlane(): Promise<z.infer<typeof Started>> {
  const nodes = "node1=127.0.0.11,node2=127.0.0.12";
  const args = ["--state", join(folder, "state"), "--json", "--cluster", "prod", "--nodes", nodes];
  child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const { promise, resolve, reject } = Promise.withResolvers<z.infer<typeof Started>>();
  let complaint = "";
  child.stderr?.on("data", (chunk) => {
    complaint += String(chunk);
  });
  child.stdout?.once("data", (chunk) => resolve(Started.parse(JSON.parse(String(chunk)))));
  child.once("exit", () => reject(new Error(`the control plane ended: ${complaint}`)));
  const timer = setTimeout(() => reject(new Error(`no start line: ${complaint}`)), START_MS_MAX);
  return await promise.finally(() => clearTimeout(timer));
}

describe.skipIf(!HAS_CHROMIUM)(`the real control plane${LACKING}`, () => {
  test("lets the browser in by its URL, and shows a module the moment it is uploaded", async () => {
    const { url, apiUrl } = await startControlPlane();
    const { page, context, complaints } = await openPage(browser, { allowed: /status of 409/ });
    try {
      await page.goto(url);
      await page.getByText("No modules").waitFor();
      // The secret has been traded for a cookie and is gone from the address.
      expect(new URL(page.url()).search).toBe("");
      await connection(page, "Live").waitFor();
      expect(await problemsOn(page)).toEqual([]);
      const secret = new URL(url).searchParams.get("secret") ?? "";
      const admin = new PeopleClient(fetchTransport(apiUrl), secret, "prod");
      const archive = await packModule(join(MODULES_FOLDER, "shop"));
      expect(await admin.upload("shop", archive)).toMatchObject({ ok: true });
      // No reload: it comes by the stream.
      await page.getByRole("link", { name: "shop" }).first().click();
      await seen(page, "No node has reported yet.").waitFor();
      await page.getByText("Unknown").first().waitFor();
      await seen(page, "no report yet").waitFor();
      expect(await problemsOn(page)).toEqual([]);
      await page.getByRole("button", { name: "Actions" }).click();
      await page.getByRole("menuitem", { name: "Start", exact: true }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByText("There is none yet: all directories are empty").click();
      await dialog.getByRole("button", { name: "Start" }).click();
      await page.getByText("Starting shop").waitFor();
      await page.getByRole("tab", { name: "Events" }).click();
      await page.getByText("start shop", { exact: true }).waitFor();
      expect(complaints).toEqual([]);
    } finally {
      await context.close();
    }
  });
});
