import { readdirSync, readFileSync } from "node:fs";

/** One process as /proc shows it (proc(5)). */
export type ProcessEntry = {
  readonly processId: number;
  readonly parentId: number;
  readonly groupId: number;
  readonly sessionId: number;
  /** `R`, `S`, `D` (uninterruptible), `T` (stopped), `Z` (zombie)... */
  readonly state: string;
  /** At most 15 bytes: the kernel cuts the name (TASK_COMM_LEN). */
  readonly command: string;
};

/** All process ids, as text in /proc; another pid namespace's are not there. */
export function processIds(procRoot = "/proc"): readonly number[] {
  return readdirSync(procRoot)
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
}

/** Every process that still lives while we look. */
export function listProcesses(procRoot = "/proc"): readonly ProcessEntry[] {
  return processIds(procRoot).flatMap((id) => readProcess(id, procRoot) ?? []);
}

/** null when the process has gone. */
export function readProcess(processId: number, procRoot = "/proc"): ProcessEntry | null {
  const text = readOr(`${procRoot}/${processId}/stat`, "");
  // The command stands in parentheses and may itself hold any of them: the last one ends it.
  const [opening, closing] = [text.indexOf("("), text.lastIndexOf(")")];
  if (opening < 0 || closing < opening) return null;
  const [state, parent, group, session] = text.slice(closing + 2).split(" ");
  if (state === undefined || session === undefined) return null;
  return {
    processId,
    parentId: Number(parent),
    groupId: Number(group),
    sessionId: Number(session),
    state,
    command: text.slice(opening + 1, closing),
  };
}

/** The command line with its arguments joined by spaces; empty for kernel threads and the gone. */
export function commandLineOf(processId: number, procRoot = "/proc"): string {
  return readOr(`${procRoot}/${processId}/cmdline`, "").replaceAll("\0", " ").trimEnd();
}

/** The environment at the time of exec; empty where we may not read it. */
export function hasEnvironmentEntry(processId: number, entry: string): boolean {
  return readOr(`/proc/${processId}/environ`, "").split("\0").includes(entry);
}

/** `root`, everything below it and what stayed in the session that it leads. */
function treeOf(root: number, table: readonly ProcessEntry[]): readonly number[] {
  const tree = new Set([root]);
  // The table is not sorted by depth, so look again until nothing is added: depth bounds the rounds.
  for (let size = 0; size !== tree.size; ) {
    size = tree.size;
    for (const entry of table) {
      if (tree.has(entry.parentId) || entry.sessionId === root) tree.add(entry.processId);
    }
  }
  return [...tree];
}

/** Sends a signal; false when the process has gone or is not ours. */
export function signal(processId: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(processId, name);
  } catch {
    return false;
  }
}

const ROUNDS_MAX = 5;

/**
 * Kills a script with everything that it started and that is still in its tree or session. All are
 * stopped before any is killed: a child whose parent dies first would lose its place in the tree.
 */
export function killTree(root: number): void {
  let tree = treeOf(root, listProcesses());
  for (let round = 1; round <= ROUNDS_MAX; round += 1) {
    for (const id of tree) signal(id, "SIGSTOP");
    const again = treeOf(root, listProcesses());
    if (again.length === tree.length) break;
    tree = again;
  }
  for (const id of tree) signal(id, "SIGKILL");
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return otherwise;
  }
}
