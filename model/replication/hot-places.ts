/**
 * What a primary announces *before* it touches its own disk, so that a place in which its copy may
 * differ is known even after its memory is lost: coarsely (4 MiB of a file, a whole directory), so
 * that a place is announced once and then stays *hot* until the next durable point. DRBD calls the
 * same an activity log.
 *
 * To whom? There are two who may have to know, and they need different parts:
 *
 * - *Alone* (`isStrict`): the absent node misses everything, and only this node's log knows what. All
 *   of it is on the disk before the operation.
 * - *In sync*: the survivor of this node's death knows all that it acknowledged. What it does not
 *   know are operations under way at that moment, so it is told their places first, in the stream. A
 *   file born since the last point is compared wholly by the survivor anyway, and so is a name that
 *   came to be; a name that went is noticed when the directory's names are compared, as the kernel
 *   lets one operation on the names of a directory run at a time. So nobody waits for these. The log
 *   is written all the same, without a flush: an agent that is restarted (its OS lives) finds it.
 */

import type { ByteRange, DirtyEntry, DirtySnapshot, InodeKey, SoughtFile } from "./dirty-set.ts";

export const EXTENT_BYTES = 4 * 1024 * 1024;
/** Hot extents of one file; beyond it the whole file is. */
const EXTENTS_MAX = 4096;
/** Everything at or beyond a point of a file. */
const END = Number.POSITIVE_INFINITY;

/** Where a file lies at this moment; null: it has no name; a number: it cannot be told. */
type PathNow = () => Uint8Array | null | number;

/** What an operation is about to touch. */
export type Touch =
  | {
      readonly kind: "content";
      readonly tree: number;
      readonly inode: InodeKey;
      readonly startBytes: number;
      /** Infinity: to the end, however far. */
      readonly endBytes: number;
      readonly path: PathNow;
    }
  | {
      /** Attributes of the file, or names in the directory. */
      readonly kind: "attributes" | "names";
      readonly tree: number;
      readonly inode: InodeKey;
      readonly path: PathNow;
    }
  | {
      /** What `name` in the directory leads to. */
      readonly kind: "name";
      readonly tree: number;
      readonly directory: InodeKey;
      readonly name: Uint8Array;
      readonly path: PathNow;
      /** It leads to something now, which is replaced. */
      readonly replaces: boolean;
    }
  /** The file is about to lose a name and has others. */
  | {
      readonly kind: "lostName";
      readonly tree: number;
      readonly inode: InodeKey;
      /** The name that it loses. */
      readonly path: PathNow;
    }
  /** The file is about to get another name, and with a directory everything below it. */
  | {
      readonly kind: "moves";
      readonly tree: number;
      readonly inode: InodeKey;
      readonly isDirectory: boolean;
    };
type Placed = Exclude<Touch, { readonly kind: "lostName" | "moves" }>;

/** A place in the log. */
type Hot = {
  readonly entry: Omit<DirtyEntry, "ranges">;
  readonly extents: Set<number>;
  /** From here on everything is hot; Infinity: nothing is by this. */
  fromExtent: number;
  /** The point counter when it was announced. */
  readonly stamp: number;
  /** Which announcement made it (so far): what must arrive first. */
  ticket: number;
};

/** Moves are remembered in memory only: here it is enough to know where to look. */
export type Fresh = DirtySnapshot & {
  entries: DirtyEntry[];
  sought: SoughtFile[];
  everything: boolean;
  /** The names of those sought, which the other node knows by its own numbers. */
  readonly lostNames: { readonly tree: number; readonly path: Uint8Array }[];
};

export class HotPlaces {
  #places = new Set<Hot>();
  /** By what was touched; forgotten when a path may have changed, which leaves the place hot. */
  #known = new Map<string, Hot>();
  /** Files that were touched by themselves, under whatever name. */
  #inodes = new Set<string>();
  /** Files born since the last point began, in a name that is in the log. */
  #born = new Set<string>();
  #sought = new Map<string, SoughtFile & { readonly stamp: number }>();
  #stamp = 0;
  #lastTicket = 0;
  #fresh: Fresh | null = null;
  /** The point counter when the log ceased to tell; null: it tells. */
  #everythingAt: number | null = null;
  isStrict = false;

  get size(): number {
    return this.#places.size;
  }

  /** The last announcement; 0 before the first. */
  get lastTicket(): number {
    return this.#lastTicket;
  }

  /** A ticket for something else that is appended. */
  mark(): number {
    this.#lastTicket += 1;
    return this.#lastTicket;
  }

  /** Notes what is about to be touched. The ticket that must have arrived before; 0: none. */
  touch(touch: Touch): number {
    if (touch.kind === "name") return this.#touchName(touch);
    if (touch.kind === "lostName") return this.#loseName(touch);
    if (touch.kind === "moves") {
      this.#forgetPath(touch.tree, touch.inode, touch.isDirectory);
      return 0;
    }
    const key = `${touch.tree}/${touch.inode}`;
    if (this.#born.has(key)) return 0;
    if (touch.kind === "content") return this.#touchContent(key, touch);
    return this.#touchPlain(`${touch.kind}/${key}`, touch);
  }

  /** A file came to be under a name that was touched, or in a directory born so itself. */
  born(tree: number, inode: InodeKey): void {
    this.#born.add(`${tree}/${inode}`);
  }

  /** Announcements since the last call, as one. */
  takeFresh(): Fresh | null {
    const fresh = this.#fresh;
    this.#fresh = null;
    return fresh;
  }

  /** A point begins: what is touched from now on is after it. */
  beginPoint(): number {
    this.#stamp += 1;
    this.forgetAnnounced();
    return this.#stamp;
  }

  /** Whoever was told of a place knows it no more: each is announced again at its next touch. */
  forgetAnnounced(): void {
    this.#born.clear();
    this.#known.clear();
  }

  /** The point that began as `stamp` is durable on both nodes: what was touched before it goes. */
  settle(stamp: number): void {
    const isCold = (one: { readonly stamp: number }): boolean => one.stamp < stamp;
    for (const place of this.#places) if (isCold(place)) this.#places.delete(place);
    for (const [key, sought] of this.#sought) if (isCold(sought)) this.#sought.delete(key);
    this.#findInodes();
    if (this.#everythingAt !== null && this.#everythingAt < stamp) this.#everythingAt = null;
  }

  /** Starts with what a log held, or what is known otherwise. */
  restore(changes: DirtySnapshot): void {
    this.#places = new Set();
    this.#known = new Map();
    this.#born = new Set();
    this.#sought = new Map();
    for (const { tree, inode } of changes.sought) {
      this.#sought.set(`${tree}/${inode}`, { tree, inode, stamp: this.#stamp });
    }
    this.#everythingAt = changes.everything ? this.#stamp : null;
    for (const { ranges, ...entry } of changes.entries) {
      const hot: Hot = {
        entry,
        extents: new Set(),
        fromExtent: END,
        stamp: this.#stamp,
        ticket: 0,
      };
      for (const range of ranges) addExtents(hot, range.startBytes, range.endBytes);
      this.#places.add(hot);
    }
    this.#findInodes();
  }

  #findInodes(): void {
    this.#inodes = new Set();
    for (const { entry } of this.#places) {
      for (const inode of entry.inodes) this.#inodes.add(`${entry.tree}/${inode}`);
    }
  }

  /** All that is hot: what a log that is written anew holds. */
  snapshot(): DirtySnapshot {
    return {
      everything: this.#everythingAt !== null,
      entries: [...this.#places].map(entryOf),
      sought: [...this.#sought.values()].map(({ tree, inode }) => ({ tree, inode })),
      moves: [],
    };
  }

  /** Where the file lies is to be written down anew at its next touch. */
  #forgetPath(tree: number, inode: InodeKey, isDirectory: boolean): void {
    // Below a directory every path changes.
    if (isDirectory) this.#known.clear();
    for (const kind of ["content", "attributes"]) this.#known.delete(`${kind}/${tree}/${inode}`);
  }

  #loseName({ tree, inode, path }: Extract<Touch, { kind: "lostName" }>): number {
    const key = `${tree}/${inode}`;
    if (!this.#inodes.has(key)) return 0;
    this.#sought.set(key, { tree, inode, stamp: this.#stamp });
    const fresh = this.#append();
    fresh.sought.push({ tree, inode });
    const lost = path();
    if (lost instanceof Uint8Array) fresh.lostNames.push({ tree, path: lost });
    else if (typeof lost === "number") this.#loseTrack();
    this.#forgetPath(tree, inode, false);
    return this.#lastTicket;
  }

  #touchName(touch: Extract<Touch, { kind: "name" }>): number {
    if (this.#born.has(`${touch.tree}/${touch.directory}`)) return 0;
    let key = `name/${touch.tree}/${touch.directory}/`;
    for (const byte of touch.name) key += String.fromCharCode(byte);
    const ticket = this.#touchPlain(key, touch);
    return this.isStrict || touch.replaces ? ticket : 0;
  }

  #touchPlain(key: string, touch: Exclude<Placed, { kind: "content" }>): number {
    const known = this.#known.get(key);
    if (known !== undefined) return known.ticket;
    const inodes = touch.kind === "attributes" ? [touch.inode] : [];
    const subtree = touch.kind === "name";
    return this.#add(key, touch, { listing: touch.kind === "names", subtree, inodes });
  }

  #touchContent(inodeKey: string, touch: Extract<Touch, { kind: "content" }>): number {
    const key = `content/${inodeKey}`;
    const known = this.#known.get(key);
    if (known === undefined) {
      const what = { listing: false, subtree: false, inodes: [touch.inode] };
      return this.#add(key, touch, what, touch);
    }
    const { startBytes, endBytes } = touch;
    if (!hasExtents(known, startBytes, endBytes)) {
      addExtents(known, startBytes, endBytes);
      // As wide as what counts as announced from now on.
      this.#append().entries.push({ ...known.entry, ranges: [roundedOut(startBytes, endBytes)] });
      known.ticket = this.#lastTicket;
    }
    return known.ticket;
  }

  #add(
    key: string,
    touch: Placed,
    what: Pick<DirtyEntry, "listing" | "subtree" | "inodes">,
    range: ByteRange | null = null,
  ): number {
    const path = touch.path();
    // It has no name, so nobody will ever look for it.
    if (path === null) return 0;
    if (typeof path === "number") {
      this.#loseTrack();
      return this.#lastTicket;
    }
    const entry = { tree: touch.tree, path: Uint8Array.from(path), ...what };
    const hot: Hot = { entry, extents: new Set(), fromExtent: END, stamp: this.#stamp, ticket: 0 };
    if (range !== null) addExtents(hot, range.startBytes, range.endBytes);
    this.#append().entries.push(entryOf(hot));
    hot.ticket = this.#lastTicket;
    this.#places.add(hot);
    this.#known.set(key, hot);
    for (const inode of entry.inodes) this.#inodes.add(`${entry.tree}/${inode}`);
    return hot.ticket;
  }

  /** Something is touched, and where cannot be told. */
  #loseTrack(): void {
    this.#everythingAt = this.#stamp;
    this.#append().everything = true;
  }

  #append(): Fresh {
    this.#lastTicket += 1;
    this.#fresh ??= { entries: [], sought: [], everything: false, moves: [], lostNames: [] };
    return this.#fresh;
  }
}

const extentOf = (bytes: number): number => Math.floor(bytes / EXTENT_BYTES);

const roundedOut = (startBytes: number, endBytes: number): ByteRange => ({
  startBytes: extentOf(startBytes) * EXTENT_BYTES,
  endBytes: Math.ceil(endBytes / EXTENT_BYTES) * EXTENT_BYTES,
});

function hasExtents({ extents, fromExtent }: Hot, startBytes: number, endBytes: number): boolean {
  if (extentOf(startBytes) >= fromExtent) return true;
  if (endBytes === END) return false;
  for (let at = extentOf(startBytes); at * EXTENT_BYTES < endBytes; at += 1) {
    if (at < fromExtent && !extents.has(at)) return false;
  }
  return true;
}

function addExtents(hot: Hot, startBytes: number, endBytes: number): void {
  const first = extentOf(startBytes);
  if (endBytes === END || (endBytes - startBytes) / EXTENT_BYTES > EXTENTS_MAX) {
    hot.fromExtent = Math.min(hot.fromExtent, first);
    return;
  }
  for (let at = first; at * EXTENT_BYTES < endBytes; at += 1) hot.extents.add(at);
  if (hot.extents.size > EXTENTS_MAX) hot.fromExtent = 0;
}

function entryOf({ entry, extents, fromExtent }: Hot): DirtyEntry {
  const ranges: { startBytes: number; endBytes: number }[] = [];
  for (const at of [...extents].sort((a, b) => a - b)) {
    if (at >= fromExtent) break;
    const last = ranges.at(-1);
    if (last?.endBytes === at * EXTENT_BYTES) last.endBytes += EXTENT_BYTES;
    else ranges.push({ startBytes: at * EXTENT_BYTES, endBytes: (at + 1) * EXTENT_BYTES });
  }
  if (fromExtent !== END) ranges.push({ startBytes: fromExtent * EXTENT_BYTES, endBytes: END });
  return { ...entry, ranges };
}
