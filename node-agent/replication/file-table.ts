/**
 * The secondary's open files: which real file each `FileId` means. An id is introduced once, by
 * the operation that made or bound the file, and then stands for that inode whatever happens to
 * its names; no path is ever looked up again.
 *
 * Each entry holds an O_PATH descriptor, or a real one once data is written. Both are bounded: of
 * too many real ones the oldest is given back, of too many O_PATH ones the oldest are parked
 * (parked-files.ts). Entries live until the primary's kernel forgets the id.
 */

import { assert } from "#model/shared/assert.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import {
  AT_FDCWD,
  chmod,
  close,
  descriptorPath,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  openat,
  S_IFDIR,
  S_IFREG,
} from "../adapters/linux/file.ts";
import { Stat } from "../adapters/linux/stat.ts";
import type { FileId } from "./operation.ts";
import { ParkedFiles } from "./parked-files.ts";

const OPEN_FILES_MAX = 1024;
/** As many as the primary keeps of files that nobody has open. */
const PATHS_MAX = 8192;
/** Parked per round once there are too many. */
const PARKED_PER_ROUND = 64;
const PATH_FLAGS = O_PATH | O_CLOEXEC;
const OWNER_MAY_WRITE = 0o600;

type Entry = {
  /** O_PATH, or -1 while `open` stands in for it or the file is parked. */
  path: number;
  /** Opened for reading and writing (a directory: for reading), or -1. */
  open: number;
  /** Calls in helper threads that use `open`: it may not be closed meanwhile. */
  users: number;
  isForgotten: boolean;
};

const stat = new Stat();

export class FileTable {
  readonly #roots: readonly number[];
  readonly #entries = new Map<FileId, Entry>();
  /** Ids with a real descriptor, oldest first. */
  readonly #opened = new Set<FileId>();
  /** Ids with an O_PATH descriptor, oldest first. */
  readonly #paths = new Set<FileId>();
  readonly #parked: ParkedFiles;
  readonly #pathsMax: number;

  /** `roots` are readable descriptors of the trees' directories; they stay the caller's. */
  constructor(roots: readonly number[], pathsMax = PATHS_MAX) {
    this.#roots = roots;
    this.#parked = new ParkedFiles(roots);
    this.#pathsMax = pathsMax;
  }

  /** O_PATH descriptors held. */
  get pathCount(): number {
    return this.#paths.size;
  }

  /** Real descriptors of files, without the O_PATH ones. */
  get openCount(): number {
    return this.#opened.size;
  }

  /** Any descriptor of `id`, good for names beneath it and for attributes; or -ESTALE. */
  descriptor(id: FileId): number {
    const root = this.#roots[id - 1];
    if (root !== undefined) return root;
    const entry = this.#entries.get(id);
    if (entry === undefined) return -ERRNO.ESTALE;
    return entry.open >= 0 ? entry.open : this.#path(id, entry);
  }

  has(id: FileId): boolean {
    return this.#roots[id - 1] !== undefined || this.#entries.has(id);
  }

  /** Closes what is too much. Between two operations only: descriptors given out end here. */
  trim(): void {
    if (this.#paths.size <= this.#pathsMax) return;
    let rounds = PARKED_PER_ROUND;
    for (const id of this.#paths) {
      if (rounds === 0) return;
      rounds -= 1;
      this.#paths.delete(id);
      const entry = this.#entries.get(id);
      if (entry === undefined || entry.path < 0) continue;
      if (entry.users === 0 && entry.open < 0 && this.#parked.park(id, entry.path)) entry.path = -1;
      else this.#paths.add(id);
    }
  }

  /** Before `name` is taken from `directory`: what had no other name must live on by a descriptor. */
  keepFrom(directory: number, name: Uint8Array): number {
    const id = this.#parked.losing(directory, name);
    return id === 0 ? 0 : Math.min(0, this.descriptor(id));
  }

  /** Takes over an O_PATH descriptor. */
  addPath(id: FileId, path: number): void {
    assert(!this.has(id), "an id is introduced once");
    this.#entries.set(id, { path, open: -1, users: 0, isForgotten: false });
    this.#paths.add(id);
  }

  /** Takes over a descriptor opened for reading and writing. */
  addOpen(id: FileId, open: number): void {
    assert(!this.has(id), "an id is introduced once");
    this.#entries.set(id, { path: -1, open, users: 0, isForgotten: false });
    this.#noteOpened(id);
  }

  /** A real descriptor of a regular file (to write) or a directory (to sync); or -errno. */
  opened(id: FileId): number {
    const root = this.#roots[id - 1];
    if (root !== undefined) return root;
    const entry = this.#entries.get(id);
    if (entry === undefined) return -ERRNO.ESTALE;
    if (entry.open >= 0) return entry.open;
    const path = this.#path(id, entry);
    const open = path < 0 ? path : openReal(path);
    if (open < 0) return open;
    entry.open = open;
    this.#noteOpened(id);
    return open;
  }

  /** `opened`, kept open until `release` even if the id is forgotten meanwhile. */
  hold(id: FileId): number {
    const open = this.opened(id);
    const entry = this.#entries.get(id);
    if (open >= 0 && entry !== undefined) entry.users += 1;
    return open;
  }

  /** Ends a `hold`; returns what to call when the helper thread is done. */
  releaser(id: FileId): () => void {
    const entry = this.#entries.get(id);
    return () => {
      if (entry === undefined) return;
      entry.users -= 1;
      if (entry.isForgotten && entry.users === 0) closeBoth(entry);
    };
  }

  forget(id: FileId): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#opened.delete(id);
    this.#paths.delete(id);
    this.#parked.drop(id);
    entry.isForgotten = true;
    if (entry.users === 0) closeBoth(entry);
  }

  /** A new attachment starts with the roots alone. */
  clear(): void {
    for (const id of [...this.#entries.keys()]) this.forget(id);
  }

  #path(id: FileId, entry: Entry): number {
    if (entry.path >= 0) return entry.path;
    const path = this.#parked.wake(id, PATH_FLAGS);
    if (path < 0) return path;
    entry.path = path;
    this.#paths.add(id);
    return path;
  }

  #noteOpened(id: FileId): void {
    this.#opened.add(id);
    if (this.#opened.size <= OPEN_FILES_MAX) return;
    for (const oldest of this.#opened) {
      const entry = this.#entries.get(oldest);
      // One in use by a helper thread stays; so many fsyncs at once are bounded elsewhere.
      if (entry === undefined || entry.users > 0 || oldest === id || !giveBack(entry)) continue;
      this.#opened.delete(oldest);
      this.#paths.add(oldest);
      return;
    }
  }
}

/** Keeps only an O_PATH descriptor; false when none can be had (then nothing changes). */
function giveBack(entry: Entry): boolean {
  if (entry.path < 0) {
    const path = openat(AT_FDCWD, descriptorPath(entry.open), O_PATH | O_CLOEXEC, 0);
    if (path < 0) return false;
    entry.path = path;
  }
  close(entry.open);
  entry.open = -1;
  return true;
}

function closeBoth(entry: Entry): void {
  if (entry.path >= 0) close(entry.path);
  if (entry.open >= 0) close(entry.open);
  entry.path = -1;
  entry.open = -1;
}

function openReal(path: number): number {
  const result = stat.of(path);
  if (result < 0) return result;
  if (stat.type === S_IFDIR) {
    return openat(AT_FDCWD, descriptorPath(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  }
  // Opening a device or a fifo would act on it; only files have data here.
  if (stat.type !== S_IFREG) return -ERRNO.EINVAL;
  const open = openat(AT_FDCWD, descriptorPath(path), O_RDWR | O_CLOEXEC, 0);
  if (open !== -ERRNO.EACCES) return open;
  return openReadOnlyFile(path, stat.mode & 0o7777);
}

/**
 * An agent without root's capabilities may not write its own file of mode 0444, which on the
 * primary was opened at its creation: for a moment it gives itself the right.
 */
function openReadOnlyFile(path: number, mode: number): number {
  const changed = chmod(descriptorPath(path), mode | OWNER_MAY_WRITE);
  if (changed < 0) return changed;
  const open = openat(AT_FDCWD, descriptorPath(path), O_RDWR | O_CLOEXEC, 0);
  const restored = chmod(descriptorPath(path), mode);
  if (restored < 0 && open >= 0) {
    close(open);
    return restored;
  }
  return open;
}
