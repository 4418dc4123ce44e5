import type { Prng } from "./prng.ts";

/**
 * A replicated directory with its page cache.
 *
 * A file is known by the number of the operation that made it, and holds numbered cells; a cell's
 * value is the number of the write that put it there. So whoever looks at a copy sees which
 * operations it has. What was not flushed is lost when the power goes: of a file's writes any, as
 * caches are written back in any order; of the names the newest, as a journal loses its end.
 */

/** Cells by index; a negative value is the truncation that cut it off. */
export type Inode = { readonly stamp: number; readonly cells: Map<number, number> };

type Names = Map<string, Inode>;
type DurableFile = Map<number, number>;

type PendingName = {
  readonly n: number;
  readonly atMs: number;
  readonly name: string;
  stamp: number;
};
type PendingCell = {
  readonly n: number;
  readonly atMs: number;
  readonly stamp: number;
  readonly cell: number;
  /** 0: as before anything was written. */
  readonly value: number;
};

/** What the kernel writes back by itself: names every 5 s, data every 30 s. */
const JOURNAL_MS = 5_000;
const WRITE_BACK_MS = 30_000;

export class SimTree {
  names: Names = new Map();
  #inodes = new Map<number, Inode>();
  #durableNames = new Map<string, number>();
  #durableFiles = new Map<number, DurableFile>();
  /** In order; a name whose stamp is 0 was taken away. Groups of one operation share `n`. */
  #pendingNames: PendingName[] = [];
  #pendingCells: PendingCell[] = [];
  #n = 0;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get isEmpty(): boolean {
    return this.names.size === 0;
  }

  inode(stamp: number): Inode | undefined {
    return this.#inodes.get(stamp);
  }

  /** Several names in one operation: all of them survive, or none. */
  setNames(changes: readonly (readonly [name: string, inode: Inode | null])[]): void {
    this.#n += 1;
    for (const [name, inode] of changes) {
      if (inode === null) this.names.delete(name);
      else {
        this.names.set(name, inode);
        this.#inodes.set(inode.stamp, inode);
      }
      const stamp = inode?.stamp ?? 0;
      this.#pendingNames.push({ n: this.#n, atMs: this.#nowMs(), name, stamp });
    }
    this.#writeBack();
  }

  setCells(inode: Inode, changes: readonly (readonly [cell: number, value: number])[]): void {
    this.#n += 1;
    this.#inodes.set(inode.stamp, inode);
    for (const [cell, value] of changes) {
      if (value === 0) inode.cells.delete(cell);
      else inode.cells.set(cell, value);
      const pending = { n: this.#n, atMs: this.#nowMs(), stamp: inode.stamp, cell, value };
      this.#pendingCells.push(pending);
    }
    this.#writeBack();
  }

  /** What an fsync that begins now will have made durable when it ends. */
  mark(): number {
    return this.#n;
  }

  /** An fsync that began at `mark` has ended: that file's data, and the journal up to there. */
  flushFile(stamp: number, mark: number): void {
    this.#keepCells((one) => one.stamp === stamp && one.n <= mark);
    this.#keepNames((one) => one.n <= mark);
  }

  flushAll(mark = this.#n): void {
    this.#keepCells((one) => one.n <= mark);
    this.#keepNames((one) => one.n <= mark);
  }

  /** The value of a cell, or of a name (its file's stamp), in the cache or on the disk itself. */
  cellOf(stamp: number, cell: number, isDurable = false): number {
    if (!isDurable) return this.#inodes.get(stamp)?.cells.get(cell) ?? 0;
    return this.#durableFiles.get(stamp)?.get(cell) ?? 0;
  }

  /** Does any name lead to that file? */
  hasFile(stamp: number, isDurable = false): boolean {
    if (isDurable) {
      for (const one of this.#durableNames.values()) if (one === stamp) return true;
      return false;
    }
    for (const inode of this.names.values()) if (inode.stamp === stamp) return true;
    return false;
  }

  stampOf(name: string, isDurable = false): number {
    if (isDurable) return this.#durableNames.get(name) ?? 0;
    return this.names.get(name)?.stamp ?? 0;
  }

  /** The power goes: what was not flushed is lost, or not, as chance has it. */
  losePower(prng: Prng): void {
    this.#writeBack();
    const last = this.#pendingNames.at(-1)?.n ?? 0;
    const first = this.#pendingNames[0]?.n ?? 0;
    const survives = last === 0 ? 0 : prng.int(first - 1, last);
    this.#keepNames((one) => one.n <= survives);
    const share = prng.pick([0, 0.5, 0.9]);
    this.#keepCells(() => prng.chance(share));
    this.#fromDisk();
  }

  clear(): void {
    this.#durableNames.clear();
    this.#durableFiles.clear();
    this.#fromDisk();
  }

  /** Everything in it, on the disk and in the cache, as it is now. */
  snapshot(): () => void {
    const names = new Map(this.#durableNames);
    const files = new Map([...this.#durableFiles].map(([stamp, file]) => [stamp, new Map(file)]));
    return () => {
      this.#durableNames = new Map(names);
      this.#durableFiles = new Map([...files].map(([stamp, file]) => [stamp, new Map(file)]));
      this.#fromDisk();
    };
  }

  /** Name → file with its cells, sorted: equal for equal copies. */
  digest(): string {
    const names = [...this.names].sort(([a], [b]) => (a < b ? -1 : 1));
    return names
      .map(([name, { stamp, cells }]) => {
        const sorted = [...cells].sort(([a], [b]) => a - b);
        return `${name}=${stamp}:${sorted.map(([cell, value]) => `${cell}.${value}`).join(",")}`;
      })
      .join(";");
  }

  #fromDisk(): void {
    this.#pendingNames = [];
    this.#pendingCells = [];
    this.#inodes = new Map();
    this.names = new Map();
    // Data of a file whose name was lost is lost too.
    const named = new Set(this.#durableNames.values());
    for (const stamp of [...this.#durableFiles.keys()]) {
      if (!named.has(stamp)) this.#durableFiles.delete(stamp);
    }
    for (const [name, stamp] of this.#durableNames) {
      const inode = { stamp, cells: new Map(this.#durableFiles.get(stamp) ?? []) };
      this.names.set(name, inode);
      this.#inodes.set(stamp, inode);
    }
  }

  #writeBack(): void {
    const nowMs = this.#nowMs();
    const oldestName = this.#pendingNames[0];
    if (oldestName !== undefined && nowMs - oldestName.atMs > JOURNAL_MS) {
      this.#keepNames((one) => nowMs - one.atMs > JOURNAL_MS);
    }
    const oldestCell = this.#pendingCells[0];
    if (oldestCell !== undefined && nowMs - oldestCell.atMs > WRITE_BACK_MS) {
      this.#keepCells((one) => nowMs - one.atMs > WRITE_BACK_MS);
    }
  }

  #keepNames(isKept: (one: PendingName) => boolean): void {
    const left: PendingName[] = [];
    const unnamed = new Set<number>();
    for (const one of this.#pendingNames) {
      if (!isKept(one)) {
        left.push(one);
        continue;
      }
      const was = this.#durableNames.get(one.name);
      if (was !== undefined) unnamed.add(was);
      if (one.stamp === 0) this.#durableNames.delete(one.name);
      else this.#durableNames.set(one.name, one.stamp);
    }
    this.#pendingNames = left;
    // A file that no name leads to any more is gone, and must not come back with a new one.
    for (const stamp of unnamed) {
      if (!this.hasFile(stamp, true) && !this.hasFile(stamp)) this.#durableFiles.delete(stamp);
    }
  }

  #keepCells(isKept: (one: PendingCell) => boolean): void {
    const left: PendingCell[] = [];
    for (const one of this.#pendingCells) {
      if (!isKept(one)) {
        left.push(one);
        continue;
      }
      const file = this.#durableFiles.get(one.stamp) ?? new Map<number, number>();
      this.#durableFiles.set(one.stamp, file);
      if (one.value === 0) file.delete(one.cell);
      else file.set(one.cell, one.value);
    }
    this.#pendingCells = left;
  }
}
