/**
 * Every page in every condition, light and dark: rules of accessibility, contrast inside pictures,
 * nothing wider than the window, nothing in the browser's console, no forbidden script or style.
 */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FakeControlPlane } from "../../console/fake-api/fake-control-plane.ts";
import type { Scenario } from "../../console/fake-api/scenarios.ts";
import {
  HAS_CHROMIUM,
  LACKING,
  launch,
  openPage,
  problemsInTheDark,
  problemsOn,
  seen,
  type WatchedPage,
} from "./browser.ts";
import { buildConsole, ConsoleUnderTest } from "./built-console.ts";

let browser: Browser;
beforeAll(async () => {
  if (!HAS_CHROMIUM) return;
  buildConsole();
  browser = await launch();
});
afterAll(async () => await browser?.close());

type Look = (watched: WatchedPage, served: ConsoleUnderTest) => Promise<void>;
/** A page in both themes; `look` runs once, before the first judgement. */
async function judge(
  scenario: Scenario,
  path: string,
  options: {
    readonly prepare?: (fake: FakeControlPlane) => void;
    readonly look?: Look;
    readonly width?: number;
    readonly allowed?: RegExp;
  } = {},
): Promise<void> {
  const served = await ConsoleUnderTest.start(scenario);
  options.prepare?.(served.fake);
  const { width, allowed, look } = options;
  const watched = await openPage(browser, {
    ...(width === undefined ? {} : { width }),
    ...(allowed === undefined ? {} : { allowed }),
  });
  const { page, complaints, context } = watched;
  try {
    await page.goto(`${served.url}${path}`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await look?.(watched, served);
    expect(await problemsOn(page)).toEqual([]);
    expect(await problemsInTheDark(page)).toEqual([]);
    expect(complaints).toEqual([]);
  } finally {
    await context.close();
    await served.stop();
  }
}

const MODULE = "/c/prod/modules/shop";
const shows =
  (text: string | RegExp): Look =>
  async ({ page }) =>
    await seen(page, text).waitFor();

describe.skipIf(!HAS_CHROMIUM)(`the pages${LACKING}`, () => {
  /** Through the side navigation, as a person goes: a page is loaded once. */
  const walks: Readonly<Record<string, readonly (readonly [link: string, text: string])[]>> = {
    normal: [
      ["Overview", "Last failover"],
      ["shop", "tcp.shop answers"],
      ["Nodes", "node2 on default: 0.4 ms, no loss"],
      ["Events", "epoch 41 begins: node1 leads"],
    ],
    empty: [
      ["Overview", "No modules"],
      ["Nodes", "has not joined yet"],
      ["Events", "Nothing has happened yet."],
    ],
  };
  test.each(["normal", "empty"] as const)(
    "of a cluster that is %s, one by one",
    async (scenario) => {
      const served = await ConsoleUnderTest.start(scenario);
      const { page, context, complaints } = await openPage(browser);
      try {
        await page.goto(`${served.url}/c/prod`);
        for (const [link, text] of walks[scenario] ?? []) {
          await page.getByRole("navigation").getByRole("link", { name: link, exact: true }).click();
          await seen(page, text).waitFor();
          expect([link, ...(await problemsOn(page))]).toEqual([link]);
          expect([link, ...(await problemsInTheDark(page))]).toEqual([link]);
        }
        expect(complaints).toEqual([]);
      } finally {
        await context.close();
        await served.stop();
      }
    },
  );

  test.each([
    [`${MODULE}?tab=events`, "Events of shop"],
    [`${MODULE}?tab=replication`, "How long callers waited for the other node"],
    ["/c/prod/modules/none", "There is no such module"],
    ["/nowhere", "There is no such page"],
  ] as const)("at %s: %s", async (path, text) => {
    await judge("normal", path, { look: shows(text) });
  });

  test("of a module and its cluster, in every condition, one after the other", async () => {
    const conditions = [
      ["first-start", "it has never run"],
      ["unprotected", "Start on node2"],
      ["recovering", "118 KiB/s, 5 min left"],
      ["failing-over", "node2 is starting the application."],
      ["down", "Bring node1 back"],
      ["maintenance", "Maintenance, 1 h"],
      ["stopped", "A person stopped the module"],
    ] as const;
    const served = await ConsoleUnderTest.start("normal");
    const { page, context, complaints } = await openPage(browser);
    try {
      await page.goto(`${served.url}${MODULE}`);
      for (const [scenario, text] of conditions) {
        served.fake.turnInto(scenario);
        await seen(page, text).waitFor();
        expect([scenario, ...(await problemsOn(page))]).toEqual([scenario]);
        expect([scenario, ...(await problemsInTheDark(page))]).toEqual([scenario]);
      }
      await page.getByRole("link", { name: "prod" }).first().click();
      for (const [scenario, text] of [
        ["unprotected", "Needs attention"],
        ["maintenance", "Maintenance, 1 h"],
        ["down", "unreachable (last PRIM)"],
      ] as const) {
        served.fake.turnInto(scenario);
        await seen(page, text).waitFor();
        expect([scenario, ...(await problemsOn(page))]).toEqual([scenario]);
        expect([scenario, ...(await problemsInTheDark(page))]).toEqual([scenario]);
      }
      expect(complaints).toEqual([]);
    } finally {
      await context.close();
      await served.stop();
    }
  });

  test.each([390, 320])("fit %i px", async (width) => {
    await judge("recovering", MODULE, { width, look: shows("On the nodes") });
  });

  test("name the cluster, of which there may be one only", async () => {
    await judge("normal", "/", {
      async look({ page }) {
        // With one cluster there is nothing to choose; who goes back on purpose sees the list.
        await page.waitForURL("**/c/prod");
        await page.getByRole("link", { name: "Clusters" }).first().click();
        await page.getByText("Nodes that report").waitFor();
      },
    });
  });

  test("while nothing has come yet", async () => {
    await judge("normal", MODULE, {
      prepare: (fake) => {
        fake.isMute = true;
      },
      look: shows("Connecting to the control plane…"),
    });
  });

  test("for someone who is not let in", async () => {
    await judge("normal", MODULE, {
      prepare: (fake) => {
        fake.isSignedIn = false;
      },
      allowed: /status of 401/,
      look: shows("open the URL that the control plane printed"),
    });
  });

  test("for a viewer, who sees what there is and why it is not for them", async () => {
    await judge("normal", MODULE, {
      prepare: (fake) => {
        fake.role = "viewer";
      },
      async look({ page }) {
        const button = page.getByRole("button", { name: "Switch over" });
        expect(await button.getAttribute("aria-disabled")).toBe("true");
        await button.focus();
        await seen(page, "This needs the role operator; yours is viewer.").waitFor();
      },
    });
  });

  test("with help and menus open", async () => {
    await judge("normal", MODULE, {
      async look({ page }) {
        await page.getByRole("button", { name: /^Connection: Live/ }).click();
        await page.getByText("What the words mean").waitFor();
        await page.getByRole("button", { name: "Actions" }).click();
        await page.getByRole("menuitem", { name: "Force node2 primary…" }).waitFor();
      },
    });
  });

  test("show markup in names and events as the text it is", async () => {
    await judge("hostile", MODULE, {
      async look({ page }) {
        await seen(page, '<img src=x onerror="').waitFor();
        await page.getByRole("tab", { name: "Events" }).click();
        await page.getByRole("rowheader", { name: "<script>" }).first().waitFor();
        expect(await page.evaluate("window.hacked")).toBe(undefined);
        expect(await page.locator("img").count()).toBe(0);
      },
    });
  });

  test("in the theme of the system, until someone chooses", async () => {
    const served = await ConsoleUnderTest.start("normal");
    const { page, context } = await openPage(browser, { colorScheme: "dark" });
    try {
      await page.goto(`${served.url}/c/prod`);
      await page.getByRole("button", { name: "Use light colours" }).click();
      await page.getByRole("button", { name: "Use dark colours" }).waitFor();
      await page.reload();
      await page.getByRole("button", { name: "Use dark colours" }).waitFor();
      expect(await page.evaluate("document.body.classList.contains('awsui-dark-mode')")).toBe(
        false,
      );
    } finally {
      await context.close();
      await served.stop();
    }
  });
});
