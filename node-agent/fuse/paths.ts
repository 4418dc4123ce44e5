/**
 * Where a known file lies now, relative to the tree's root. The kernel itself keeps the answer
 * (readlink(2) of /proc/self/fd/N follows renames of every parent), so it is right whenever it is
 * asked on the thread that makes all changes. Three cases need a search by inode number: paths
 * longer than a page, a file whose remembered name is gone while it has others, and one that was
 * opened by its handle.
 */

import { listDirectory } from "../adapters/linux/directory.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import {
  AT_FDCWD,
  close,
  descriptorPath,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_PATH,
  readlinkat,
  S_IFDIR,
} from "../adapters/linux/file.ts";
import { withNul } from "../adapters/linux/library.ts";
import { openBeneath } from "../adapters/linux/open-beneath.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { type InodeTable, type Node, openPath } from "./inode-table.ts";

const SLASH = 47;
const PATH_BYTES_MAX = 4096;
const DELETED = Buffer.from(" (deleted)");
const TYPE_SHIFT = 12;

/** The path, `null` when the file has no name any more, or -errno when it cannot be told. */
export type FoundPath = Uint8Array | null | number;

const endsWith = (bytes: Uint8Array, tail: Uint8Array): boolean =>
  bytes.length >= tail.length &&
  Buffer.compare(bytes.subarray(bytes.length - tail.length), tail) === 0;

const startsWith = (bytes: Uint8Array, head: Uint8Array): boolean =>
  Buffer.compare(bytes.subarray(0, head.length), head) === 0;

/** `directory/name`; the root is the empty path. */
export function joinPath(directory: Uint8Array, name: Uint8Array): Uint8Array {
  if (directory.length === 0) return name.slice();
  const path = new Uint8Array(directory.length + 1 + name.length);
  path.set(directory);
  path[directory.length] = SLASH;
  path.set(name, directory.length + 1);
  return path;
}

/** The parent's path (empty for the root) and the last name. */
export function splitPath(path: Uint8Array): { directory: Uint8Array; name: Uint8Array } {
  const slash = path.lastIndexOf(SLASH);
  const directory = slash < 0 ? path.subarray(0, 0) : path.subarray(0, slash);
  return { directory, name: path.subarray(slash + 1) };
}

/** Every name of a path, outermost first. */
export function splitNames(path: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let rest = path; rest.length > 0; ) {
    const slash = rest.indexOf(SLASH);
    names.push(slash < 0 ? rest : rest.subarray(0, slash));
    rest = slash < 0 ? rest.subarray(rest.length) : rest.subarray(slash + 1);
  }
  return names;
}

export class PathFinder {
  readonly #nodes: InodeTable;
  readonly #stat = new Stat();
  readonly #link = new Uint8Array(PATH_BYTES_MAX);
  readonly #prefix = new Uint8Array(PATH_BYTES_MAX);

  constructor(nodes: InodeTable) {
    this.#nodes = nodes;
  }

  /** Where `node` lies now. A fresh copy. */
  of(node: Node): FoundPath {
    if (node === this.#nodes.root) return new Uint8Array(0);
    const fd = this.#nodes.descriptor(node);
    if (fd < 0) return fd;
    const length = readlinkat(AT_FDCWD, descriptorPath(fd), this.#link, PATH_BYTES_MAX);
    if (length < 0) return length === -ERRNO.ENAMETOOLONG ? this.#search(node) : length;
    const root = descriptorPath(this.#nodes.root.fd);
    const prefix = readlinkat(AT_FDCWD, root, this.#prefix, PATH_BYTES_MAX);
    if (prefix < 0) return prefix;
    // The link's text starts with the root's own, then a slash; `/` as a root has no further one.
    const skipped = prefix === 1 ? 1 : prefix + 1;
    // What was opened by its handle may have no place in the tree that the kernel knows of.
    if (length <= skipped || !startsWith(this.#link, this.#prefix.subarray(0, prefix))) {
      return this.#search(node);
    }
    const path = this.#link.slice(skipped, length);
    // A name may end in " (deleted)" by itself: then the file is found under it.
    if (!endsWith(path, DELETED) || this.#isAt(path, node)) return path;
    const described = this.#stat.of(fd);
    if (described < 0) return described;
    const hasNames = node.type === S_IFDIR ? false : this.#stat.linkCount > 0;
    return hasNames ? this.#search(node) : null;
  }

  #isAt(path: Uint8Array, node: Node): boolean {
    const flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
    const fd = openBeneath(this.#nodes.root.fd, withNul(path), flags, 0);
    if (fd < 0) return false;
    const described = this.#stat.of(fd);
    close(fd);
    return described === 0 && this.#stat.inodeKey === node.key;
  }

  /** First beside where it was last seen, then in the whole tree; slow, and rarely needed. */
  #search(node: Node): FoundPath {
    const parent = this.#nodes.get(node.parentId);
    if (parent !== undefined && parent !== node) {
      const fd = this.#nodes.descriptor(parent);
      const name = fd < 0 ? null : nameIn(fd, node);
      const directory = name === null ? null : this.of(parent);
      if (name !== null && directory instanceof Uint8Array) return joinPath(directory, name);
    }
    const names = searchBelow(this.#nodes.root.fd, node);
    return names === null ? -ERRNO.ESTALE : names.reduceRight(joinPath, new Uint8Array(0));
  }
}

/** The name in this one directory that leads to `node`. */
function nameIn(directory: number, node: Node): Uint8Array | null {
  const entries = listDirectory(directory);
  if (typeof entries === "number") return null;
  return entries.find((entry) => entry.inode === Number(node.key))?.name ?? null;
}

/** The names from `directory` down to `node`, innermost first; null when it is nowhere below. */
function searchBelow(directory: number, node: Node): Uint8Array[] | null {
  const entries = listDirectory(directory);
  if (typeof entries === "number") return null;
  const found = entries.find((entry) => entry.inode === Number(node.key));
  if (found !== undefined) return [found.name];
  for (const entry of entries) {
    // 0: the file system does not tell types, so try.
    if (entry.type !== 0 && entry.type !== S_IFDIR >>> TYPE_SHIFT) continue;
    const child = openPath(directory, withNul(entry.name));
    if (child < 0) continue;
    const names = searchBelow(child, node);
    close(child);
    if (names !== null) return [...names, entry.name];
  }
  return null;
}
