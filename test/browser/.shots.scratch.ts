import { mkdirSync } from "node:fs";
import { launch, openPage, problemsOn } from "./browser.ts";
import { buildConsole, ConsoleUnderTest } from "./built-console.ts";

mkdirSync("/tmp/shots", { recursive: true });
buildConsole();
const list = (process.argv[2] ?? "normal:/c/prod,normal:/c/prod/modules/shop").split(",");
const themes = (process.argv[3] ?? "light,dark").split(",");
const widths = (process.argv[4] ?? "1280,390").split(",").map(Number);
const browser = await launch();
try {
  for (const entry of list) {
    const [scenario, path] = entry.split(":");
    const t = await ConsoleUnderTest.start(scenario as never);
    for (const theme of themes)
      for (const width of widths) {
        const { page, context, complaints } = await openPage(browser, {
          colorScheme: theme as never,
          width,
        });
        await page.goto(t.url + path);
        await page.getByRole("heading", { level: 1 }).waitFor();
        await page.waitForTimeout(1200);
        const name = `/tmp/shots/${scenario}${path.replaceAll(/[/?=]/g, "_")}-${theme}-${width}.png`;
        await page.screenshot({ path: name, fullPage: true });
        const p = await problemsOn(page);
        console.log(
          name,
          JSON.stringify(complaints),
          p.length,
          p.map((x) => x.slice(0, 300)).join("\n   "),
        );
        await context.close();
      }
    await t.stop();
  }
} finally {
  await browser.close();
}
process.exit(0);
