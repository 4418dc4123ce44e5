/**
 * Takes the mounts off in order, on a thread that may wait: unmounting writes mapped pages back,
 * which waits for the data thread, which may wait for the peer. Neither of them nor the main
 * thread may wait here.
 */
import { parentPort, workerData } from "node:worker_threads";
import { unmountTree } from "../fuse/mount-tree.ts";

function run(paths: readonly string[]): void {
  const failures = paths.flatMap((path) => {
    const unmounted = unmountTree(path, { lazy: false });
    return unmounted.ok ? [] : [`${path}: ${unmounted.error}`];
  });
  parentPort?.postMessage(failures);
}

run(workerData);
