import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readReport } from "./stage-report.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stage-report-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("of a stage that was stopped it is known what had passed, and what was running", () => {
  const path = join(folder, "report");
  const say = (what: string, name: string) =>
    appendFileSync(path, `${JSON.stringify({ what, name })}\n`);
  say("began", "a.test.ts");
  for (const name of ["one", "two"]) say("began", name);
  say("passed", "one");
  say("skipped", "three (needs root)");
  say("began", "b.test.ts");
  say("failed", "b.test.ts");
  expect(readReport(path)).toEqual({
    ...{ passed: 1, failed: 1, skipped: ["three (needs root)"] },
    running: ["a.test.ts", "two"],
  });
});

test("a stage that wrote nothing has nothing to show", () => {
  expect(readReport(join(folder, "nothing"))).toMatchObject({ passed: 0, failed: 0, running: [] });
});
