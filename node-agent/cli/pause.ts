import { setTimeout as sleep } from "node:timers/promises";
import { CommandEnd, EXIT } from "./exit.ts";

/** Waits; ends the command with Ctrl-C. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw new CommandEnd(EXIT.interrupted, "interrupted");
  }
}
