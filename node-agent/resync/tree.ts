/**
 * Paths within one replicated directory: bytes relative to its root, opened from the root's
 * descriptor without following a symlink or leaving the directory, however long they are.
 */

import { ERRNO } from "../adapters/linux/errno.ts";
import * as file from "../adapters/linux/file.ts";
import { cString, withNul } from "../adapters/linux/library.ts";
import { openBeneath } from "../adapters/linux/open-beneath.ts";
import type { ResyncPlace, ResyncTree } from "./resync.ts";

/** A system call failed where it must not. Thrown, and made a Result at the top of a run. */
export class FileFailure extends Error {
  override readonly name = "FileFailure";
  readonly errno: number;
  readonly operation: string;
  readonly place: ResyncPlace;

  constructor(result: number, operation: string, place: ResyncPlace) {
    super(`${operation}: errno ${-result}`);
    this.errno = -result;
    this.operation = operation;
    this.place = place;
  }
}

/** `result` when it is no error; throws `FileFailure` otherwise. */
export function check(result: number, operation: string, place: ResyncPlace): number {
  if (result < 0) throw new FileFailure(result, operation, place);
  return result;
}

/** The file is not (or no longer) where the path says: it moved, or something else is there now. */
export function isGone(result: number): boolean {
  return result === -ERRNO.ENOENT || result === -ERRNO.ENOTDIR || result === -ERRNO.ELOOP;
}

const SLASH = 47;
const CURRENT = cString(".");
/** One system call takes PATH_MAX (4096) bytes with the NUL; longer paths are walked in pieces. */
const PIECE_BYTES_MAX = 4000;
export const OPEN_ENTRY = file.O_PATH | file.O_NOFOLLOW | file.O_CLOEXEC;
export const OPEN_DIRECTORY = file.O_RDONLY | file.O_DIRECTORY | file.O_NOFOLLOW | file.O_CLOEXEC;
/** O_NONBLOCK: were it a fifo by now, opening must not wait for a writer. */
export const OPEN_TO_READ =
  file.O_RDONLY | file.O_NOFOLLOW | file.O_NONBLOCK | file.O_NOCTTY | file.O_CLOEXEC;
export const OPEN_TO_CHANGE =
  file.O_RDWR | file.O_NOFOLLOW | file.O_NONBLOCK | file.O_NOCTTY | file.O_CLOEXEC;

/** `directory` and `name` as one path; the root is the empty path. */
export function joinPath(directory: Uint8Array, name: Uint8Array): Uint8Array {
  if (directory.length === 0) return Uint8Array.from(name);
  const path = new Uint8Array(directory.length + 1 + name.length);
  path.set(directory);
  path[directory.length] = SLASH;
  path.set(name, directory.length + 1);
  return path;
}

/** The directory part and the last name of a path that is not the root's. */
export function splitPath(path: Uint8Array): { directory: Uint8Array; name: Uint8Array } {
  const slash = path.lastIndexOf(SLASH);
  return { directory: path.subarray(0, Math.max(slash, 0)), name: path.subarray(slash + 1) };
}

/** True when `path` is `ancestor` or lies below it. */
export function isWithin(path: Uint8Array, ancestor: Uint8Array): boolean {
  if (ancestor.length === 0) return true;
  if (path.length < ancestor.length) return false;
  if (path.length > ancestor.length && path[ancestor.length] !== SLASH) return false;
  return ancestor.every((byte, at) => path[at] === byte);
}

/** How many names the path has: 0 for the root. */
export function depthOf(path: Uint8Array): number {
  if (path.length === 0) return 0;
  return path.reduce((count, byte) => count + (byte === SLASH ? 1 : 0), 1);
}

/** A string key that is different for every path: one character per byte. */
export const pathKey = (path: Uint8Array): string =>
  Buffer.from(path.buffer, path.byteOffset, path.byteLength).toString("latin1");

/** A path for people: UTF-8 where it is, `\xNN` where it is not printable. */
export function showPath(path: Uint8Array): string {
  const text = Buffer.from(path).toString("utf8");
  if (Buffer.compare(Buffer.from(text), path) === 0 && !/\p{Cc}|\\/u.test(text)) return text;
  return Array.from(path, (byte) =>
    byte < 32 || byte > 126 || byte === 92
      ? `\\x${byte.toString(16).padStart(2, "0")}`
      : String.fromCharCode(byte),
  ).join("");
}

/** One replicated directory. */
export class Tree {
  readonly index: number;
  readonly rootFd: number;
  readonly #exclusions: readonly Uint8Array[];

  constructor(index: number, { rootFd, exclusions }: ResyncTree) {
    this.index = index;
    this.rootFd = rootFd;
    this.#exclusions = exclusions;
  }

  place(path: Uint8Array): ResyncPlace {
    return { tree: this.index, path: Uint8Array.from(path) };
  }

  /** True for what stays local to each node: never read, sent, changed or removed. */
  isExcluded(path: Uint8Array): boolean {
    return this.#exclusions.some((exclusion) => isWithin(path, exclusion));
  }

  /** True for a directory that must stay because something excluded lies below it. */
  hasExcludedBelow(path: Uint8Array): boolean {
    return this.#exclusions.some((exclusion) => isWithin(exclusion, path));
  }

  /** A descriptor of `path` (the root for an empty one), or -errno. Never through a symlink. */
  open(path: Uint8Array, flags: number): number {
    if (path.length === 0) return file.openat(this.rootFd, CURRENT, flags & ~file.O_NOFOLLOW, 0);
    if (path.length <= PIECE_BYTES_MAX) return openBeneath(this.rootFd, withNul(path), flags, 0);
    let directory = this.rootFd;
    let rest = path;
    try {
      while (rest.length > PIECE_BYTES_MAX) {
        const slash = rest.lastIndexOf(SLASH, PIECE_BYTES_MAX);
        if (slash <= 0) return -ERRNO.ENAMETOOLONG;
        const opened = openBeneath(directory, withNul(rest.subarray(0, slash)), OPEN_ENTRY, 0);
        if (directory !== this.rootFd) file.close(directory);
        directory = this.rootFd;
        if (opened < 0) return opened;
        directory = opened;
        rest = rest.subarray(slash + 1);
      }
      return openBeneath(directory, withNul(rest), flags, 0);
    } finally {
      if (directory !== this.rootFd) file.close(directory);
    }
  }

  /**
   * What `use` returns for a descriptor of `path`, which is then closed; null when there is nothing
   * of that name (any more). Throws `FileFailure` when it is there and cannot be opened.
   */
  with<T>(path: Uint8Array, flags: number, use: (fd: number) => T): T | null {
    const fd = this.open(path, flags);
    if (isGone(fd)) return null;
    check(fd, "open", this.place(path));
    try {
      return use(fd);
    } finally {
      file.close(fd);
    }
  }
}
