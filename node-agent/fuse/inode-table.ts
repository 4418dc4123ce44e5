/**
 * The files that the kernel knows by a node id. Each is held by an O_PATH descriptor, which keeps
 * the real inode (so its number cannot be used anew) and follows it through renames. Keyed by the
 * real inode number: so all names of a hard-linked file are one node.
 *
 * The kernel may remember more files than a process may have descriptors. Beyond `descriptorsMax`
 * the descriptors of files that nobody has open are closed; a name and a file handle are kept
 * instead. The name is tried first, since what is opened by a handle has no path (see paths.ts).
 * Where there are no handles (no capability) descriptors stay, and EMFILE is the limit.
 */
import { ERRNO } from "../adapters/linux/errno.ts";
import {
  AT_FDCWD,
  close,
  descriptorPath,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  openat,
  readlinkat,
} from "../adapters/linux/file.ts";
import { handleOf, openHandle } from "../adapters/linux/file-handle.ts";
import { cString, withNul } from "../adapters/linux/library.ts";
import { Stat } from "../adapters/linux/stat.ts";
import type { FileId } from "../replication/operation.ts";
import { ROOT_NODE_ID } from "./protocol/opcodes.ts";

/** One file that the kernel knows. Mutable, owned by the table and the server's thread. */
export class Node {
  /** Given to the kernel; never reused, so that no generation is needed. */
  readonly id: number;
  readonly key: number | bigint;
  /** `mode & S_IFMT`; a file never changes its type. */
  readonly type: number;
  /** O_PATH descriptor, or -1 while only the handle is kept. */
  fd: number;
  handle: Uint8Array | null = null;
  /** How often the kernel was told of it and has not yet forgotten it. */
  lookups = 0;
  /** Open files and directories on it, and calls under way. */
  openCount = 0;
  /** Its id in the stream when `attachment` is the current one; 0: nothing of it is replicated. */
  fileId: FileId = 0;
  attachment = 0;
  /** Where it was last seen, and as what when it was evicted: hints only, verified before use. */
  parentId: number;
  name: Uint8Array | null = null;
  /** Lies in a place that is not replicated. */
  isLocal: boolean;
  /** Born without a name (O_TMPFILE), so it may still get one. */
  isAnonymous = false;
  /** Its last name is gone. */
  isUnlinked = false;
  /** A name of it is gone, maybe the one that `fd` was opened by: then it has no path any more. */
  hasLostName = false;
  /** Its modification time on the peer may differ. */
  hasChangedTimes = false;
  /** The kernel's pages of it were filled while we were primary, so they are still right. */
  hasTrustedPages = false;
  /** Where it lay when names had changed `pathNames` times (mutation-reports.ts). */
  path: Uint8Array | null = null;
  pathNames = -1;
  /** Touched since the evicting hand last came by. */
  wasUsed = true;

  constructor(id: number, stat: Stat, fd: number, parentId: number, isLocal: boolean) {
    this.id = id;
    this.key = stat.inodeKey;
    this.type = stat.type;
    this.fd = fd;
    this.parentId = parentId;
    this.isLocal = isLocal;
  }
}

const CURRENT = cString(".");

/** Descriptors closed per round once there are too many. */
const EVICTED_PER_ROUND = 64;

export class InodeTable {
  readonly root: Node;
  /** open_by_handle_at(2) wants a real descriptor of the file system; O_PATH will not do. */
  readonly #realRoot: number;
  readonly #byId = new Map<number, Node>();
  readonly #byKey = new Map<number | bigint, Node>();
  /** Nodes that hold a descriptor, in the order of the evicting hand. */
  readonly #holding = new Set<Node>();
  readonly #descriptorsMax: number;
  readonly #stat = new Stat();
  #lastId = ROOT_NODE_ID;
  #canEvict = true;
  #hasReopened = false;

  /** Takes over `rootFd`. */
  constructor(rootFd: number, stat: Stat, descriptorsMax: number) {
    this.#descriptorsMax = descriptorsMax;
    this.root = new Node(ROOT_NODE_ID, stat, rootFd, ROOT_NODE_ID, false);
    this.root.lookups = 1;
    this.#realRoot = openat(rootFd, CURRENT, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    this.#byId.set(this.root.id, this.root);
    this.#byKey.set(this.root.key, this.root);
  }

  get size(): number {
    return this.#byId.size;
  }

  get(id: number): Node | undefined {
    return this.#byId.get(id);
  }

  find(key: number | bigint): Node | undefined {
    return this.#byKey.get(key);
  }

  all(): IterableIterator<Node> {
    return this.#byId.values();
  }

  /** The node's O_PATH descriptor, opened again if it was evicted; -errno (ESTALE) if it cannot be. */
  descriptor(node: Node): number {
    node.wasUsed = true;
    if (node.fd >= 0) return node.fd;
    let fd = this.#openByName(node);
    if (fd < 0 && node.handle !== null) {
      fd = openHandle(this.#realRoot, node.handle, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd < 0) return fd;
    node.fd = fd;
    this.#hold(node);
    return fd;
  }

  #openByName(node: Node): number {
    const parent = this.#byId.get(node.parentId);
    if (node.name === null || parent === undefined || parent === node) return -ERRNO.ESTALE;
    const directory = this.descriptor(parent);
    const fd = directory < 0 ? directory : openPath(directory, node.name);
    if (fd < 0) return fd;
    if (this.#stat.of(fd) === 0 && this.#stat.inodeKey === node.key) return fd;
    close(fd);
    return -ERRNO.ESTALE;
  }

  /**
   * Notes that the kernel is told of the file behind `fd`, which `stat` describes. Takes over
   * `fd`: kept for a new node, closed for a known one.
   */
  remember(fd: number, stat: Stat, parent: Node, isLocal: boolean): Node {
    const known = this.#byKey.get(stat.inodeKey);
    if (known !== undefined) {
      close(known.hasLostName && known.fd >= 0 ? known.fd : fd);
      if (known.hasLostName && known.fd >= 0) known.fd = fd;
      known.hasLostName = false;
      known.parentId = parent.id;
      known.lookups += 1;
      return known;
    }
    this.#lastId += 1;
    const node = new Node(this.#lastId, stat, fd, parent.id, isLocal);
    node.lookups = 1;
    this.#byId.set(node.id, node);
    this.#byKey.set(node.key, node);
    this.#hold(node);
    return node;
  }

  /** The kernel forgot it `count` times; true when that was the last: then call `remove`. */
  forget(node: Node, count: number): boolean {
    node.lookups -= count;
    return node.lookups <= 0 && node !== this.root;
  }

  /** Removes a forgotten node; its descriptor is returned for closing (-1: it had none). */
  remove(node: Node): number {
    this.#byId.delete(node.id);
    this.#byKey.delete(node.key);
    this.#holding.delete(node);
    const fd = node.fd;
    node.fd = -1;
    return fd;
  }

  closeAll(): void {
    for (const node of this.#byId.values()) if (node.fd >= 0) close(node.fd);
    close(this.#realRoot);
    this.#byId.clear();
    this.#byKey.clear();
    this.#holding.clear();
  }

  #hold(node: Node): void {
    this.#holding.add(node);
    if (this.#canEvict && this.#holding.size > this.#descriptorsMax) this.#evict(node);
  }

  /** Second chance: what was used since the last round goes to the back of the line once. */
  #evict(keep: Node): void {
    let looks = EVICTED_PER_ROUND * 4;
    let evicted = 0;
    for (const node of this.#holding) {
      looks -= 1;
      if (looks < 0 || evicted >= EVICTED_PER_ROUND) return;
      // A file without a name lives only as long as somebody has it open: us.
      const isPinned = node === keep || node.openCount > 0 || node.isUnlinked || node.isAnonymous;
      if (isPinned || node.wasUsed) {
        node.wasUsed = false;
        this.#holding.delete(node);
        this.#holding.add(node);
        continue;
      }
      if (!this.#release(node)) return;
      evicted += 1;
    }
  }

  #release(node: Node): boolean {
    node.handle ??= handleOf(node.fd);
    if (node.handle === null || !this.#canReopen(node.handle)) {
      this.#canEvict = false;
      return false;
    }
    node.name = lastName(node.fd);
    close(node.fd);
    node.fd = -1;
    this.#holding.delete(node);
    return true;
  }

  /** Tried once, before the first descriptor is given up. */
  #canReopen(handle: Uint8Array): boolean {
    if (this.#hasReopened) return true;
    const fd = openHandle(this.#realRoot, handle, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) close(fd);
    this.#hasReopened = fd >= 0;
    return this.#hasReopened;
  }
}

/** Opens `name` in a directory's descriptor as O_PATH, without following a symlink. */
export const openPath = (directory: number, name: Uint8Array): number =>
  openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);

const LINK_BYTES_MAX = 4096;
const link = new Uint8Array(LINK_BYTES_MAX);
const SLASH = 47;

/** The last name of where a descriptor's file lies, NUL at its end; null when it cannot be told. */
function lastName(fd: number): Uint8Array | null {
  const length = readlinkat(AT_FDCWD, descriptorPath(fd), link, LINK_BYTES_MAX);
  if (length < 0) return null;
  const path = link.subarray(0, length);
  return withNul(path.subarray(path.lastIndexOf(SLASH) + 1));
}
