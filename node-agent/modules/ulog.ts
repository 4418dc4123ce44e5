import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Kept per module beside the newest one of each script; older ones are deleted. */
export const ULOG_FILES_MAX = 100;
const KEPT_SUFFIX = ".1";

/** A script's log file, e.g. `userlog_2026_11_23T161502_start_prim.ulog`. */
export function ulogName(script: string, at: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const date = `${at.getFullYear()}_${two(at.getMonth() + 1)}_${two(at.getDate())}`;
  const time = `${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}`;
  return `userlog_${date}T${time}_${script}.ulog`;
}

/**
 * Opens a log for appending; the caller closes it. A script writes to the file itself, not to a
 * pipe of ours: a daemon that it leaves behind keeps the descriptor, and would die of SIGPIPE when
 * the agent restarts. O_APPEND makes the cut below safe while such a daemon writes on.
 */
export function openUlog(directory: string, name: string): number {
  return openSync(join(directory, name), "a", 0o640);
}

/**
 * Brings every log of a module under its bounds: one that outgrew `bytesMax` keeps its last half in
 * `<name>.1` and begins anew, as the oldest lines matter least and the disk is not ours.
 */
export function boundUlogs(directory: string, bytesMax: number): void {
  const names = ulogsIn(directory);
  for (const name of names) boundUlog(join(directory, name), bytesMax);
  const newest = new Map(names.map((name) => [scriptOf(name), name]));
  const deletable = names.filter((name) => newest.get(scriptOf(name)) !== name);
  // The newest log of each script stays: a daemon may still be writing to it.
  for (const name of deletable.slice(0, Math.max(0, names.length - ULOG_FILES_MAX))) {
    rmSync(join(directory, name), { force: true });
    rmSync(join(directory, name + KEPT_SUFFIX), { force: true });
  }
}

/** Brings one log under its bound; it may have gone. */
export function boundUlog(path: string, bytesMax: number): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.size <= bytesMax) return;
  const half = Math.floor(bytesMax / 2);
  writeFileSync(path + KEPT_SUFFIX, readEnd(path, stats.size, half), { mode: 0o640 });
  truncateSync(path, 0);
}

function readEnd(path: string, sizeBytes: number, lengthBytes: number): Uint8Array {
  const end = new Uint8Array(lengthBytes);
  const file = openSync(path, "r");
  try {
    const read = readSync(file, end, 0, lengthBytes, sizeBytes - lengthBytes);
    return end.subarray(0, read);
  } finally {
    closeSync(file);
  }
}

/** Oldest first: the time stands in the name. */
function ulogsIn(directory: string): readonly string[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith("userlog_") && name.endsWith(".ulog"))
    .sort();
}

const scriptOf = (name: string): string => name.replace(/^userlog_[0-9_]+T[0-9]+_/, "");
