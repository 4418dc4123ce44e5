/**
 * Tells a listener what the applied operations touched on this node's disk, by path, as the FUSE
 * server does on a primary (the rules are in model/replication/dirty-set.ts). Also of an operation
 * that failed: it may have happened in part.
 */

import type { InodeKey, MutationListener } from "#model/replication/dirty-set.ts";
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
import { joinPath } from "../fuse/paths.ts";
import type { FileTable } from "./file-table.ts";
import type { FileId, Operation } from "./operation.ts";

const RENAME_EXCHANGE = 2;
/** FALLOC_FL_COLLAPSE_RANGE and _INSERT_RANGE: everything behind moves. */
const FALLOCATE_MOVES = 0x08 | 0x20;
const END = Number.POSITIVE_INFINITY;
const LINK_BYTES_MAX = 4096;
const SLASH = 47;
const DELETED = Buffer.from(" (deleted)");

type Of<K extends Operation["kind"]> = Extract<Operation, { kind: K }>;

type Found = {
  readonly tree: number;
  readonly inode: InodeKey;
  readonly isDirectory: boolean;
  /** Null: it has names, and which is not known. */
  readonly path: Uint8Array | null;
  /** Names have changed since: look again. */
  readonly names: number;
};

export class AppliedReports {
  listener: MutationListener | null = null;
  readonly #files: FileTable;
  readonly #roots: readonly number[];
  readonly #trees = new Map<FileId, number>();
  readonly #found = new Map<FileId, Found>();
  readonly #prefixes: (Buffer | null)[];
  readonly #stat = new Stat();
  readonly #link = new Uint8Array(LINK_BYTES_MAX);
  /** Counts operations after which a path may lead elsewhere. */
  #names = 0;

  constructor(roots: readonly number[], files: FileTable) {
    this.#roots = roots;
    this.#files = files;
    this.#prefixes = roots.map(() => null);
  }

  reset(): void {
    this.#trees.clear();
    this.#found.clear();
  }

  /** Before the operation: a file that is about to lose a name and has others. */
  before(o: Operation): void {
    if (o.kind === "unlink") this.#losesName(o.parent, o.name);
    else if (o.kind === "rename" && (o.flags & RENAME_EXCHANGE) === 0) {
      this.#losesName(o.newParent, o.newName);
    }
  }

  after(o: Operation): void {
    switch (o.kind) {
      case "write":
        this.#file(o.id, o.offsetBytes, o.data.length);
        return;
      case "truncate":
        this.#file(o.id, o.sizeBytes, END);
        return;
      case "fallocate":
        this.#file(o.id, o.offsetBytes, (o.mode & FALLOCATE_MOVES) !== 0 ? END : o.lengthBytes);
        return;
      case "setattr":
      case "setxattr":
      case "removexattr":
        this.#file(o.id, 0, 0);
        return;
      case "touch":
        this.#announced(o);
        return;
      case "forget":
        this.#trees.delete(o.id);
        this.#found.delete(o.id);
        return;
      default:
        this.#namesOf(o);
    }
  }

  #namesOf(o: Operation): void {
    switch (o.kind) {
      case "create":
      case "mkdir":
      case "symlink":
        this.#belongs(o.id, o.parent);
        this.#added(o.parent, o.name);
        return;
      case "bind":
        this.#belongs(o.id, o.parent);
        return;
      case "link":
        this.#names += 1;
        this.#belongs(o.id, o.parent);
        this.#file(o.id, 0, 0);
        this.#added(o.parent, o.name);
        return;
      case "unlink":
      case "rmdir":
        this.#names += 1;
        this.#file(o.parent, 0, 0);
        return;
      case "rename":
        this.#names += 1;
        if ((o.flags & RENAME_EXCHANGE) !== 0) this.#added(o.parent, o.name);
        else this.#moved(o);
        this.#added(o.newParent, o.newName);
        return;
      default:
    }
  }

  #belongs(id: FileId, parent: FileId): void {
    const tree = this.#treeOf(parent);
    if (tree !== undefined) this.#trees.set(id, tree);
  }

  #treeOf(id: FileId): number | undefined {
    return id <= this.#roots.length ? id - 1 : this.#trees.get(id);
  }

  #file(id: FileId, offsetBytes: number, lengthBytes: number): void {
    const { listener } = this;
    const found = listener === null ? null : this.#find(id);
    if (listener === null || found === null) return;
    const { tree, path, inode } = found;
    if (path === null) listener.changedInode(tree, inode);
    else if (found.isDirectory) listener.changedDirectory(tree, path);
    else listener.changedFile(tree, path, { inode, offsetBytes, lengthBytes });
  }

  #added(parent: FileId, name: Uint8Array): void {
    const { listener } = this;
    const found = listener === null ? null : this.#find(parent);
    if (listener === null || found === null) return;
    if (found.path === null) {
      listener.changedEverything();
      return;
    }
    listener.changedDirectory(found.tree, found.path);
    listener.changedSubtree(found.tree, joinPath(found.path, name));
  }

  /** The primary is about to touch this place of its own disk; nothing is touched here. */
  #announced({ tree, path, what, startBytes, endBytes }: Of<"touch">): void {
    const { listener } = this;
    const rootFd = this.#roots[tree];
    if (listener === null || rootFd === undefined) return;
    if (what === "everything") listener.changedEverything();
    else if (what === "names") listener.changedDirectory(tree, path);
    else if (what === "all") listener.changedSubtree(tree, path);
    else this.#announcedFile(listener, rootFd, { tree, path, what, startBytes, endBytes });
  }

  #announcedFile(
    listener: MutationListener,
    rootFd: number,
    o: Pick<Of<"touch">, "tree" | "path" | "what" | "startBytes" | "endBytes">,
  ): void {
    const fd = openBeneath(rootFd, withNul(o.path), O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    const described = fd < 0 ? fd : this.#stat.of(fd);
    if (fd >= 0) close(fd);
    // Paths longer than one call takes, and what is not there: as much as can be said of it.
    if (described < 0) listener.changedSubtree(o.tree, o.path);
    else if (o.what === "sought") listener.changedInode(o.tree, this.#stat.inodeKey);
    else {
      const lengthBytes = o.endBytes === Number.MAX_SAFE_INTEGER ? END : o.endBytes - o.startBytes;
      const change = { inode: this.#stat.inodeKey, offsetBytes: o.startBytes, lengthBytes };
      listener.changedFile(o.tree, o.path, change);
    }
  }

  #moved(o: Of<"rename">): void {
    this.#file(o.parent, 0, 0);
    const [from, to] = [this.#find(o.parent), this.#find(o.newParent)];
    if (from === null || from.path === null || to === null || to.path === null) return;
    this.listener?.renamed(from.tree, joinPath(from.path, o.name), joinPath(to.path, o.newName));
  }

  #losesName(parent: FileId, name: Uint8Array): void {
    const tree = this.#treeOf(parent);
    const fd = this.#files.descriptor(parent);
    if (tree === undefined || fd < 0 || this.#stat.at(fd, withNul(name)) < 0) return;
    const { linkCount, type, inodeKey } = this.#stat;
    if (type !== S_IFDIR && linkCount > 1) this.listener?.lostName(tree, inodeKey);
  }

  /** Null: nobody can see it by any name, or (told to the listener) nobody can say. */
  #find(id: FileId): Found | null {
    const known = this.#found.get(id);
    if (known?.names === this.#names) return known;
    const tree = this.#treeOf(id);
    const fd = this.#files.descriptor(id);
    // A file born without a name belongs to no tree until it is linked into one.
    if (tree === undefined) return null;
    if (fd < 0 || this.#stat.of(fd) < 0) {
      this.listener?.changedEverything();
      return null;
    }
    const { linkCount, type, inodeKey } = this.#stat;
    if (linkCount === 0) return null;
    const isDirectory = type === S_IFDIR;
    const path = id <= this.#roots.length ? new Uint8Array(0) : this.#pathOf(fd, tree);
    const found = { tree, inode: inodeKey, isDirectory, path, names: this.#names };
    this.#found.set(id, found);
    return found;
  }

  #pathOf(fd: number, tree: number): Uint8Array | null {
    const link = this.#read(fd);
    if (link === null) return null;
    let prefix = this.#prefixes[tree] ?? null;
    if (prefix === null || !isBelow(link, prefix)) {
      prefix = this.#read(this.#roots[tree] ?? -1);
      this.#prefixes[tree] = prefix;
    }
    if (prefix === null || !isBelow(link, prefix)) return null;
    const path = link.subarray(prefix.length === 1 ? 1 : prefix.length + 1);
    // A name that ends so by itself is found by its number all the same.
    return path.subarray(-DELETED.length).equals(DELETED) ? null : path;
  }

  #read(fd: number): Buffer | null {
    const length = readlinkat(AT_FDCWD, descriptorPath(fd), this.#link, LINK_BYTES_MAX);
    return length < 0 ? null : Buffer.from(this.#link.subarray(0, length));
  }
}

/** Below `prefix`, the absolute path of a directory. */
function isBelow(path: Buffer, prefix: Buffer): boolean {
  if (path.length <= prefix.length || !path.subarray(0, prefix.length).equals(prefix)) return false;
  return prefix.length === 1 || path[prefix.length] === SLASH;
}
