/**
 * What was touched on this node since a *durable point*: an instant of the live stream up to which
 * both copies were equal and on both disks. If one node then misses something, for whatever reason,
 * the two copies differ only in places that one of the nodes has touched since.
 *
 * The record is cut into generations, one for each point that the other node may name when it
 * returns: a point is taken on one node before the other, and a crash may come in between.
 *
 * Kept in memory, finely (4 KiB). What must survive a crash of this node is hot-places.ts's matter.
 */

import {
  DIRTY_LIMITS,
  type DirtyLimits,
  DirtySet,
  type DirtySnapshot,
  EVERYTHING,
  type FileChange,
  type InodeKey,
  type MutationListener,
} from "./dirty-set.ts";

/** Names a durable point: attachment (random, so of one history and epoch) and sequence in it. */
export type PointId = string;

export const pointOf = (attachmentId: string, sequence: number): PointId =>
  `${attachmentId}:${sequence}`;

/** About 200 MiB of memory at the very worst; beyond it everything has to be compared. */
export const RECORD_LIMITS: DirtyLimits = {
  ...DIRTY_LIMITS,
  entriesMax: 131_072,
  pathBytesMax: 16 * 1024 * 1024,
  rangesMax: 2048,
  soughtMax: 16_384,
  movesMax: 4096,
  grainBytes: 4096,
};

/** More than ever lie between two points that were settled, but when attachments fail in a row. */
const GENERATIONS_MAX = 16;

type Generation = { readonly point: PointId; readonly set: DirtySet };

export class ChangeRecord implements MutationListener {
  readonly #limits: DirtyLimits;
  #generations: Generation[] = [];
  #whyNone: string;

  constructor(whyNone: string, limits: DirtyLimits = RECORD_LIMITS) {
    this.#whyNone = whyNone;
    this.#limits = limits;
  }

  /** The points that the record reaches back to, oldest first. */
  get points(): readonly PointId[] {
    return this.#generations.map(({ point }) => point);
  }

  /** Why there is none; null when there is one. */
  get whyNone(): string | null {
    return this.#generations.length === 0 ? this.#whyNone : null;
  }

  /** Whatever is reported from now on came after `point`. */
  begin(point: PointId): void {
    const begun = { point, set: new DirtySet(this.#limits) };
    this.#generations = [...this.#generations.slice(1 - GENERATIONS_MAX), begun];
  }

  /** Both nodes hold everything up to `point` for good: what was before it is forgotten. */
  settle(point: PointId): void {
    const at = this.#generations.findIndex((one) => one.point === point);
    if (at > 0) this.#generations = this.#generations.slice(at);
  }

  /** Starts anew at `points`, after each of which `changes` may have happened. */
  restore(points: readonly PointId[], changes: DirtySnapshot): void {
    this.#generations = points.map((point) => ({ point, set: new DirtySet(this.#limits) }));
    this.#last?.add(changes);
  }

  /** Nothing is known any more. */
  lose(why: string): void {
    this.#generations = [];
    this.#whyNone = why;
  }

  /** Where this copy may differ from one that has everything up to `point`; null: cannot tell. */
  since(point: PointId): DirtySnapshot | null {
    const at = this.#generations.findIndex((one) => one.point === point);
    if (at < 0) return null;
    const all = new DirtySet(this.#limits);
    for (const { set } of this.#generations.slice(at)) all.add(set.snapshot());
    return all.snapshot();
  }

  /** Since the oldest point. */
  all(): DirtySnapshot {
    const [oldest] = this.#generations;
    return (oldest === undefined ? null : this.since(oldest.point)) ?? EVERYTHING;
  }

  changedFile(tree: number, path: Uint8Array, change: FileChange): void {
    this.#last?.changedFile(tree, path, change);
  }

  changedDirectory(tree: number, path: Uint8Array): void {
    this.#last?.changedDirectory(tree, path);
  }

  changedSubtree(tree: number, path: Uint8Array): void {
    this.#last?.changedSubtree(tree, path);
  }

  renamed(tree: number, from: Uint8Array, to: Uint8Array): void {
    this.#last?.renamed(tree, from, to);
  }

  changedInode(tree: number, inode: InodeKey): void {
    this.#last?.changedInode(tree, inode);
  }

  /** It may have been changed in an earlier generation, under the name that it has lost now. */
  lostName(tree: number, inode: InodeKey): void {
    if (this.#generations.some(({ set }) => set.knows(tree, inode))) {
      this.changedInode(tree, inode);
    }
  }

  changedEverything(): void {
    this.#last?.changedEverything();
  }

  get #last(): DirtySet | undefined {
    return this.#generations.at(-1)?.set;
  }
}
