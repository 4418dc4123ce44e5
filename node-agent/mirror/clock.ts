import type { BootMs, UnixMs } from "#model/shared/ids.ts";

/** Both clocks of this machine. `bootMs` is what decisions count on, `unixMs` is for people. */
export interface NodeClock {
  bootMs(): BootMs;
  unixMs(): UnixMs;
}
