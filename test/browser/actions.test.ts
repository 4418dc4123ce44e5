/** What a person can do with mouse and keyboard, and what is sent for it. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Scenario } from "../../console/fake-api/scenarios.ts";
import {
  connection,
  HAS_CHROMIUM,
  LACKING,
  launch,
  openPage,
  problemsInTheDark,
  problemsOn,
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

async function onPage(
  scenario: Scenario,
  path: string,
  act: (page: Page, served: ConsoleUnderTest) => Promise<void>,
  allowed = /^$/,
): Promise<void> {
  const served = await ConsoleUnderTest.start(scenario);
  const { page, context, complaints } = await openPage(browser, { allowed });
  try {
    await page.goto(`${served.url}${path}`);
    await connection(page, "Live").waitFor();
    await act(page, served);
    expect(complaints).toEqual([]);
  } finally {
    await context.close();
    await served.stop();
  }
}
const dialog = (page: Page) => page.getByRole("dialog");
const choose = async (page: Page, name: string) => {
  await page.getByRole("button", { name: "Actions" }).click();
  await page.getByRole("menuitem", { name }).click();
};

describe.skipIf(!HAS_CHROMIUM)(`acting${LACKING}`, () => {
  test("a switchover says what it does, is sent once, and is followed to its end", async () => {
    await onPage("normal", MODULE, async (page, { fake }) => {
      await page.getByRole("button", { name: "Switch over" }).click();
      await dialog(page).getByText("node2 holds every acknowledged write (lag 3 ms)").waitFor();
      await dialog(page).getByText("mirrorfarm module switch shop").waitFor();
      expect(await problemsOn(page)).toEqual([]);
      await dialog(page).getByRole("button", { name: "Switch over" }).click();
      await page.getByText("Switching over shop").waitFor();
      await dialog(page).waitFor({ state: "detached" });
      expect(fake.asked).toHaveLength(1);
      const [asked] = fake.asked;
      expect(asked?.request).toEqual({ kind: "switchover", seenEpoch: 41 });
      expect(asked?.key).toMatch(/^console-[0-9a-f]{32}$/);
      const operation = fake.snapshot.operations[0]?.operation;
      if (operation === undefined) throw new Error("no operation");
      const end = {
        state: "done",
        text: "node2 leads.",
        finishedAtMs: operation.createdAtMs + 900,
      } as const;
      fake.change({ part: "operation", revision: 60, operation: { ...operation, ...end } });
      await page.getByText("Switched over shop").waitFor();
      await page.getByText("node2 leads. It took 900 ms.").waitFor();
      expect(await problemsOn(page)).toEqual([]);
    });
  });

  test("a reload, or another person, sees the same operation", async () => {
    await onPage("stopped", MODULE, async (page, { fake }) => {
      // Nothing is to be asked before a start, so there is no dialog.
      await page.getByRole("button", { name: "Start", exact: true }).click();
      await page.getByText("Starting shop").waitFor();
      expect(fake.asked[0]?.request).toEqual({ kind: "start", seenEpoch: 41 });
      await page.reload();
      await page.getByText("Starting shop").waitFor();
      // And nobody starts it twice.
      await page.getByRole("button", { name: "Start", exact: true }).click();
      await dialog(page).getByText("This is under way already.").waitFor();
    });
  });

  test("forcing a primary asks for the name, by keyboard, and says the loss", async () => {
    await onPage("down", MODULE, async (page, { fake }) => {
      await choose(page, "Force node2 primary…");
      await dialog(page).getByText("Acknowledged writes may be lost").waitFor();
      await dialog(page).getByText("node2 may lack what was acknowledged after").waitFor();
      expect(await problemsOn(page)).toEqual([]);
      expect(await problemsInTheDark(page)).toEqual([]);
      const force = dialog(page).getByRole("button", { name: "Force primary" });
      expect(await force.isDisabled()).toBe(true);
      await dialog(page).getByLabel("Type shop to go on").focus();
      await page.keyboard.type("shop ");
      expect(await force.isDisabled()).toBe(true);
      await page.keyboard.press("Enter");
      expect(fake.asked).toEqual([]);
      await page.keyboard.press("Backspace");
      expect(await force.isDisabled()).toBe(false);
      await page.keyboard.press("Enter");
      await page.getByText("Forcing shop (node2)").waitFor();
      expect(fake.asked.map(({ request }) => request)).toEqual([
        { kind: "force-primary", node: "node2", seenEpoch: 41, confirm: "shop" },
      ]);
    });
  });

  test("maintenance is asked for with its time, and shown with what is left of it", async () => {
    await onPage("normal", MODULE, async (page, { fake }) => {
      await choose(page, "Begin maintenance…");
      await dialog(page).getByText("Nothing is done by itself").waitFor();
      await dialog(page).getByLabel("2 hours").check();
      await dialog(page).getByText("mirrorfarm module maintenance on shop --for 2h").waitFor();
      expect(await problemsOn(page)).toEqual([]);
      expect(await problemsInTheDark(page)).toEqual([]);
      await dialog(page).getByRole("button", { name: "Begin maintenance" }).click();
      await page.getByText("Beginning maintenance of shop").waitFor();
      const asked = fake.asked.map(({ request }) => request);
      expect(asked).toEqual([{ kind: "maintenance-on", forMs: 7_200_000 }]);
    });
    await onPage("maintenance", MODULE, async (page, { fake }) => {
      await page.getByText("Maintenance, 1 h").waitFor();
      await choose(page, "End maintenance…");
      await dialog(page).getByRole("button", { name: "End maintenance" }).click();
      await page.getByText("Ending maintenance of shop").waitFor();
      expect(fake.asked.map(({ request }) => request)).toEqual([{ kind: "maintenance-off" }]);
    });
  });

  test("Esc closes a dialog, sends nothing, and gives the focus back", async () => {
    await onPage("normal", MODULE, async (page, { fake }) => {
      const opener = page.getByRole("button", { name: "Switch over" });
      await opener.focus();
      await page.keyboard.press("Enter");
      await dialog(page).waitFor();
      await page.keyboard.press("Escape");
      await dialog(page).waitFor({ state: "detached" });
      await expect
        .poll(() => page.evaluate("document.activeElement.textContent"))
        .toBe("Switch over");
      expect(fake.asked).toEqual([]);
    });
  });

  test("the first start asks whose data is the good one", async () => {
    await onPage("first-start", MODULE, async (page, { fake }) => {
      await page.getByRole("button", { name: "Start", exact: true }).click();
      const start = dialog(page).getByRole("button", { name: "Start" });
      expect(await start.isDisabled()).toBe(true);
      await dialog(page).getByText("The data on node1").click();
      await dialog(page).getByText("mirrorfarm module start shop --data-from node1").waitFor();
      expect(await problemsOn(page)).toEqual([]);
      await start.click();
      await page.getByText("Starting shop").waitFor();
      expect(fake.asked[0]?.request).toEqual({ kind: "start", dataFrom: "node1", seenEpoch: 0 });
    });
  });

  test("a refusal is shown where it was asked, with what to do about it", async () => {
    const message = "node2 may lack acknowledged writes (in-sync set is {node1})";
    await onPage(
      "normal",
      MODULE,
      async (page, { fake }) => {
        fake.refusal = { code: "refused", message, remedy: "start node1 first" };
        await page.getByRole("button", { name: "Switch over" }).click();
        await dialog(page).getByRole("button", { name: "Switch over" }).click();
        await dialog(page).getByText(message).waitFor();
        await dialog(page).getByText("start node1 first").waitFor();
        await dialog(page).getByText("Request req_fake").waitFor();
        expect(await problemsOn(page)).toEqual([]);
      },
      /status of 409/,
    );
  });

  test("an action that became pointless while it was read can no longer be sent", async () => {
    await onPage("normal", MODULE, async (page, { fake }) => {
      await page.getByRole("button", { name: "Switch over" }).click();
      await dialog(page).waitFor();
      fake.turnInto("failing-over");
      await dialog(page).getByText("Epoch 42 has begun since you opened this").waitFor();
      expect(await dialog(page).getByRole("button", { name: "Switch over" }).isDisabled()).toBe(
        true,
      );
    });
  });

  test("what cannot be done now says why, in the menu", async () => {
    await onPage("unprotected", MODULE, async (page) => {
      await page.getByRole("button", { name: "Actions" }).click();
      const item = page.getByRole("menuitem", { name: "Switch over…" });
      expect(await item.getAttribute("aria-disabled")).toBe("true");
      await item.hover();
      await page.getByText("Not now: node2 is not SECOND.").filter({ visible: true }).waitFor();
    });
  });

  test("the keyboard passes the navigation by, and a new page is read from its heading", async () => {
    await onPage("normal", "/c/prod", async (page) => {
      await page.keyboard.press("Tab");
      const focused = () => page.evaluate<string>("document.activeElement.textContent");
      expect(await focused()).toBe("Skip to content");
      await page.keyboard.press("Enter");
      expect(await page.evaluate("document.activeElement.id")).toBe("content");
      await page.getByRole("link", { name: "shop" }).first().click();
      await page.getByRole("tab", { name: "Overview" }).waitFor();
      await expect.poll(focused).toBe("shop");
      expect(await page.title()).toBe("shop · Protected – Mirrorfarm");
    });
  });
});
