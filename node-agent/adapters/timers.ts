import type { NodeTimers } from "../mirror/clock.ts";

/** The event loop's own timers. */
export const systemTimers: NodeTimers = {
  after(delayMs, fire) {
    const timer = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
