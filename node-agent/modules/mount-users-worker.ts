/**
 * Looks for a mount's users in a thread of its own. Reading /proc/PID/maps takes a lock of that
 * process (mmap_lock), and one that hangs inside the fenced mount may hold it for ever: then this
 * thread hangs with it, and the agent does not. Each user is told as soon as it is found.
 */
import { parentPort, workerData } from "node:worker_threads";
import { findMountUsers } from "./mount-users.ts";

const mountPoints: unknown = workerData;
if (parentPort !== null && Array.isArray(mountPoints)) {
  const port = parentPort;
  const names = mountPoints.filter((item) => typeof item === "string");
  findMountUsers(names, (user) => port.postMessage(user));
  port.postMessage("done");
}
