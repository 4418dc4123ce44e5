/** syncfs(2) waits for as long as a disk takes, or fails to: on a thread that may wait. */
import { parentPort, workerData } from "node:worker_threads";
import {
  AT_FDCWD,
  close,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
  openat,
  syncfs,
} from "../adapters/linux/file.ts";
import { cString } from "../adapters/linux/library.ts";

function isSynced(path: string): boolean {
  const fd = openat(AT_FDCWD, cString(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return false;
  const done = syncfs(fd);
  close(fd);
  return done >= 0;
}

const paths: readonly string[] = workerData;
parentPort?.postMessage(paths.map(isSynced).every(Boolean));
