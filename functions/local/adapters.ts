/** Clock, timers, chance and log of a plain Node process. */
import { randomBytes } from "node:crypto";
import type { Clock, Logger, Random, Timers } from "../ports.ts";

export const systemClock: Clock = { nowMs: () => Date.now() };

export const systemTimers: Timers = {
  after(delayMs, fire) {
    const timer = setTimeout(fire, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Digits and letters that are not mistaken for another. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  id: (prefix) => `${prefix}_${[...randomBytes(20)].map((byte) => ALPHABET[byte % 32]).join("")}`,
};

/** To standard error, one line each; standard output is for programs that read the start-up line. */
export const stderrLogger: Logger = {
  log(severity, text) {
    process.stderr.write(`${new Date().toISOString()} ${severity} ${text.slice(0, 4000)}\n`);
  },
};
