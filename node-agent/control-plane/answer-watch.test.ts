import { beforeEach, expect, test } from "vitest";
import { AnswerWatch } from "./answer-watch.ts";

let nowMs = 0;
let told: string[] = [];
let watch: AnswerWatch;

beforeEach(() => {
  [nowMs, told] = [0, []];
  watch = new AnswerWatch(
    ({ severity, text }) => told.push(`${severity} ${text}`),
    () => nowMs,
  );
});

test("one call without an answer is nobody's business, ten seconds of them are told once", () => {
  for (nowMs = 0; nowMs < 30_000; nowMs += 1_000) {
    watch.unanswered({ kind: "unknown", detail: "nobody there" });
    if (nowMs === 9_000) expect(told).toEqual([]);
  }
  expect(told).toEqual([
    "E the control plane does not answer: service goes on, but not without the other node",
  ]);
  watch.answered();
  watch.answered();
  expect(told.at(-1)).toBe("S the control plane answers again");
  expect(told).toHaveLength(2);
});

test("being turned away is told at once, also after silence, and once", () => {
  nowMs = 20_000;
  watch.unanswered({ kind: "unknown", detail: "nobody there" });
  watch.unanswered({ kind: "notAllowed", detail: "revoked" });
  watch.unanswered({ kind: "notAllowed", detail: "revoked" });
  watch.unanswered({ kind: "unknown", detail: "nobody there" });
  expect(told.map((line) => line[0])).toEqual(["E", "C"]);
  expect(told[1]).toContain("revoked");
});
