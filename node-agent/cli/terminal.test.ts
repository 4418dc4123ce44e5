import { expect, test } from "vitest";
import { age, parseDuration, plain, table } from "./terminal.ts";

test("columns are aligned by what is seen, not by colour codes", () => {
  const green = "\u001b[32mPRIM\u001b[39m";
  expect(
    table(
      ["A", "STATE", "B"],
      [
        ["node1", green, "x"],
        ["n", "SECOND", ""],
      ],
    ),
  ).toBe([`A      STATE   B`, `node1  ${green}    x`, `n      SECOND`].join("\n"));
});

test.each([
  [0, "0s"],
  [59_600, "1m"],
  [310_000, "5m 10s"],
  [3_600_000, "1h"],
  [183_600_000, "2d 3h"],
  [-5_000, "0s"],
])("%i ms is %s", (ms, text) => {
  expect(age(0, ms)).toBe(text);
});

test.each([
  ["90s", 90_000],
  ["5m", 300_000],
  ["15", 15_000],
  ["250ms", 250],
  ["2d", 172_800_000],
  ["", null],
  ["1.5h", null],
  ["-1s", null],
  ["yesterday", null],
])("%s is %s ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test("control and direction characters are made visible", () => {
  expect(plain("a\u001b[2Jb\u202ec\nd")).toBe("a\\u001b[2Jb\\u202ec\\u000ad");
  expect(plain("größer → 10 %")).toBe("größer → 10 %");
});
