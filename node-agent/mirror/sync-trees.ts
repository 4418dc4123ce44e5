import { Worker } from "node:worker_threads";

/** A disk that takes longer is as good as one that fails: nobody knows what is on it. */
const SYNC_MS_MAX = 60_000;

/**
 * Everything that was written below these directories is on their disks when this says true. False
 * when a disk failed, or could not say so in time.
 */
export async function syncTrees(paths: readonly string[]): Promise<boolean> {
  const script = new URL("./sync-trees-thread.ts", import.meta.url);
  const worker = new Worker(script, { workerData: paths });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), SYNC_MS_MAX);
  worker.on("message", (isSynced) => resolve(isSynced === true));
  worker.on("error", () => resolve(false));
  worker.on("exit", () => resolve(false));
  const isSynced = await promise;
  clearTimeout(timer);
  // One that still waits for its disk must not keep the agent from ending.
  worker.unref();
  return isSynced;
}
