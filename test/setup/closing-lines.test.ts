import { expect, test } from "vitest";
import { closingLines, type StageEnd } from "./closing-lines.ts";

const unit: StageEnd = {
  ...{ name: "unit", seconds: 70, budgetMinutes: 2.5 },
  ...{ passed: 100, failed: 0, skipped: [] },
};

test("the last line of a run without gaps is its counts", () => {
  const lines = closingLines([unit, { ...unit, name: "browser", seconds: 200, failed: 2 }], []);
  expect(lines.at(0)).toBe("unit          70 s  100 passed, 0 failed, 0 not run");
  expect(lines.at(1)).toMatch(/over budget$/);
  expect(lines.at(-1)).toBe("200 passed, 2 failed");
});

test("the last line names what was not run, by what it needs, and how to run it", () => {
  const skipped = [
    "the guard (needs root) fences a killed agent's module",
    "the guard (needs root) fences for an agent that says nothing",
    "a pair (needs root and FUSE) attaches",
    "something skips itself",
  ];
  const lines = closingLines(
    [{ ...unit, skipped }],
    [
      { name: "posix", needs: "needs root" },
      { name: "lab", needs: "needs root" },
    ],
  );
  expect(lines.at(-2)).toBe("100 passed, 0 failed");
  expect(lines.at(-1)).toBe(
    "NOT RUN: 2 tests of unit (needs root), 1 test of unit (needs root and FUSE), " +
      "1 test of unit (skipped), posix (needs root), lab (needs root). " +
      "To run what needs root: sudo npm test -- unit posix lab",
  );
});

test("what lacks a package says what to install, and nothing of root", () => {
  const skipped = ["the pages (needs Chromium: sudo apt-get install -y chromium) open"];
  expect(closingLines([{ ...unit, name: "browser", skipped }], []).at(-1)).toBe(
    "NOT RUN: 1 test of browser (needs Chromium: sudo apt-get install -y chromium)",
  );
});

test("a stage in which no test was found did not run", () => {
  const none = { ...unit, name: "sim", passed: 0 };
  expect(closingLines([none], []).at(-1)).toBe("NOT RUN: sim (has no tests)");
});
