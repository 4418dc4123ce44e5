import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { NodeReport } from "#model/contract/report.ts";
import { err, ok } from "#model/shared/result.ts";
import { EventOutbox } from "./event-outbox.ts";
import { Reporter } from "./reporter.ts";

const NEXT_MS = 5_000;
const ANSWER = { serverTimeMs: 0, configurationVersion: 1, commandsWaiting: 0 };
let sent: NodeReport[] = [];
let answers: (() => Promise<boolean>)[] = [];
let events: EventOutbox;
let reporter: Reporter;

beforeEach(() => {
  vi.useFakeTimers();
  [sent, answers] = [[], []];
  events = new EventOutbox("run1", () => 0);
  reporter = new Reporter({
    client: {
      report: async (report) => {
        sent.push(report);
        const isHeard = (await answers.shift()?.()) ?? true;
        return isHeard
          ? ok({ ...ANSWER, nextReportMs: NEXT_MS })
          : err({ kind: "unknown", detail: "nobody there" });
      },
    },
    events,
    report: async () => ({
      ...{
        agentVersion: "1",
        bootId: "b",
        instanceId: "run1",
        sentAtMs: 0,
        modules: [],
        links: [],
      },
      events: [...events.take(2)],
    }),
    spread: (durationMs) => durationMs,
    watch: { answered: () => undefined, unanswered: () => undefined },
    log: () => undefined,
  });
});
afterEach(() => {
  reporter.stop();
  vi.useRealTimers();
});
const tell = (text: string) => events.add({ kind: "decided", severity: "I", text });
const texts = () => sent.map((report) => report.events.map((event) => event.text).join());

test("several changes make one report, and the next one is due when the control plane wishes", async () => {
  for (let change = 0; change < 5; change += 1) reporter.soon();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(NEXT_MS);
  expect(sent).toHaveLength(2);
});

test("a change does not wait for the next report that is due", async () => {
  reporter.soon();
  await vi.advanceTimersByTimeAsync(1_000);
  reporter.soon();
  await vi.advanceTimersByTimeAsync(100);
  expect(sent).toHaveLength(2);
});

test("events are told again until a report was heard, and then no more", async () => {
  answers = [async () => false];
  tell("one");
  reporter.soon();
  await vi.advanceTimersByTimeAsync(500);
  await vi.advanceTimersByTimeAsync(1_000);
  await vi.advanceTimersByTimeAsync(NEXT_MS);
  expect(texts()).toEqual(["one", "one", ""]);
});

test("a control plane that could not answer is left alone for a second, whatever changes", async () => {
  answers = [async () => false];
  reporter.soon();
  await vi.advanceTimersByTimeAsync(100);
  for (let change = 0; change < 8; change += 1) {
    reporter.soon();
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(500);
  expect(sent).toHaveLength(2);
});

test("what does not fit into one report follows at once", async () => {
  for (const text of ["one", "two", "three"]) tell(text);
  reporter.soon();
  await vi.advanceTimersByTimeAsync(500);
  expect(texts()).toEqual(["one,two", "three"]);
});

test("a change during a report makes another one after it, never beside it", async () => {
  const slow = Promise.withResolvers<boolean>();
  answers = [() => slow.promise];
  reporter.soon();
  await vi.advanceTimersByTimeAsync(100);
  reporter.soon();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(sent).toHaveLength(1);
  slow.resolve(true);
  await vi.advanceTimersByTimeAsync(100);
  expect(sent).toHaveLength(2);
});

test("a report that was due is not made once stopped", async () => {
  reporter.soon();
  reporter.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveLength(0);
});

test("once stopped only the last word is told", async () => {
  reporter.stop();
  reporter.soon();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveLength(0);
  await reporter.now();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveLength(1);
});
