/** Tells a running resync what changed, by path (the rules are in model/replication/dirty-set.ts). */
import type { MutationListener } from "#model/replication/dirty-set.ts";
import type { Touch } from "#model/replication/hot-places.ts";
import { S_IFDIR } from "../adapters/linux/file.ts";
import type { Node } from "./inode-table.ts";
import { type FoundPath, joinPath, type PathFinder } from "./paths.ts";

export class MutationReports {
  listener: MutationListener | null = null;
  readonly #tree: number;
  readonly #paths: PathFinder;
  /** Counts changes after which a known path may lead elsewhere. */
  #names = 0;

  constructor(tree: number, paths: PathFinder) {
    this.#tree = tree;
    this.#paths = paths;
  }

  /** A name was moved or taken away: paths are to be found anew. */
  namesChanged(): void {
    this.#names += 1;
  }

  /** Files that are about to lose a name and have others. */
  lostNames(touches: readonly Touch[]): void {
    for (const touch of touches) {
      if (touch.kind === "lostName") this.listener?.lostName(touch.tree, touch.inode);
    }
  }

  /** Besides what that adds and removes. */
  renamed(parent: Node, name: Uint8Array, newParent: Node, newName: Uint8Array): void {
    const { listener } = this;
    if (listener === null || parent.isLocal) return;
    const [from, to] = [this.#pathOf(parent), this.#pathOf(newParent)];
    if (!(from instanceof Uint8Array && to instanceof Uint8Array)) return;
    listener.renamed(this.#tree, joinPath(from, name), joinPath(to, newName));
  }

  /** Content; without a range anywhere, with length 0 attributes only. */
  file(node: Node, offsetBytes = 0, lengthBytes = Number.POSITIVE_INFINITY): void {
    const listener = this.listener;
    if (listener === null || node.isLocal) return;
    const path = this.#pathOf(node);
    // Nobody can see it by any name.
    if (path === null) return;
    if (typeof path === "number") {
      listener.changedInode(this.#tree, node.key);
      return;
    }
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
    const directory = this.#pathOf(parent);
    if (!(directory instanceof Uint8Array)) {
      listener.changedEverything();
      return;
    }
    listener.changedDirectory(this.#tree, directory);
    listener.changedSubtree(this.#tree, joinPath(directory, name));
  }

  #pathOf(node: Node): FoundPath {
    if (node.pathNames === this.#names && node.path !== null) return node.path;
    const path = this.#paths.of(node);
    node.path = path instanceof Uint8Array ? path : null;
    node.pathNames = this.#names;
    return path;
  }
}
