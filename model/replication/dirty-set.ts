/**
 * Where two copies may differ, by path: bounded, and never less than the truth. Used twice: for what
 * changes on the primary while a resync runs, and (change-record.ts) for what changed on a node since
 * both copies were last known to be equal on both disks.
 *
 * Whoever changes files reports every mutation here *after* it took effect and before it is
 * answered, and the next comparison looks at what was reported. So the set may say too much (a path
 * that has become equal again), never too little. Five rules keep it true:
 *
 * - A path is right at the moment of the report. When a directory is renamed later, what was
 *   reported below its old name is gone from there, so a rename reports the *new* name with
 *   `changedSubtree`: the entry itself, whatever its type, and everything below it.
 * - Adding, removing or renaming a name reports `changedDirectory` of each directory concerned;
 *   what is new under that name (create, mkdir, symlink, mknod) is also reported by itself, because
 *   something else may have borne the name before. `link` reports both names wholly.
 * - A change of a file reports its inode with the path: by the time somebody looks, that name may be
 *   gone or lead elsewhere, and the change is then to be found under the file's other names.
 * - A file that loses a name and lives on under others is reported by its number alone (`lostName`):
 *   whoever compares finds its names by reading directories, without reading any content.
 * - What cannot be told (a report that was lost) is `changedEverything`.
 *
 * When a bound is reached the set becomes "everything": the next pass compares the whole tree.
 * Bounds, so that a storm of changes cannot fill the memory of the thread that serves the mount.
 */

/** Whom the FUSE server tells; paths are relative to the tree's root, bytes, `""` for the root. */
export interface MutationListener {
  changedFile(tree: number, path: Uint8Array, change: FileChange): void;
  /** Names were added or removed in this directory, or its own attributes changed. */
  changedDirectory(tree: number, path: Uint8Array): void;
  /** What this name now leads to may be something else altogether, with everything below it. */
  changedSubtree(tree: number, path: Uint8Array): void;
  /** What lies at `to` lay at `from`: it need not be sent again. Reported besides what it changed. */
  renamed(tree: number, from: Uint8Array, to: Uint8Array): void;
  /** A file was changed whose names nobody knows at this moment, though it has some. */
  changedInode(tree: number, inode: InodeKey): void;
  /** A file lost a name and has others: what was reported under that name is to be found there. */
  lostName(tree: number, inode: InodeKey): void;
  /** Something changed and nobody can say where. */
  changedEverything(): void;
}

/** A file's number in its tree, whatever its names are: a bigint where a number is not exact. */
export type InodeKey = number | bigint;

/**
 * The file's attributes changed, and its content from `offsetBytes` (0) for `lengthBytes`. Without a
 * length: to the end, however far it is. With length 0: only its attributes, extended attributes
 * included. A truncation to `size` is a change from `size` without a length.
 */
export type FileChange = {
  readonly inode: InodeKey;
  readonly offsetBytes?: number;
  readonly lengthBytes?: number;
};

/** Bytes from `startBytes` up to, not including, `endBytes` (`Infinity`: to the end of the file). */
export type ByteRange = { readonly startBytes: number; readonly endBytes: number };

/** One path to look at again. Plain data: it crosses from the core thread to the resync's. */
export type DirtyEntry = {
  readonly tree: number;
  readonly path: Uint8Array;
  /** The names in it are to be compared. */
  readonly listing: boolean;
  /** Itself and everything below it are to be compared. */
  readonly subtree: boolean;
  /** Where its content changed: sorted, apart. Empty: attributes only. */
  readonly ranges: readonly ByteRange[];
  /** The files that were changed while they had this name. */
  readonly inodes: readonly InodeKey[];
};

/** A file to be looked for by its number, which is this node's own. */
export type SoughtFile = { readonly tree: number; readonly inode: InodeKey };

/** A hint: where a copy has it still at `from`, it can be moved before it is compared. */
export type Move = { readonly tree: number; readonly from: Uint8Array; readonly to: Uint8Array };

export type DirtySnapshot = {
  /** True: compare everything; then there are no entries. */
  readonly everything: boolean;
  readonly entries: readonly DirtyEntry[];
  /** Under whatever names they have: wholly. */
  readonly sought: readonly SoughtFile[];
  /** In the order in which they happened. */
  readonly moves: readonly Move[];
};

export const NOTHING: DirtySnapshot = { everything: false, entries: [], sought: [], moves: [] };
export const EVERYTHING: DirtySnapshot = { ...NOTHING, everything: true };

export type DirtyLimits = {
  readonly entriesMax: number;
  readonly pathBytesMax: number;
  /** Ranges of one file; beyond it they are rounded to larger and larger blocks. */
  readonly rangesMax: number;
  /** Files that one name may have led to; beyond it everything is dirty. */
  readonly inodesMax: number;
  /** Files to be looked for by their number; beyond it everything is dirty. */
  readonly soughtMax: number;
  /** Renames that are remembered; what was moved later is sent again. */
  readonly movesMax: number;
  /** Ranges are rounded out to this, so that neighbouring writes make one range. */
  readonly grainBytes: number;
};

/** About 20 MiB of memory at worst: paths count twice (bytes and key), and each range 100 bytes. */
export const DIRTY_LIMITS: DirtyLimits = {
  entriesMax: 32_768,
  pathBytesMax: 4 * 1024 * 1024,
  rangesMax: 256,
  inodesMax: 16,
  soughtMax: 4096,
  movesMax: 1024,
  grainBytes: 16 * 1024,
};

type Entry = {
  readonly tree: number;
  readonly path: Uint8Array;
  listing: boolean;
  subtree: boolean;
  grainBytes: number;
  ranges: ByteRange[];
  readonly inodes: InodeKey[];
};

/** Collects reports until `take`. One thread's own; copies the paths that it keeps. */
export class DirtySet implements MutationListener {
  readonly #limits: DirtyLimits;
  #entries = new Map<string, Entry>();
  /** Every file that was reported under some name. */
  #inodes = new Set<string>();
  #sought = new Map<string, SoughtFile>();
  #moves: Move[] = [];
  #pathBytes = 0;
  #everything = false;

  constructor(limits: DirtyLimits = DIRTY_LIMITS) {
    this.#limits = limits;
  }

  /** Paths held; 0 also when everything is dirty (see `isEverything`). */
  get size(): number {
    return this.#entries.size;
  }

  get isEverything(): boolean {
    return this.#everything;
  }

  get isEmpty(): boolean {
    return !this.#everything && this.#entries.size + this.#sought.size === 0;
  }

  /** Was that file reported, under whatever name? */
  knows(tree: number, inode: InodeKey): boolean {
    return this.#inodes.has(`${tree}/${inode}`);
  }

  changedFile(tree: number, path: Uint8Array, change: FileChange): void {
    const { inode, offsetBytes = 0, lengthBytes = Number.POSITIVE_INFINITY } = change;
    const entry = this.#entry(tree, path);
    if (entry === null || !this.#addInode(entry, inode) || lengthBytes <= 0) return;
    this.#addRange(entry, { startBytes: offsetBytes, endBytes: offsetBytes + lengthBytes });
  }

  changedDirectory(tree: number, path: Uint8Array): void {
    const entry = this.#entry(tree, path);
    if (entry !== null) entry.listing = true;
  }

  changedSubtree(tree: number, path: Uint8Array): void {
    const entry = this.#entry(tree, path);
    if (entry !== null) entry.subtree = true;
  }

  renamed(tree: number, from: Uint8Array, to: Uint8Array): void {
    if (this.#everything || this.#moves.length >= this.#limits.movesMax) return;
    this.#moves.push({ tree, from: Uint8Array.from(from), to: Uint8Array.from(to) });
  }

  changedInode(tree: number, inode: InodeKey): void {
    if (this.#everything) return;
    this.#sought.set(`${tree}/${inode}`, { tree, inode });
    if (this.#sought.size > this.#limits.soughtMax) this.changedEverything();
  }

  lostName(tree: number, inode: InodeKey): void {
    if (this.knows(tree, inode)) this.changedInode(tree, inode);
  }

  changedEverything(): void {
    this.#clear();
    this.#everything = true;
  }

  /** All that was reported; stays in the set. */
  snapshot(): DirtySnapshot {
    const entries = [...this.#entries.values()].map((entry): DirtyEntry => {
      const { tree, path, listing, subtree, ranges, inodes } = entry;
      return { tree, path, listing, subtree, ranges, inodes: [...inodes] };
    });
    const [sought, moves] = [[...this.#sought.values()], [...this.#moves]];
    return { everything: this.#everything, entries, sought, moves };
  }

  /** Everything reported since the last `take`, which is now the caller's to handle. */
  take(): DirtySnapshot {
    const snapshot = this.snapshot();
    this.#clear();
    return snapshot;
  }

  /** Puts a snapshot (back) in: for one that could not be handled, or to join two. */
  add(snapshot: DirtySnapshot): void {
    if (snapshot.everything) this.changedEverything();
    for (const { tree, path, inodes, ranges, ...what } of snapshot.entries) {
      const entry = this.#entry(tree, path);
      if (entry === null || !inodes.every((inode) => this.#addInode(entry, inode))) return;
      entry.listing ||= what.listing;
      entry.subtree ||= what.subtree;
      for (const range of ranges) this.#addRange(entry, range);
    }
    for (const { tree, inode } of snapshot.sought) this.changedInode(tree, inode);
    for (const { tree, from, to } of snapshot.moves) this.renamed(tree, from, to);
  }

  #clear(): void {
    this.#everything = false;
    this.#entries = new Map();
    this.#inodes = new Set();
    this.#sought = new Map();
    this.#moves = [];
    this.#pathBytes = 0;
  }

  /** Null when everything is dirty anyway, also when this report was the one too many. */
  #entry(tree: number, path: Uint8Array): Entry | null {
    if (this.#everything) return null;
    const key = keyOf(tree, path);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const { entriesMax, pathBytesMax } = this.#limits;
    if (this.#entries.size >= entriesMax || this.#pathBytes + path.length > pathBytesMax) {
      this.changedEverything();
      return null;
    }
    const entry: Entry = {
      tree,
      path: Uint8Array.from(path),
      listing: false,
      subtree: false,
      grainBytes: this.#limits.grainBytes,
      ranges: [],
      inodes: [],
    };
    this.#entries.set(key, entry);
    this.#pathBytes += path.length;
    return entry;
  }

  /** False when everything is dirty now. */
  #addInode({ tree, inodes }: Entry, inode: InodeKey): boolean {
    if (inodes.includes(inode)) return true;
    inodes.push(inode);
    this.#inodes.add(`${tree}/${inode}`);
    if (inodes.length > this.#limits.inodesMax) this.changedEverything();
    return !this.#everything;
  }

  #addRange(entry: Entry, range: ByteRange): void {
    entry.ranges = withRange(entry.ranges, roundedOut(range, entry.grainBytes));
    while (entry.ranges.length > this.#limits.rangesMax) {
      entry.grainBytes *= 2;
      let coarser: ByteRange[] = [];
      for (const old of entry.ranges) {
        coarser = withRange(coarser, roundedOut(old, entry.grainBytes));
      }
      entry.ranges = coarser;
    }
  }
}

/** Latin-1 of the bytes: each byte is one character, so different paths have different keys. */
function keyOf(tree: number, path: Uint8Array): string {
  let key = `${tree}/`;
  for (let at = 0; at < path.length; at += 1024) {
    key += String.fromCharCode(...path.subarray(at, at + 1024));
  }
  return key;
}

function roundedOut({ startBytes, endBytes }: ByteRange, grainBytes: number): ByteRange {
  return {
    startBytes: Math.floor(startBytes / grainBytes) * grainBytes,
    endBytes: Math.ceil(endBytes / grainBytes) * grainBytes,
  };
}

/** `ranges` and `added`, sorted, with those that touch made one. Appending is the fast path. */
function withRange(ranges: readonly ByteRange[], added: ByteRange): ByteRange[] {
  // The first range that ends at or after the start of the added one: all before it stay.
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (range !== undefined && range.endBytes < added.startBytes) low = middle + 1;
    else high = middle;
  }
  let { startBytes, endBytes } = added;
  let after = low;
  for (; after < ranges.length; after += 1) {
    const range = ranges[after];
    if (range === undefined || range.startBytes > endBytes) break;
    startBytes = Math.min(startBytes, range.startBytes);
    endBytes = Math.max(endBytes, range.endBytes);
  }
  return [...ranges.slice(0, low), { startBytes, endBytes }, ...ranges.slice(after)];
}
