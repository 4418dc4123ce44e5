/** Taking away what the source does not have. */
import { ERRNO } from "../adapters/linux/errno.ts";
import * as file from "../adapters/linux/file.ts";
import { withNul } from "../adapters/linux/library.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { thaw } from "./metadata.ts";
import { forEachEntry } from "./source-walk.ts";
import { makeUsable, type TargetRun } from "./target-run.ts";
import { check, isGone, joinPath, OPEN_DIRECTORY, splitPath, type Tree } from "./tree.ts";

const stat = new Stat();

/** Removes the entry (with all below it), or keeps it aside when the run says so. */
export function discard(run: TargetRun, tree: Tree, directoryFd: number, path: Uint8Array): void {
  if (tree.isExcluded(path)) return;
  run.changing();
  run.closeContent();
  const { aside } = run;
  // Something local to this node lies below: the rest is removed around it.
  if (aside !== null && !tree.hasExcludedBelow(path)) aside.move(tree, directoryFd, path);
  else remove(tree, directoryFd, path);
  run.entriesRemoved += 1;
}

/** Removes the entry `path` of the directory `directoryFd`, with everything below it. */
export function remove(tree: Tree, directoryFd: number, path: Uint8Array): void {
  const name = withNul(splitPath(path).name);
  const unlinked = unlink(directoryFd, name);
  if (isGone(unlinked)) return;
  if (unlinked === -ERRNO.EISDIR) removeDirectory(tree, path);
  else check(unlinked, "unlink", tree.place(path));
}

/** 0, or -errno: -EISDIR for a directory. */
function unlink(directoryFd: number, name: Uint8Array): number {
  const unlinked = file.unlinkat(directoryFd, name, 0);
  // POSIX has EPERM for a directory as well as for what chattr(1) has made immutable.
  if (unlinked !== -ERRNO.EPERM) return unlinked;
  if (stat.at(directoryFd, name) !== 0) return unlinked;
  if (stat.type === file.S_IFDIR) return -ERRNO.EISDIR;
  thaw(directoryFd, name, stat);
  return file.unlinkat(directoryFd, name, 0);
}

/** From the leaves up, without recursion: a tree may be deeper than the stack. */
function removeDirectory(tree: Tree, path: Uint8Array): void {
  const pending = [{ path, isEmptied: false }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (tree.isExcluded(next.path)) continue;
    if (next.isEmptied) {
      removeEmptied(tree, next.path);
      continue;
    }
    const directory = next.path;
    pending.push({ path: directory, isEmptied: true });
    tree.with(directory, OPEN_DIRECTORY, (fd) => {
      if (stat.of(fd) === 0) makeUsable(fd, stat.mode);
      thawDirectory(tree, directory);
      const names: Uint8Array[] = [];
      forEachEntry(fd, tree.place(directory), ({ name }) => {
        names.push(Uint8Array.from(name));
      });
      for (const name of names) {
        const below = joinPath(directory, name);
        if (tree.isExcluded(below)) continue;
        const unlinked = unlink(fd, withNul(name));
        if (unlinked === -ERRNO.EISDIR) pending.push({ path: below, isEmptied: false });
        else if (!isGone(unlinked)) check(unlinked, "unlink", tree.place(below));
      }
    });
  }
}

/** Runs `use` with the directory that holds `path`. */
function withParent<T>(tree: Tree, path: Uint8Array, use: (fd: number, name: Uint8Array) => T) {
  const { directory, name } = splitPath(path);
  return tree.with(directory, OPEN_DIRECTORY, (fd) => use(fd, withNul(name)));
}

function thawDirectory(tree: Tree, path: Uint8Array): void {
  withParent(tree, path, (fd, name) => {
    if (stat.at(fd, name) === 0) thaw(fd, name, stat);
  });
}

function removeEmptied(tree: Tree, path: Uint8Array): void {
  withParent(tree, path, (fd, name) => {
    const removed = file.unlinkat(fd, name, file.AT_REMOVEDIR);
    // It still holds what is local to this node.
    const isKept = removed === -ERRNO.ENOTEMPTY && tree.hasExcludedBelow(path);
    if (!isKept && !isGone(removed)) check(removed, "rmdir", tree.place(path));
  });
}
