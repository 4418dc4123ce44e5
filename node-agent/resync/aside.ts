/**
 * Keeping what was in a directory before its first resync ever: nobody has said that it may go, so
 * it is moved into a folder and listed there, never deleted and never merged.
 *
 * The folder has one directory per tree (`1`, `2`, ... in the order of the module's file), with the
 * same paths below it, and a file `LIST` with one line per entry: `moved` or `copied`, the tree's
 * number, the path. A path that is taken gets `.1`, `.2`, ... Hard links among the entries kept
 * are not kept as such when the folder is on another file system.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ERRNO } from "../adapters/linux/errno.ts";
import * as file from "../adapters/linux/file.ts";
import { cString, withNul } from "../adapters/linux/library.ts";
import { copyEntry, copyOpenFile } from "./local-copy.ts";
import { remove } from "./remove.ts";
import { check, joinPath, OPEN_DIRECTORY, showPath, splitPath, Tree } from "./tree.ts";

const RENAME_NOREPLACE = 1;
const SAME_NAME_MAX = 1000;

export class Aside {
  readonly #folder: string;
  readonly #trees = new Map<number, Tree>();
  entries = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Moves the entry `path` of `tree` (in the directory `directoryFd`) here. */
  move(tree: Tree, directoryFd: number, path: Uint8Array): void {
    const { directory, name } = splitPath(path);
    const here = this.#tree(tree);
    const parent = makeDirectories(here, directory);
    try {
      this.#free(path, (free) => {
        const moved = file.renameat2(
          directoryFd,
          withNul(name),
          parent,
          withNul(splitPath(free).name),
          RENAME_NOREPLACE,
        );
        // Another file system: copy, and only then remove.
        if (moved === -ERRNO.EXDEV) {
          const copied = copyEntry(tree, path, here, free);
          if (copied === 0) remove(tree, directoryFd, path);
          return copied;
        }
        return moved;
      });
    } finally {
      file.close(parent);
    }
    this.#list("moved", tree, path);
  }

  /** Keeps a copy of the regular file `fd`, whose content is about to change in place. */
  keepCopy(tree: Tree, path: Uint8Array, fd: number): void {
    const here = this.#tree(tree);
    file.close(makeDirectories(here, splitPath(path).directory));
    this.#free(path, (free) => copyOpenFile(fd, tree.place(path), here, free));
    this.#list("copied", tree, path);
  }

  closeAll(): void {
    for (const { rootFd } of this.#trees.values()) file.close(rootFd);
    this.#trees.clear();
  }

  /** Tries `path`, then `path.1` and so on, while `attempt` says that the name is taken. */
  #free(path: Uint8Array, attempt: (path: Uint8Array) => number): void {
    for (let count = 0; count <= SAME_NAME_MAX; count += 1) {
      const free = count === 0 ? path : Buffer.concat([path, Buffer.from(`.${count}`)]);
      const result = attempt(free);
      if (result !== -ERRNO.EEXIST) {
        check(result, "set aside", { tree: 0, path });
        return;
      }
    }
    check(-ERRNO.EEXIST, "set aside", { tree: 0, path });
  }

  #tree(of: Tree): Tree {
    const known = this.#trees.get(of.index);
    if (known !== undefined) return known;
    const folder = join(this.#folder, String(of.index + 1));
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const rootFd = file.openat(file.AT_FDCWD, cString(folder), OPEN_DIRECTORY, 0);
    check(rootFd, "open", of.place(new Uint8Array()));
    const tree = new Tree(of.index, { rootFd, exclusions: [] });
    this.#trees.set(of.index, tree);
    return tree;
  }

  #list(what: "moved" | "copied", tree: Tree, path: Uint8Array): void {
    this.entries += 1;
    const line = `${what} ${tree.index + 1} ${showPath(path)}\n`;
    appendFileSync(join(this.#folder, "LIST"), line, { mode: 0o600 });
  }
}

/** A descriptor of the directory `path`, made with all its parents where they are missing. */
function makeDirectories(tree: Tree, path: Uint8Array): number {
  let at = check(tree.open(new Uint8Array(), OPEN_DIRECTORY), "open", tree.place(path));
  let made: Uint8Array = new Uint8Array();
  for (let rest = path; rest.length > 0; ) {
    const slash = rest.indexOf(47);
    const name = slash < 0 ? rest : rest.subarray(0, slash);
    rest = slash < 0 ? new Uint8Array() : rest.subarray(slash + 1);
    made = joinPath(made, name);
    const created = file.mkdirat(at, withNul(name), 0o700);
    const next = file.openat(at, withNul(name), OPEN_DIRECTORY, 0);
    file.close(at);
    if (created !== -ERRNO.EEXIST) check(created, "mkdir", tree.place(made));
    at = check(next, "open", tree.place(made));
  }
  return at;
}
