/** What the parts of the target share during one run. */
import { ERRNO } from "../adapters/linux/errno.ts";
import * as file from "../adapters/linux/file.ts";
import { effectiveUid } from "../adapters/linux/identity.ts";
import { Stat } from "../adapters/linux/stat.ts";
import type { Aside } from "./aside.ts";
import type { IncompleteMarker } from "./resync.ts";
import { check, isGone, OPEN_ENTRY, OPEN_TO_CHANGE, type Tree } from "./tree.ts";

/** A directory whose entries arrive in several messages. */
export type OpenListing = {
  readonly kind: "list" | "names";
  readonly tree: Tree;
  readonly path: Uint8Array;
  /** Null when the target has no such directory: its entries are skipped, and the answer says so. */
  readonly fd: number | null;
  /** Own entries (name as Latin-1 → type) that have not been named yet: at the end, removed. */
  readonly unnamed: Map<string, number>;
};

type OpenContent = { readonly tree: Tree; readonly path: Uint8Array; readonly fd: number };

const stat = new Stat();
const isRoot = effectiveUid() === 0;

export class TargetRun {
  readonly trees: readonly Tree[];
  readonly #marker: IncompleteMarker;
  readonly #aside: Aside | null;
  /** Inode (`tree/inode`) → the source's link group whose content it holds. */
  readonly claims = new Map<string, number>();
  listing: OpenListing | null = null;
  #content: OpenContent | null = null;
  /** The last file whose old content needs no keeping: new, or kept already. */
  #ownPath: { readonly tree: Tree; readonly path: Uint8Array } | null = null;
  #pass = 1;
  #isMarked = false;
  /** Parts of this pass that found no place. */
  dropped = 0;
  filesChanged = 0;
  entriesRemoved = 0;

  constructor(trees: readonly Tree[], marker: IncompleteMarker, aside: Aside | null) {
    this.trees = trees;
    this.#marker = marker;
    this.#aside = aside;
  }

  /** Called before every change: the first one is preceded by the durable mark. */
  readonly changing = (): void => {
    if (this.#isMarked) return;
    this.#marker.set();
    this.#isMarked = true;
  };

  /**
   * Where what was here before is kept, if it is to be. Only in the first pass: what later passes
   * replace came from the source itself.
   */
  get aside(): Aside | null {
    return this.#pass === 1 ? this.#aside : null;
  }

  endPass(): number {
    const { dropped } = this;
    this.dropped = 0;
    this.#pass += 1;
    this.closeContent();
    return dropped;
  }

  /** Everything is in place and on stable storage. */
  markComplete(): void {
    this.#marker.clear();
  }

  closeContent(): void {
    if (this.#content !== null) file.close(this.#content.fd);
    this.#content = null;
  }

  closeListing(): void {
    if (this.listing !== null && this.listing.fd !== null) file.close(this.listing.fd);
    this.listing = null;
  }

  /** A descriptor for the content of a regular file, kept until another is asked for; or null. */
  contentFd(tree: Tree, path: Uint8Array): number | null {
    const open = this.#content;
    if (open !== null && open.tree === tree && isSamePath(open.path, path)) return open.fd;
    this.closeContent();
    const fd = openToChange(tree, path);
    if (fd !== null) this.#content = { tree, path: Uint8Array.from(path), fd };
    return fd;
  }

  /** Keeps an open file as the one whose content comes next; the run closes it. */
  adoptContent(tree: Tree, path: Uint8Array, fd: number): void {
    this.closeContent();
    this.#content = { tree, path: Uint8Array.from(path), fd };
  }

  /** The file at `path` is new: it holds nothing worth keeping. */
  ownContent(tree: Tree, path: Uint8Array): void {
    if (this.aside !== null) this.#ownPath = { tree, path: Uint8Array.from(path) };
  }

  /** Called before a file's content is changed: keeps a copy of what was there before. */
  keepContent(tree: Tree, path: Uint8Array, fd: number): void {
    this.changing();
    const { aside } = this;
    const own = this.#ownPath;
    if (aside === null || (own?.tree === tree && isSamePath(own.path, path))) return;
    this.#ownPath = { tree, path: Uint8Array.from(path) };
    check(stat.of(fd), "statx", tree.place(path));
    if (stat.sizeBytes > 0) aside.keepCopy(tree, path, fd);
  }
}

const isSamePath = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Null when there is no regular file there (any more). */
function openToChange(tree: Tree, path: Uint8Array): number | null {
  let fd = tree.open(path, OPEN_TO_CHANGE);
  if (fd === -ERRNO.EACCES && !isRoot) {
    tree.with(path, OPEN_ENTRY, (entry) => file.chmod(file.descriptorPath(entry), 0o600));
    fd = tree.open(path, OPEN_TO_CHANGE);
  }
  if (isGone(fd) || fd === -ERRNO.EISDIR || fd === -ERRNO.ENXIO) return null;
  check(fd, "open", tree.place(path));
  if (stat.of(fd) === 0 && stat.type === file.S_IFREG) return fd;
  file.close(fd);
  return null;
}

/** Root may write into any directory; its owner needs the permission, which comes back at the end. */
export function makeUsable(directoryFd: number, mode: number): void {
  if (!isRoot && (mode & 0o700) !== 0o700) file.fchmod(directoryFd, (mode & 0o7777) | 0o700);
}
