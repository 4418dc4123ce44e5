import type { BootMs, UnixMs } from "#model/shared/ids.ts";

/** Both clocks of this machine. `bootMs` is what decisions count on, `unixMs` is for people. */
export interface NodeClock {
  bootMs(): BootMs;
  unixMs(): UnixMs;
}

export interface Timer {
  cancel(): void;
}

/** What the main thread waits with: a port, as the simulation has a time of its own. */
export interface NodeTimers {
  /** Calls `fire` once after `delayMs`, unless it is cancelled before. */
  after(delayMs: number, fire: () => void): Timer;
}
