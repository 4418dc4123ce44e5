/** Tells a running resync what changed, by path (the rules are in model/replication/dirty-set.ts). */
import type { MutationListener } from "#model/replication/dirty-set.ts";
import { S_IFDIR } from "../adapters/linux/file.ts";
import type { Node } from "./inode-table.ts";
import { type FoundPath, joinPath, type PathFinder } from "./paths.ts";

export class MutationReports {
  listener: MutationListener | null = null;
  readonly #tree: number;
  readonly #paths: PathFinder;

  constructor(tree: number, paths: PathFinder) {
    this.#tree = tree;
    this.#paths = paths;
  }

  /** Content; without a range anywhere, with length 0 attributes only. */
  file(node: Node, offsetBytes = 0, lengthBytes = Number.POSITIVE_INFINITY): void {
    const listener = this.listener;
    if (listener === null || node.isLocal) return;
    const path = this.#known(this.#paths.of(node), listener);
    if (path === null) return;
    if (node.type === S_IFDIR) listener.changedDirectory(this.#tree, path);
    else listener.changedFile(this.#tree, path, { inode: node.key, offsetBytes, lengthBytes });
  }

  attributes(node: Node): void {
    this.file(node, 0, 0);
  }

  /** A name was removed. */
  removed(parent: Node): void {
    this.attributes(parent);
  }

  /** A name was added, or leads to something else now. */
  added(parent: Node, name: Uint8Array): void {
    const listener = this.listener;
    if (listener === null || parent.isLocal) return;
    const directory = this.#known(this.#paths.of(parent), listener);
    if (directory === null) return;
    listener.changedDirectory(this.#tree, directory);
    listener.changedSubtree(this.#tree, joinPath(directory, name));
  }

  /** A file without a name is nothing that a resync could look at. */
  #known(path: FoundPath, listener: MutationListener): Uint8Array | null {
    if (typeof path !== "number") return path;
    listener.changedEverything();
    return null;
  }
}
