/** One Chromium for a test file, and pages that notice everything that is wrong with them. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import {
  type Browser,
  type BrowserContext,
  chromium,
  type Locator,
  type Page,
} from "playwright-core";
import { CHROMIUM, lacking, whyNoChromium } from "../setup/needs.ts";

/** Without it these tests are listed as not run, with what to install. */
export const HAS_CHROMIUM = whyNoChromium() === null;
export const LACKING = lacking("Chromium", whyNoChromium());

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CHECKS = readFileSync(join(import.meta.dirname, "page-scripts", "checks.js"), "utf8");
const STEP_MS_MAX = 15_000;

/** Starts Chromium; it can reach nothing but this machine's loopback ports. */
export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
      "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    ],
  });

export interface PageOptions {
  readonly colorScheme?: "light" | "dark";
  readonly width?: number;
  /** Messages that this test provokes on purpose. */
  readonly allowed?: RegExp;
}

export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the page or the browser complained about so far. */
  readonly complaints: readonly string[];
}

/** A page in a context of its own. */
export async function openPage(browser: Browser, options: PageOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({
    colorScheme: options.colorScheme ?? "light",
    reducedMotion: "reduce",
    viewport: { width: options.width ?? 1280, height: 900 },
    locale: "en-GB",
    timezoneId: "UTC",
  });
  context.setDefaultTimeout(STEP_MS_MAX);
  await context.addInitScript({ content: `${AXE}\n${CHECKS}` });
  const page = await context.newPage();
  const complaints: string[] = [];
  const complain = (text: string) => {
    if (options.allowed?.test(text) !== true) complaints.push(text);
  };
  page.on("pageerror", (error) => complain(`pageerror: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complain(message.text());
  });
  return { page, context, complaints };
}

/** What axe and our own checks find on the page as it is; an empty list is a pass. */
export const problemsOn = (page: Page): Promise<readonly string[]> =>
  page.evaluate<string[]>("window.__checks.problems(false)");

/** The same page in dark colours, judged by what colours can change; light again afterwards. */
export async function problemsInTheDark(page: Page): Promise<readonly string[]> {
  // Not by the button: a dialog may be in front of it.
  await page.evaluate("document.body.classList.add('awsui-dark-mode')");
  const problems = await page.evaluate<string[]>("window.__checks.problems(true)");
  await page.evaluate("document.body.classList.remove('awsui-dark-mode')");
  return problems;
}

/** The connection as the top bar says it; the components keep hidden copies of it, to measure. */
export const connection = (page: Page, text: string): Locator =>
  page.getByRole("button", { name: `Connection: ${text}` });

/** A text that is seen, not one that is only read out or kept for measuring. */
export const seen = (page: Page, text: string | RegExp): Locator =>
  page.getByText(text).filter({ visible: true }).first();
