/**
 * Which names of the source are one inode (hard links), gathered while names are visited, so that
 * they become one inode on the target too. The first name of a group that a pass visits is its
 * *leader*: the content is compared through it, and every other name is linked to it.
 *
 * Holds one entry per name with hard links, for the whole run: a later pass that touches one name
 * must know the others. A group is *incomplete* when a pass saw fewer names of it than the inode had
 * at any look of that pass: the rest lies outside the tree, came into being where nobody looked, or
 * went before the pass came by. A count that has fallen by the next look is no reason to forget it.
 *
 * A change is reported under the name that it was made through, with the inode. When that name has
 * gone by the time the report is looked at, or leads to another file, the change is still to be
 * found under the other names: `suspect` finds the group by the inode.
 */
import type { InodeKey } from "#model/replication/dirty-set.ts";
import { pathKey } from "./tree.ts";

/** Names of one inode in one tree. */
export type LinkGroup = {
  /** Its number on the wire; from 1. */
  readonly id: number;
  readonly tree: number;
  readonly inodeKey: InodeKey;
  readonly names: Map<string, Uint8Array>;
  leader: Uint8Array | null;
  /** All of its content has been (or will be) compared in this pass, through whichever name. */
  isCompared: boolean;
  /** The most that this pass has seen the inode have. */
  linkCount: number;
  /** Names that this pass has come by. */
  visited: number;
  /** Known names that this pass has found gone. */
  gone: number;
};

const nameKey = (tree: number, path: Uint8Array): string => `${tree}/${pathKey(path)}`;

export class Links {
  readonly #groups = new Map<string, LinkGroup>();
  readonly #byName = new Map<string, LinkGroup>();
  #touched = new Set<LinkGroup>();
  /** Whose names this pass has looked for in the whole tree. */
  readonly #searched = new Set<string>();
  #visited = new Set<string>();
  /** How many names of a group are known to be out of sight. */
  readonly #accepted = new Map<LinkGroup, number>();
  /** Lost a name under which a change may have been reported: all content is to be compared. */
  readonly suspects = new Set<LinkGroup>();
  #nextId = 1;

  /** Leaders are chosen anew in each pass, because names may have moved since. */
  beginPass(): void {
    for (const group of this.#groups.values()) {
      group.leader = null;
      group.isCompared = false;
      [group.linkCount, group.visited, group.gone] = [0, 0, 0];
    }
    this.#touched = new Set();
    this.#visited = new Set();
    this.#searched.clear();
  }

  /** This pass visits all names that the inode has now. */
  searched(tree: number, inodeKey: InodeKey): void {
    this.#searched.add(`${tree}/${inodeKey}`);
  }

  knows(tree: number, inodeKey: InodeKey): boolean {
    return this.#groups.size > 0 && this.#groups.has(`${tree}/${inodeKey}`);
  }

  /** Notes that `path` is a name of this inode. */
  visit(tree: number, inodeKey: InodeKey, linkCount: number, path: Uint8Array): LinkGroup {
    const key = `${tree}/${inodeKey}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      const names = new Map<string, Uint8Array>();
      const id = this.#nextId;
      const counts = { linkCount, visited: 0, gone: 0 };
      group = { id, tree, inodeKey, names, leader: null, isCompared: false, ...counts };
      this.#nextId += 1;
      this.#groups.set(key, group);
    }
    group.linkCount = Math.max(group.linkCount, linkCount);
    const name = nameKey(tree, path);
    if (this.#byName.get(name) !== group) this.leave(tree, path);
    if (!this.#visited.has(name)) group.visited += 1;
    this.#visited.add(name);
    this.#byName.set(name, group);
    group.names.set(pathKey(path), path);
    group.leader ??= path;
    this.#touched.add(group);
    return group;
  }

  /** The file was changed under a name that does not lead to it any more. */
  suspect(tree: number, inodeKey: InodeKey): void {
    const group = this.#groups.get(`${tree}/${inodeKey}`);
    if (group !== undefined) this.suspects.add(group);
  }

  /** `path` is no name of a known group any more: it has gone, or is another file now. */
  leave(tree: number, path: Uint8Array): void {
    if (this.#byName.size === 0) return;
    const group = this.#byName.get(nameKey(tree, path));
    if (group === undefined) return;
    this.#byName.delete(nameKey(tree, path));
    group.names.delete(pathKey(path));
    group.gone += 1;
    this.suspects.add(group);
  }

  /**
   * Ends a pass: touched groups of which a name is still unknown and nobody has searched the whole
   * tree for it yet. `wasWhole`: this pass visited every name, so what is missing now lies outside
   * the tree, or went before the walk came by, and is not asked for again.
   */
  unfound(wasWhole: boolean): readonly LinkGroup[] {
    const unfound: LinkGroup[] = [];
    for (const group of this.#touched) {
      const wasSearched = wasWhole || this.#searched.has(`${group.tree}/${group.inodeKey}`);
      // Of what an earlier pass knew, a whole one cannot say whether it has gone meanwhile.
      const seen = wasWhole ? group.visited : group.names.size + group.gone;
      const missing = group.linkCount - seen;
      const accepted = this.#accepted.get(group) ?? 0;
      if (missing <= 0) this.#accepted.delete(group);
      else if (wasSearched) this.#accepted.set(group, missing);
      if (missing <= accepted) continue;
      // A change may have been made through the name that has not been found: compare once more.
      if (wasSearched) this.suspects.add(group);
      else unfound.push(group);
    }
    return unfound;
  }

  takeSuspects(): readonly LinkGroup[] {
    const taken = [...this.suspects];
    this.suspects.clear();
    return taken;
  }
}
