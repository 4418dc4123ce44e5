/**
 * The playground as a newcomer meets it: the real one, on free ports, its page in a browser. Every
 * button does what it says, no order is lost, and at the end nothing is left of it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { lacking, whyNoChromium, whyNoFuse } from "../setup/needs.ts";
import { HAS_CHROMIUM, launch, openPage, problemsOn } from "./browser.ts";

const PROGRAM = join(import.meta.dirname, "..", "playground", "main.ts");
const HAS_FUSE = whyNoFuse() === null;
const LACKING = HAS_CHROMIUM ? lacking("FUSE", whyNoFuse()) : lacking("Chromium", whyNoChromium());
const START_MS_MAX = 40_000;
const STATE_MS_MAX = 30_000;
const END_MS_MAX = 30_000;
const Started = z.object({ url: z.string() });
/** Even, as each playground takes two; of this process, so that two runs do not meet. */
const NETWORK = 20 + 2 * (process.pid % 100);

let browser: Browser;
let folder = "";
const children: ChildProcess[] = [];
beforeAll(async () => {
  if (!HAS_CHROMIUM || !HAS_FUSE) return;
  browser = await launch();
  folder = join(mkdtempSync(join(tmpdir(), "playground-")), "farm");
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => ended(child, "SIGTERM")));
});
afterAll(async () => {
  await browser?.close();
  if (folder !== "") rmSync(join(folder, ".."), { recursive: true, force: true });
});

type Running = {
  readonly child: ChildProcess;
  readonly started: Promise<string>;
  /** What it complained about. */
  readonly complaint: () => string;
};

function startPlayground(more: readonly string[] = []): Running {
  const ports = ["--port", "0", "--service-port", "0", "--control-port", "0"];
  const place = ["--folder", folder, "--network", String(NETWORK)];
  const child = spawn(process.execPath, [PROGRAM, "--json", ...place, ...ports, ...more], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let complaint = "";
  child.stderr.on("data", (chunk) => {
    complaint += String(chunk);
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  promise.catch(() => undefined);
  const lines = createInterface({ input: child.stdout });
  lines.once("line", (line) => resolve(Started.parse(JSON.parse(line)).url));
  child.once("exit", (code) => reject(new Error(`ended with ${code}: ${complaint}`)));
  const timer = setTimeout(() => reject(new Error(`no start: ${complaint}`)), START_MS_MAX);
  void promise.finally(() => clearTimeout(timer)).catch(() => undefined);
  return { child, started: promise, complaint: () => complaint };
}

/** Its exit code, after that signal; at the bound it is killed, and there is none. */
async function ended(child: ChildProcess, signal?: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  if (signal !== undefined) child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX);
  await exit;
  clearTimeout(timer);
  return child.exitCode;
}

/** Processes and mounts that know the folder, and the folder itself. */
function leftovers(): readonly string[] {
  const read = (file: string) => {
    try {
      return readFileSync(file, "utf8").replaceAll("\0", " ");
    } catch {
      return "";
    }
  };
  const processes = readdirSync("/proc")
    .filter((id) => /^\d+$/.test(id) && Number(id) !== process.pid)
    .filter((id) => ["cmdline", "environ"].some((f) => read(`/proc/${id}/${f}`).includes(folder)))
    .map((id) => `process ${id}: ${read(`/proc/${id}/cmdline`)}`);
  const mounts = read("/proc/self/mountinfo")
    .split("\n")
    .filter((line) => line.includes(folder));
  return [...processes, ...mounts, ...(existsSync(folder) ? [folder] : [])];
}

function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

const bounded = { timeout: STATE_MS_MAX } as const;
const press = (page: Page, name: string) => page.getByRole("button", { name }).click(bounded);
const box = (page: Page, id: string) => page.locator(`#${id}`);
const says = (page: Page, id: string, text: string) =>
  box(page, id).getByText(text, { exact: true }).waitFor(bounded);

/** Orders go on: more are acknowledged than a moment ago. */
async function ordersGoOn(page: Page): Promise<void> {
  const before = await acknowledged(page);
  await expect.poll(() => acknowledged(page), bounded).toBeGreaterThan(before);
}
const acknowledged = async (page: Page): Promise<number> =>
  Number((await page.locator("#acknowledged").textContent())?.replace(/\D/g, ""));

/** The pair is whole: one serves, the other holds every write. The name of the one that serves. */
async function serving(page: Page): Promise<string> {
  await page.getByText("holds every write", { exact: true }).waitFor(bounded);
  await page.getByText("serves the address", { exact: true }).waitFor(bounded);
  return (await box(page, "node1").getByText("serves the address").count()) === 1
    ? "node1"
    : "node2";
}
const otherThan = (name: string) => (name === "node1" ? "node2" : "node1");

async function takeThrough(page: Page): Promise<void> {
  const first = await serving(page);
  const second = otherThan(first);
  await ordersGoOn(page);
  await press(page, `Kill ${first}`);
  await says(page, first, "✕ dead");
  await says(page, second, "serves the address");
  await page.getByText(`failover from ${first} to ${second}`).waitFor(bounded);
  expect(await page.locator("#marks tr").count()).toBeGreaterThan(3);
  await ordersGoOn(page);
  expect(await problemsOn(page)).toEqual([]);

  await press(page, `Restart ${first}`);
  await says(page, first, "holds every write");
  await press(page, "Switch over");
  await says(page, first, "serves the address");
  await page.getByText(`switchover from ${second} to ${first}`).waitFor(bounded);
  await serving(page);
  await ordersGoOn(page);

  await press(page, "Stop control plane");
  await page.getByText(`The control plane is away. ${first} serves.`).waitFor(bounded);
  await ordersGoOn(page);
  await page.emulateMedia({ colorScheme: "dark" });
  expect(await problemsOn(page)).toEqual([]);
  await press(page, "Start control plane");
  await says(page, "control", "● up");
  expect(await serving(page)).toBe(first);
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 800 });
  expect(await problemsOn(page)).toEqual([]);
}

/** On a quiet machine it takes 40 s; each wait in it has a bound of its own. */
const TEST_MS_MAX = 240_000;

describe.skipIf(!HAS_CHROMIUM || !HAS_FUSE)(`the playground${LACKING}`, () => {
  test(
    "loses no order by anything its page can break, and leaves nothing behind",
    async () => {
      const running = startPlayground();
      const url = await running.started;
      const { page, context, complaints } = await openPage(browser);
      try {
        await page.goto(url);
        await takeThrough(page);
        expect(await acknowledged(page)).toBeGreaterThan(100);
        expect(await page.locator("#lost").isHidden()).toBe(true);
        const found = await page.locator("#counts").textContent();
        expect(found?.replace(/\D+/g, " ").trim()).toMatch(/^([\d ]+) \1$/);
        expect(complaints).toEqual([]);
      } finally {
        await context.close();
      }
      // A second one in the same folder is refused, and does the first one no harm.
      const another = startPlayground();
      expect(await ended(another.child)).toBe(1);
      expect(another.complaint()).toContain(`process ${running.child.pid} runs a playground in`);
      expect(await isListening(url)).toBe(true);
      expect(await ended(running.child, "SIGINT")).toBe(0);
      expect(running.complaint()).toBe("");
      expect(leftovers()).toEqual([]);
      expect(await isListening(url)).toBe(false);
    },
    TEST_MS_MAX,
  );

  test("ends at once and leaves nothing when told so while it starts", async () => {
    const running = startPlayground();
    // The nodes begin after the control plane: this is in the middle of it.
    await expect.poll(() => existsSync(join(folder, "control.log")), bounded).toBe(true);
    expect(await ended(running.child, "SIGINT")).toBe(0);
    expect(leftovers()).toEqual([]);
  });

  test("says which port is in use and what to choose instead", async () => {
    const running = startPlayground();
    const { port } = new URL(await running.started);
    const sibling = `${folder}-2`;
    const more = ["--folder", sibling, "--network", String(NETWORK), "--port"];
    const samePort = startPlayground([...more, port]);
    expect(await ended(samePort.child)).toBe(1);
    expect(samePort.complaint()).toContain(`port 127.0.0.1:${port} of the page is in use`);
    const sameNetwork = startPlayground([...more, "0"]);
    expect(await ended(sameNetwork.child)).toBe(1);
    expect(sameNetwork.complaint()).toContain(`choose other addresses with --network`);
    expect(existsSync(sibling)).toBe(false);
    expect(await ended(running.child, "SIGINT")).toBe(0);
    expect(leftovers()).toEqual([]);
  });
});
