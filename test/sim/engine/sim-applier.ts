import { Buffer } from "node:buffer";
import type { MutationListener } from "#model/replication/dirty-set.ts";
import { ERRNO } from "../../../node-agent/adapters/linux/errno.ts";
import type { Operation } from "../../../node-agent/replication/operation.ts";
import type { OperationApplier } from "../../../node-agent/replication/receiver.ts";
import type { SimDisk } from "../sim-disk.ts";
import type { Inode } from "../sim-tree.ts";
import { ROOT_FD } from "./sim-blocking.ts";
import { CELL_BYTES, CELLS, SIZE_UNIT } from "./sim-server.ts";

const ROOT = 1;

/** By its number, or where that does not travel, by its kind and the name that it took away. */
export type Applied =
  | { readonly id: number }
  | { readonly kind: "rename" | "unlink"; readonly source: string };

export type ApplierOptions = {
  readonly disk: SimDisk;
  /** That operation of an application has been carried out on this copy. */
  readonly onApplied: (applied: Applied) => void;
};

/** Performs a primary's operations on this node's copy, as node-agent/replication/applier.ts does. */
export class SimApplier implements OperationApplier {
  mutations: MutationListener | null = null;
  readonly #options: ApplierOptions;
  readonly #inodes = new Map<number, Inode>();
  readonly files = {
    hold: (id: number): number => {
      if (id === ROOT) return ROOT_FD;
      return this.#inodes.get(id)?.stamp ?? -ERRNO.ESRCH;
    },
    releaser: () => () => undefined,
  };

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  reset(): void {
    this.#inodes.clear();
  }

  apply(o: Operation): number {
    const { tree, faults } = this.#options.disk;
    if (o.kind === "fsync" || o.kind === "syncfs") return 0;
    if (o.kind === "touch") return this.#announced(o);
    if (o.kind === "forget") {
      this.#inodes.delete(o.id);
      return 0;
    }
    if (faults.dataError !== null) return -ERRNO[faults.dataError];
    switch (o.kind) {
      case "bind": {
        const inode = tree.names.get(Buffer.from(o.name).toString());
        if (inode === undefined) return -ERRNO.ENOENT;
        this.#inodes.set(o.id, inode);
        return 0;
      }
      case "create": {
        const name = Buffer.from(o.name).toString();
        if (tree.names.has(name)) return -ERRNO.EEXIST;
        const inode: Inode = { stamp: o.birth.uid, cells: new Map() };
        tree.setNames([[name, inode]]);
        this.#inodes.set(o.id, inode);
        this.#added(name);
        return this.#applied({ id: o.rdev });
      }
      case "write":
        return this.#write(o);
      case "truncate":
        return this.#truncate(o);
      case "rename": {
        const [name, newName] = [Buffer.from(o.name), Buffer.from(o.newName)].map(String);
        const inode = tree.names.get(name ?? "");
        if (inode === undefined || name === undefined || newName === undefined) {
          return -ERRNO.ENOENT;
        }
        tree.setNames([
          [name, null],
          [newName, inode],
        ]);
        this.#added(newName);
        return this.#applied({ kind: o.kind, source: name });
      }
      case "unlink": {
        const name = Buffer.from(o.name).toString();
        if (!tree.names.has(name)) return -ERRNO.ENOENT;
        tree.setNames([[name, null]]);
        this.mutations?.changedDirectory(0, Buffer.from(""));
        return this.#applied({ kind: o.kind, source: name });
      }
      default:
        return -ERRNO.EOPNOTSUPP;
    }
  }

  #write(o: Extract<Operation, { kind: "write" }>): number {
    const inode = this.#inodes.get(o.id);
    if (inode === undefined) return -ERRNO.ESRCH;
    const data = Buffer.from(o.data);
    const first = o.offsetBytes / CELL_BYTES;
    const id = data.readDoubleLE(0);
    const cells = Array.from({ length: data.length / CELL_BYTES }, (_, index) => first + index);
    this.#options.disk.tree.setCells(
      inode,
      cells.map((cell) => [cell, id] as const),
    );
    this.#changed(inode, o.offsetBytes, data.length);
    return this.#applied({ id });
  }

  #truncate(o: Extract<Operation, { kind: "truncate" }>): number {
    const inode = this.#inodes.get(o.id);
    if (inode === undefined) return -ERRNO.ESRCH;
    const first = (o.sizeBytes % SIZE_UNIT) / CELL_BYTES;
    const id = Math.floor(o.sizeBytes / SIZE_UNIT);
    const cut = Array.from({ length: CELLS - first }, (_, index) => [first + index, -id] as const);
    this.#options.disk.tree.setCells(inode, cut);
    this.#changed(inode, first * CELL_BYTES);
    return this.#applied({ id });
  }

  /** Of the only directory there is, or of a file in it. */
  #announced({ tree, path, what, startBytes, endBytes }: Extract<Operation, { kind: "touch" }>) {
    const { mutations } = this;
    const stamp = this.#options.disk.tree.names.get(Buffer.from(path).toString())?.stamp ?? 0;
    if (what === "everything") mutations?.changedEverything();
    else if (what === "names") mutations?.changedDirectory(tree, path);
    else if (what === "content") {
      const change = { inode: stamp, offsetBytes: startBytes, lengthBytes: endBytes - startBytes };
      mutations?.changedFile(tree, path, change);
    } else mutations?.changedSubtree(tree, path);
    return 0;
  }

  #added(name: string): void {
    this.mutations?.changedDirectory(0, Buffer.from(""));
    this.mutations?.changedSubtree(0, Buffer.from(name));
  }

  #changed(inode: Inode, offsetBytes: number, lengthBytes = Number.POSITIVE_INFINITY): void {
    for (const [name, one] of this.#options.disk.tree.names) {
      if (one !== inode) continue;
      const change = { inode: inode.stamp, offsetBytes, lengthBytes };
      this.mutations?.changedFile(0, Buffer.from(name), change);
    }
  }

  #applied(op: Applied): number {
    this.#options.onApplied(op);
    return 0;
  }
}
