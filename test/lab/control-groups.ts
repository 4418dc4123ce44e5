import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";

/** Where this machine has control groups of version 2: alone, or beside those of version 1. */
export const CGROUP_ROOT = existsSync("/sys/fs/cgroup/unified/cgroup.procs")
  ? "/sys/fs/cgroup/unified"
  : "/sys/fs/cgroup";

/** Removes a control group and those below it; false while one is still busy. */
export function removeGroups(path: string): boolean {
  const below = groupsBelow(path);
  try {
    for (const folder of below) rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

function groupsBelow(path: string): string[] {
  const found: string[] = [];
  const visit = (folder: string) => {
    for (const entry of readDirectories(folder)) visit(join(folder, entry));
    found.push(folder);
  };
  if (existsSync(path)) visit(path);
  return found;
}

function readDirectories(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}
