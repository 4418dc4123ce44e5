/**
 * The secondary's open files: which real file each `FileId` means. An id is introduced once, by
 * the operation that made or bound the file, and then stands for that inode whatever happens to
 * its names; no path is ever looked up again.
 *
 * Each entry holds an O_PATH descriptor, or a real one once data is written. Real ones of files
 * are bounded (`OPEN_FILES_MAX`, the oldest is given back); O_PATH ones live until the primary's
 * kernel forgets the id, so that both nodes hold about the same number.
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

const OPEN_FILES_MAX = 1024;
const OWNER_MAY_WRITE = 0o600;

type Entry = {
  /** O_PATH, or -1 while `open` stands in for it. */
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

  /** `roots` are readable descriptors of the trees' directories; they stay the caller's. */
  constructor(roots: readonly number[]) {
    this.#roots = roots;
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
    return entry.open >= 0 ? entry.open : entry.path;
  }

  has(id: FileId): boolean {
    return this.descriptor(id) >= 0;
  }

  /** Takes over an O_PATH descriptor. */
  addPath(id: FileId, path: number): void {
    assert(!this.has(id), "an id is introduced once");
    this.#entries.set(id, { path, open: -1, users: 0, isForgotten: false });
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
    const open = openReal(entry.path);
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
    entry.isForgotten = true;
    if (entry.users === 0) closeBoth(entry);
  }

  /** A new attachment starts with the roots alone. */
  clear(): void {
    for (const id of [...this.#entries.keys()]) this.forget(id);
  }

  #noteOpened(id: FileId): void {
    this.#opened.add(id);
    if (this.#opened.size <= OPEN_FILES_MAX) return;
    for (const oldest of this.#opened) {
      const entry = this.#entries.get(oldest);
      // One in use by a helper thread stays; so many fsyncs at once are bounded elsewhere.
      if (entry === undefined || entry.users > 0 || oldest === id || !giveBack(entry)) continue;
      this.#opened.delete(oldest);
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
