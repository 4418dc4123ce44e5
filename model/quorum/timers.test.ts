import { describe, expect, test } from "vitest";
import { checkTimers, TIMER_PROFILES, timersFromHeart } from "./timers.ts";

const base = TIMER_PROFILES.default;

describe("timers", () => {
  test.each(Object.entries(TIMER_PROFILES))("profile %s agrees with itself", (_, timers) => {
    expect(checkTimers(timers).ok).toBe(true);
  });

  test.each([
    [{ detectAfterMs: 1900 }, "detectAfterMs", "peerLeaseMs"],
    [{ heartbeatMs: 600 }, "heartbeatMs", "detectAfterMs"],
    [{ handicapMs: 400 }, "handicapMs", "peerLeaseMs"],
    [{ witnessMarginMs: 7000 }, "witnessMarginMs", "witnessLeaseMs"],
    [{ giveUpAfterMs: 1000 }, "detectAfterMs", "giveUpAfterMs"],
    [{ bootWaitMs: 500 }, "detectAfterMs", "bootWaitMs"],
    [{ voteRetryMs: 2000 }, "voteRetryMs", "witnessLeaseMs"],
    [{ voteTimeoutMs: 3200 }, "voteTimeoutMs", "witnessLeaseMs"],
    [{ witnessAwayAfterMs: 1500 }, "voteTimeoutMs", "witnessAwayAfterMs"],
    [{ witnessAwayAfterMs: 40_000 }, "witnessAwayAfterMs", "giveUpAfterMs"],
    [{ witnessAwayAfterMs: 12_000 }, "witnessAwayAfterMs", "bootWaitMs"],
    [{ stopWaitMs: 700 }, "heartbeatMs", "stopWaitMs"],
    [{ releaseWaitMs: 700 }, "heartbeatMs", "releaseWaitMs"],
    [{ releaseWaitMs: 1500 }, "voteTimeoutMs", "releaseWaitMs"],
    [{ heartbeatMs: 0 }, "heartbeatMs", "heartbeatMs"],
    [{ replTimeoutMs: Number.NaN }, "replTimeoutMs", "replTimeoutMs"],
  ] as const)("%o names the two in conflict", (part, first, second) => {
    const checked = checkTimers({ ...base, ...part });
    expect(checked).toMatchObject({ ok: false, error: { first, second } });
  });

  test.each([
    [{ pulseMs: 700, timeoutMs: 30_000 }],
    [{ pulseMs: null, timeoutMs: 3000 }],
    [{ pulseMs: 100, timeoutMs: null }],
    [{ pulseMs: 5000, timeoutMs: 15_000 }],
  ])("<heart> %o gives timers that agree", (heart) => {
    const timers = timersFromHeart(base, heart);
    expect(checkTimers(timers)).toMatchObject({ ok: true });
    expect(timers.detectAfterMs).toBe(heart.timeoutMs ?? base.detectAfterMs);
  });

  test("a pulse that is faster than heartbeats are sent makes no shorter silence possible", () => {
    const checked = checkTimers(timersFromHeart(base, { pulseMs: 50, timeoutMs: 300 }));
    expect(checked).toMatchObject({
      error: { first: "heartbeatMs", second: "detectAfterMs" },
    });
  });
});
