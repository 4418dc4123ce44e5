/**
 * File ids: how the stream names files. A file gets its id when it is created through the mount,
 * or by a `bind` before the first operation that needs it; so a secondary never has to look a path
 * up later, when it may lead elsewhere.
 *
 * A file that has lost its last name can never get one again (link(2) refuses it), so nobody on
 * the other node will ever be able to see it: nothing about it is replicated, unless it was bound
 * while it had a name, or was born without one (O_TMPFILE), which link(2) does accept.
 */
import { close, S_IFDIR } from "../adapters/linux/file.ts";
import { withNul } from "../adapters/linux/library.ts";
import { Stat } from "../adapters/linux/stat.ts";
import type { FileId, OperationSink } from "../replication/operation.ts";
import { type InodeTable, type Node, openPath } from "./inode-table.ts";
import { sendWhole } from "./orphan.ts";
import { type PathFinder, splitNames, splitPath } from "./paths.ts";
import type { FileIdAllocator } from "./ports.ts";

/** The id; 0: nothing of this file is replicated; -errno: it cannot be told, which is a fault. */
export type BoundId = FileId;

export class Bindings {
  readonly #nodes: InodeTable;
  readonly #paths: PathFinder;
  readonly #ids: FileIdAllocator;
  readonly #sink: OperationSink;
  readonly #stat = new Stat();
  readonly #passedThrough: FileId[] = [];
  #attachment = 1;

  constructor(
    nodes: InodeTable,
    paths: PathFinder,
    o: { readonly ids: FileIdAllocator; readonly sink: OperationSink; readonly rootId: FileId },
  ) {
    this.#nodes = nodes;
    this.#paths = paths;
    this.#ids = o.ids;
    this.#sink = o.sink;
    nodes.root.fileId = o.rootId;
    nodes.root.attachment = this.#attachment;
  }

  /** The file's id, introducing it to the secondary if it does not know it yet. */
  idOf(node: Node): BoundId {
    if (node.attachment === this.#attachment) return node.fileId;
    if (node.isLocal) return 0;
    const id = node.isAnonymous ? this.#orphan(node) : this.#bind(node);
    return id < 0 ? id : this.#set(node, id);
  }

  /** Whether the secondary knows it by an id. */
  isBound(node: Node): boolean {
    return node.attachment === this.#attachment && node.fileId > 0;
  }

  /** A fresh id for a file that the next operation creates. */
  born(node: Node): FileId {
    return this.#set(node, this.#ids.next());
  }

  /** Tells the secondary that a bound file is not used any more. */
  forget(node: Node): void {
    if (this.isBound(node)) this.#sink.submit({ kind: "forget", id: node.fileId });
    node.attachment = 0;
  }

  /** A fresh secondary knows the roots only. */
  attach(): void {
    this.#attachment += 1;
    this.#nodes.root.attachment = this.#attachment;
    // Only a file that nobody can reach by a path must be sent now; others are bound when needed.
    for (const node of this.#nodes.all()) if (node.isAnonymous) this.idOf(node);
  }

  #set(node: Node, id: FileId): FileId {
    node.fileId = id;
    node.attachment = this.#attachment;
    return id;
  }

  #bind(node: Node): BoundId {
    const path = this.#paths.of(node);
    if (path === null) return 0;
    if (typeof path === "number") return path;
    const { directory, name } = splitPath(path);
    const parent = this.#parentId(node, directory);
    if (parent <= 0) return parent;
    const id = this.#ids.next();
    this.#sink.submit({ kind: "bind", id, parent, name });
    for (const passed of this.#passedThrough.splice(0)) {
      this.#sink.submit({ kind: "forget", id: passed });
    }
    return id;
  }

  #parentId(node: Node, directory: Uint8Array): BoundId {
    if (directory.length === 0) return this.#nodes.root.fileId;
    const hinted = this.#nodes.get(node.parentId);
    if (hinted !== undefined && hinted !== node) {
      const path = this.#paths.of(hinted);
      if (path instanceof Uint8Array && Buffer.compare(path, directory) === 0) {
        return this.idOf(hinted);
      }
    }
    return this.#bindDirectories(splitNames(directory));
  }

  /**
   * Walks down from the root. A directory that the kernel has forgotten gets an id for as long as
   * it takes to name what lies below it.
   */
  #bindDirectories(names: readonly Uint8Array[]): BoundId {
    let parent = this.#nodes.root.fileId;
    let fd = this.#nodes.root.fd;
    for (const name of names) {
      const child = openPath(fd, withNul(name));
      if (fd !== this.#nodes.root.fd) close(fd);
      if (child < 0) return child;
      fd = child;
      const described = this.#stat.of(child);
      if (described < 0) {
        close(child);
        return described;
      }
      const known = this.#nodes.find(this.#stat.inodeKey);
      if (known !== undefined && this.isBound(known)) {
        parent = known.fileId;
        continue;
      }
      const id = this.#ids.next();
      this.#sink.submit({ kind: "bind", id, parent, name });
      if (known === undefined) this.#passedThrough.push(id);
      else this.#set(known, id);
      parent = id;
    }
    if (fd !== this.#nodes.root.fd) close(fd);
    return parent;
  }

  /** Sends an unnamed file whole. */
  #orphan(node: Node): BoundId {
    const path = this.#nodes.descriptor(node);
    if (path < 0) return path;
    const described = this.#stat.of(path);
    if (described < 0) return described;
    if (node.type === S_IFDIR) return 0;
    const id = this.#ids.next();
    const sent = sendWhole(this.#sink, id, path, this.#stat);
    return sent < 0 ? sent : id;
  }
}
