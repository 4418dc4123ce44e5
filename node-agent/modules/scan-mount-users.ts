import { Worker } from "node:worker_threads";
import type { MountUser } from "./mount-users.ts";

/** What a bounded search found; incomplete when the time ran out first. */
export type MountUsers = { readonly users: readonly MountUser[]; readonly isComplete: boolean };

/** Searches all processes for users of the mounts, for at most `waitMsMax`. */
export async function scanMountUsers(
  mountPoints: readonly string[],
  waitMsMax: number,
): Promise<MountUsers> {
  if (mountPoints.length === 0) return { users: [], isComplete: true };
  const users: MountUser[] = [];
  const worker = new Worker(new URL("./mount-users-worker.ts", import.meta.url), {
    workerData: mountPoints,
  });
  worker.unref();
  const isComplete = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), waitMsMax);
    const finish = (complete: boolean): void => {
      clearTimeout(timer);
      resolve(complete);
    };
    worker.on("message", (message: MountUser | "done") => {
      if (message === "done") finish(true);
      else users.push(message);
    });
    worker.on("error", () => finish(false));
    worker.on("exit", () => finish(false));
  });
  // Not awaited: a thread inside a hanging system call ends only when that call does.
  void worker.terminate().catch(() => undefined);
  return { users, isComplete };
}
