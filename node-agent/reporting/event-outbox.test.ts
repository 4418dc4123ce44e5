import { expect, test } from "vitest";
import { EventOutbox } from "./event-outbox.ts";

const newOutbox = () => new EventOutbox("run1", () => 5_000);
const EVENT = { kind: "decided", severity: "I", text: "something" } as const;

test("events stay, in order and with their ids, until they are confirmed", () => {
  const outbox = newOutbox();
  for (const text of ["a", "b", "c"]) outbox.add({ ...EVENT, text });
  const first = outbox.take(2);
  expect(first.map(({ id, text }) => [id, text])).toEqual([
    ["run1.1", "a"],
    ["run1.2", "b"],
  ]);
  expect(outbox.take(2)).toEqual(first);
  outbox.confirm(first);
  expect(outbox.take(2).map(({ text }) => text)).toEqual(["c"]);
  outbox.confirm(outbox.take(2));
  expect(outbox.hasWaiting).toBe(false);
});

test("the oldest are dropped when too many wait, and that is told once", () => {
  const outbox = newOutbox();
  for (let number = 0; number < 2_005; number += 1) outbox.add(EVENT);
  const all = outbox.take(10_000);
  expect(all).toHaveLength(2_000);
  expect(all.at(-1)).toMatchObject({ kind: "eventsDropped", text: expect.stringMatching(/^5 /) });
  outbox.confirm(all);
  expect(outbox.take(10)).toMatchObject([{ text: expect.stringMatching(/^1 /) }]);
});

test("a text that is too long for the wire is cut", () => {
  const outbox = newOutbox();
  expect(outbox.add({ ...EVENT, text: "x".repeat(5_000) }).text).toHaveLength(900);
});
