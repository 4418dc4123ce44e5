/** Changes as they happen; and what is shown when nothing is heard. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  connection,
  HAS_CHROMIUM,
  LACKING,
  launch,
  openPage,
  problemsOn,
  seen,
} from "./browser.ts";
import { buildConsole, ConsoleUnderTest } from "./built-console.ts";

let browser: Browser;
beforeAll(async () => {
  if (!HAS_CHROMIUM) return;
  buildConsole();
  browser = await launch();
});
afterAll(async () => await browser?.close());

const MODULE = "/c/prod/modules/shop";
const AWAY =
  /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/;

describe.skipIf(!HAS_CHROMIUM)(`live${LACKING}`, () => {
  test("a change of health is shown and read out without a reload", async () => {
    const served = await ConsoleUnderTest.start("normal");
    const { page, context, complaints } = await openPage(browser);
    try {
      await page.goto(`${served.url}${MODULE}`);
      await page.getByText("Protected").first().waitFor();
      served.fake.turnInto("down");
      await page.getByText("Bring node1 back").waitFor();
      const said = page.getByRole("alert").filter({ hasText: "shop is now Down" });
      await said.waitFor({ state: "attached" });
      expect(await page.title()).toBe("shop · Down – Mirrorfarm");
      expect(await problemsOn(page)).toEqual([]);
      expect(complaints).toEqual([]);
    } finally {
      await context.close();
      await served.stop();
    }
  });

  test("after the control plane restarts, every event is there, once", async () => {
    const served = await ConsoleUnderTest.start("normal");
    const { page, context, complaints } = await openPage(browser, { allowed: AWAY });
    try {
      await page.goto(`${served.url}/c/prod/events`);
      await page.getByText("(10)").waitFor();
      served.fake.tell("the last one before");
      await page.getByText("the last one before").waitFor();
      await served.stop();
      served.fake.dropStreams();
      await connection(page, "Reconnecting…").waitFor();
      for (let count = 1; count <= 5; count += 1) served.fake.tell(`told while away: ${count}`);
      await served.listen();
      await connection(page, "Live").waitFor();
      served.fake.tell("the first one after");
      await page.getByText("the first one after").waitFor();
      const rows = await page.locator("tbody th").allInnerTexts();
      expect(rows.slice(0, 7).map((text) => text.trim())).toEqual([
        "the first one after",
        ...[5, 4, 3, 2, 1].map((count) => `told while away: ${count}`),
        "the last one before",
      ]);
      expect(rows).toHaveLength(17);
      expect(served.fake.streamsOpened).toEqual([null, "11"]);
      expect(complaints).toEqual([]);
    } finally {
      await context.close();
      await served.stop();
    }
  });

  test("what was not heard of for a minute is shown as how it was, never as how it is", async () => {
    const served = await ConsoleUnderTest.start("normal");
    const { page, context } = await openPage(browser, { allowed: AWAY });
    try {
      await page.clock.install();
      await page.goto(`${served.url}${MODULE}`);
      await page.getByText("Protected").first().waitFor();
      await served.stop();
      await page.clock.fastForward(30_000);
      await connection(page, "Reconnecting…").waitFor();
      await page.clock.fastForward(40_000);
      await connection(page, "Stale since").waitFor();
      await page.getByText("Unknown (was Protected)").waitFor();
      await seen(page, "was PRIM").waitFor();
      await seen(page, "had 10.0.0.50").waitFor();
      await page.getByText("Nothing was heard since").waitFor();
      // Nothing may be asked for on the word of an old state.
      const button = page.getByRole("button", { name: "Switch over" });
      expect(await button.getAttribute("aria-disabled")).toBe("true");
      expect(await problemsOn(page)).toEqual([]);
    } finally {
      await context.close();
    }
  });

  test("a log that is being read holds still", async () => {
    const served = await ConsoleUnderTest.start("normal");
    const { page, context } = await openPage(browser);
    try {
      await page.goto(`${served.url}/c/prod/events`);
      await page.getByRole("button", { name: "Hold still" }).click();
      served.fake.tell("not yet");
      await page.getByRole("button", { name: "Follow (1 new)" }).waitFor();
      expect(await page.getByText("not yet").count()).toBe(0);
      await page.getByRole("button", { name: "Follow (1 new)" }).click();
      await page.getByText("not yet").waitFor();
      await page.getByPlaceholder("Find events").fill("no such thing");
      await page.getByText("No event matches").waitFor();
      await page.getByRole("button", { name: "Clear filter" }).click();
      await page.getByText("not yet").waitFor();
    } finally {
      await context.close();
      await served.stop();
    }
  });
});
