import { setTimeout as sleep } from "node:timers/promises";
import { readProcess, signal } from "../modules/process-table.ts";

const BY_ITSELF_MS_MAX = 1_000;
const KILLED_MS_MAX = 5_000;
const LOOK_MS = 10;

/** Waits until a process is gone; kills one that does not end by itself. False: even that failed. */
export async function endOf(processId: number): Promise<boolean> {
  if (await hasEnded(processId, BY_ITSELF_MS_MAX)) return true;
  return await kill(processId);
}

/** False: it is still there, as a process inside a call to a dead disk is. */
export async function kill(processId: number): Promise<boolean> {
  signal(processId, "SIGKILL");
  return await hasEnded(processId, KILLED_MS_MAX);
}

async function hasEnded(processId: number, boundMs: number): Promise<boolean> {
  for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
    const state = readProcess(processId)?.state;
    if (state === undefined || state === "Z") return true;
    if (waitedMs >= boundMs) return false;
    await sleep(LOOK_MS);
  }
}
