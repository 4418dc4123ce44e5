/** How much there is: to say how long a pass will take, and whether the application can wait for it. */
import type { DirtySnapshot } from "#model/replication/dirty-set.ts";
import * as file from "../adapters/linux/file.ts";
import { withNul } from "../adapters/linux/library.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { forEachEntry } from "./source-walk.ts";
import { check, joinPath, OPEN_DIRECTORY, OPEN_ENTRY, type Tree } from "./tree.ts";

/** What the last pass, with the application waiting, may handle: a fraction of a second's work. */
const FINAL_ENTRIES_MAX = 1_000;
const FINAL_BYTES_MAX = 16 * 1024 * 1024;

const stat = new Stat();

/**
 * Calls `counted` for each entry below the directory `path` with its content's size, until it
 * returns false.
 */
export function countTree(
  tree: Tree,
  path: Uint8Array,
  counted: (sizeBytes: number) => boolean,
): void {
  const pending = [path];
  let goesOn = true;
  for (let next = pending.pop(); next !== undefined && goesOn; next = pending.pop()) {
    const directory = next;
    tree.with(directory, OPEN_DIRECTORY, (fd) => {
      forEachEntry(fd, tree.place(directory), ({ name }) => {
        if (!goesOn || stat.at(fd, withNul(name)) !== 0) return;
        const below = joinPath(directory, name);
        if (tree.isExcluded(below)) return;
        if (stat.type === file.S_IFDIR) pending.push(below);
        goesOn = counted(stat.type === file.S_IFREG ? stat.sizeBytes : 0);
      });
    });
  }
}

/** Whether the application can wait for all that `snapshot` names. */
export function isSmallEnough(trees: readonly Tree[], snapshot: DirtySnapshot): boolean {
  // Files are sought in the whole tree: the application should not wait for that.
  if (snapshot.everything || snapshot.sought.length > 0) return false;
  let [entriesLeft, bytesLeft] = [FINAL_ENTRIES_MAX, FINAL_BYTES_MAX];
  const spend = (bytes: number): boolean => {
    entriesLeft -= 1;
    bytesLeft -= bytes;
    return entriesLeft >= 0 && bytesLeft >= 0;
  };
  for (const { tree: index, path, subtree, ranges } of snapshot.entries) {
    const tree = trees[index];
    if (tree === undefined || tree.isExcluded(path)) continue;
    const fits = tree.with(path, OPEN_ENTRY, (fd) => {
      check(stat.of(fd), "statx", tree.place(path));
      const { type, sizeBytes } = stat;
      if (type === file.S_IFDIR) {
        if (subtree) countTree(tree, path, spend);
        // A directory's size tells how many names it has (or had), which is what listing costs.
        return spend(sizeBytes);
      }
      if (subtree) return spend(type === file.S_IFREG ? sizeBytes : 0);
      let bytes = 0;
      for (const { startBytes, endBytes } of ranges) {
        bytes += Math.max(0, Math.min(endBytes, sizeBytes) - startBytes);
      }
      return spend(bytes);
    });
    if (fits === false || entriesLeft < 0 || bytesLeft < 0) return false;
  }
  return true;
}
