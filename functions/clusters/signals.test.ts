import { describe, expect, test } from "vitest";
import { Signals } from "./signals.ts";

/** A timer never fires here: whoever wakes was signalled. */
const timers = { after: () => ({ cancel: () => {} }) };
const never = new AbortController().signal;

/** True once the promise is settled, after everything queued so far has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe("a signal", () => {
  test("wakes all who wait for its topic and nobody else", async () => {
    const signals = new Signals(timers);
    const waits = [0, 1].map(() => signals.wait("a", 0, 1000, never));
    const other = signals.wait("b", 0, 1000, never);
    signals.notify("a");
    expect(await Promise.all(waits.map(isSettled))).toEqual([true, true]);
    expect(await isSettled(other)).toBe(false);
  });

  test("between looking and waiting is not missed", async () => {
    const signals = new Signals(timers);
    const seen = signals.generation("a");
    signals.notify("a");
    expect(await isSettled(signals.wait("a", seen, 1000, never))).toBe(true);
  });

  test("is not waited for by who has gone, nor once the process goes down", async () => {
    const signals = new Signals(timers);
    const gone = new AbortController();
    const wait = signals.wait("a", 0, 1000, gone.signal);
    gone.abort();
    expect(await isSettled(wait)).toBe(true);
    expect(await isSettled(signals.wait("a", 0, 1000, gone.signal))).toBe(true);
    const last = signals.wait("a", 0, 1000, never);
    signals.close();
    expect(await isSettled(last)).toBe(true);
    expect(await isSettled(signals.wait("b", 0, 1000, never))).toBe(true);
  });
});
