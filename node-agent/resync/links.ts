/**
 * Which names of the source are one inode (hard links), gathered while names are visited, so that
 * they become one inode on the target too. The first name of a group that a pass visits is its
 * *leader*: the content is compared through it, and every other name is linked to it.
 *
 * Holds one entry per name with hard links, for the whole run: a later pass that touches one name
 * must know the others. A group is *incomplete* while fewer names are known than the inode has:
 * the rest lies outside the tree, or came into being where nobody looked.
 */
import { pathKey } from "./tree.ts";

/** Names of one inode in one tree. */
export type LinkGroup = {
  /** Its number on the wire; from 1. */
  readonly id: number;
  readonly tree: number;
  readonly inodeKey: number | bigint;
  readonly names: Map<string, Uint8Array>;
  leader: Uint8Array | null;
  /** All of its content has been (or will be) compared in this pass, through whichever name. */
  isCompared: boolean;
  linkCount: number;
};

export class Links {
  readonly #groups = new Map<string, LinkGroup>();
  #touched = new Set<LinkGroup>();
  #knownIncomplete = new Set<LinkGroup>();
  #nextId = 1;

  /** Leaders are chosen anew in each pass, because names may have moved since. */
  beginPass(): void {
    for (const group of this.#groups.values()) {
      group.leader = null;
      group.isCompared = false;
    }
    this.#touched = new Set();
  }

  /** Notes that `path` is a name of this inode. */
  visit(tree: number, inodeKey: number | bigint, linkCount: number, path: Uint8Array): LinkGroup {
    const key = `${tree}/${inodeKey}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      const names = new Map<string, Uint8Array>();
      const id = this.#nextId;
      group = { id, tree, inodeKey, names, leader: null, isCompared: false, linkCount };
      this.#nextId += 1;
      this.#groups.set(key, group);
    }
    group.linkCount = linkCount;
    group.names.set(pathKey(path), path);
    group.leader ??= path;
    this.#touched.add(group);
    return group;
  }

  /** A name that turned out to be another file's, or nobody's. */
  forget(group: LinkGroup, path: Uint8Array): void {
    group.names.delete(pathKey(path));
  }

  /**
   * Ends a pass: true when a name of a touched group is still unknown and nobody has searched the
   * whole tree for it yet. `wasWhole`: this pass visited every name, so what is missing now lies
   * outside the tree and is not asked for again.
   */
  mustSearch(wasWhole: boolean): boolean {
    let isMissing = false;
    for (const group of this.#touched) {
      if (group.names.size >= group.linkCount) this.#knownIncomplete.delete(group);
      else if (wasWhole) this.#knownIncomplete.add(group);
      else if (!this.#knownIncomplete.has(group)) isMissing = true;
    }
    return isMissing;
  }
}
