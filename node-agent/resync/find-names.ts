/** All names of a few files that are known by their number only: reads directories, and no content. */
import type { DirtyEntry, SoughtFile } from "#model/replication/dirty-set.ts";
import * as file from "../adapters/linux/file.ts";
import { withNul } from "../adapters/linux/library.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { forEachEntry } from "./source-walk.ts";
import { joinPath, OPEN_DIRECTORY, type Tree } from "./tree.ts";

/** getdents64(2) tells types as `mode >> 12`, or 0 where the file system does not know. */
const DIRECTORY_HINT = file.S_IFDIR >> 12;
const stat = new Stat();

/** Each name as a place to be compared wholly. A number may meanwhile be another file's: harmless. */
export function findNames(trees: readonly Tree[], sought: readonly SoughtFile[]): DirtyEntry[] {
  const found: DirtyEntry[] = [];
  for (const tree of trees) {
    const inodes = new Set<number>();
    for (const one of sought) if (one.tree === tree.index) inodes.add(Number(one.inode));
    if (inodes.size === 0) continue;
    const pending: Uint8Array[] = [new Uint8Array()];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const directory = next;
      tree.with(directory, OPEN_DIRECTORY, (fd) => {
        forEachEntry(fd, tree.place(directory), ({ name, type, inode }) => {
          const path = joinPath(directory, name);
          if (tree.isExcluded(path)) return;
          if (inodes.has(inode)) found.push(wholly(tree.index, path));
          if (type === DIRECTORY_HINT || (type === 0 && isDirectory(fd, name))) pending.push(path);
        });
      });
    }
  }
  return found;
}

const isDirectory = (fd: number, name: Uint8Array): boolean =>
  stat.at(fd, withNul(name)) === 0 && stat.type === file.S_IFDIR;

const wholly = (tree: number, path: Uint8Array): DirtyEntry => {
  return { tree, path, listing: false, subtree: true, ranges: [], inodes: [] };
};
