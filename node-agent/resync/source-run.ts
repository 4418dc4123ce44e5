/** What the parts of the source share during one run, and how it reads one entry. */
import { hash } from "node:crypto";
import { DirtySet } from "#model/replication/dirty-set.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import * as file from "../adapters/linux/file.ts";
import { withNul } from "../adapters/linux/library.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { readAt } from "./content.ts";
import { type LinkGroup, Links } from "./links.ts";
import { metaOf, symlinkTarget } from "./metadata.ts";
import type { Outbox } from "./outbox.ts";
import type { Progress } from "./progress.ts";
import { check, isGone, joinPath, OPEN_ENTRY, OPEN_TO_READ, type Tree } from "./tree.ts";
import { BLOCK_BYTES } from "./wire.ts";
import type { Entry } from "./wire-entry.ts";

/** How the source will send a regular file's content, should the target want it. */
export type Content = "none" | "small" | "ranged";

export type SourceEntry = {
  readonly entry: Entry;
  readonly path: Uint8Array;
  readonly inodeKey: number | bigint;
  readonly content: Content;
  readonly group: LinkGroup | null;
  /** Bytes read to hash it. */
  readonly readBytes: number;
};

/** A file whose content is compared (or, when `isEmpty`, just sent) after its entry was answered. */
export type PendingFile = {
  readonly tree: Tree;
  readonly source: SourceEntry;
  /** Null: all of it. */
  readonly ranges: readonly { readonly startBytes: number; readonly endBytes: number }[] | null;
  readonly isEmpty: boolean;
};

export type PlacedPath = { readonly tree: Tree; readonly path: Uint8Array };

export class SourceRun {
  readonly trees: readonly Tree[];
  readonly outbox: Outbox;
  readonly progress: Progress;
  readonly links = new Links();
  /** Found out too late in this pass: for the next one. */
  readonly again = new DirtySet();
  /** Work that answers brought up. Bounded by the questions under way, so it is done soon. */
  readonly files: PendingFile[] = [];
  readonly strangers: PlacedPath[] = [];
  /** Groups whose other names must be linked anew in this pass. */
  readonly regroup = new Set<LinkGroup>();
  /** Open while questions about them are under way. */
  readonly openFds = new Set<number>();
  /** This pass visits every name. */
  isWholePass = true;

  constructor(trees: readonly Tree[], outbox: Outbox, progress: Progress) {
    this.trees = trees;
    this.outbox = outbox;
    this.progress = progress;
  }

  closeAll(): void {
    for (const fd of this.openFds) file.close(fd);
    this.openFds.clear();
  }
}

/** DT_REG of getdents64(2). */
const REGULAR_HINT = file.S_IFREG >> 12;
const stat = new Stat();
const block = new Uint8Array(BLOCK_BYTES);

/**
 * One entry of the directory `directoryFd`, or null when it has gone. With `comparesContent`, a
 * small file's content is read and hashed.
 */
export function readEntry(
  run: SourceRun,
  directory: PlacedPath,
  directoryFd: number,
  name: Uint8Array,
  comparesContent: boolean,
  typeHint = 0,
): SourceEntry | null {
  const { tree } = directory;
  const path = joinPath(directory.path, name);
  const place = { tree: tree.index, path };
  const nameNul = withNul(name);
  // One descriptor for everything where content is to be read; what the type really is, stat says.
  const opensContent = comparesContent && typeHint === REGULAR_HINT;
  let fd = opensContent ? file.openat(directoryFd, nameNul, OPEN_TO_READ, 0) : -ERRNO.EACCES;
  const isReadable = fd >= 0;
  if (fd === -ERRNO.EACCES) fd = file.openat(directoryFd, nameNul, OPEN_ENTRY, 0);
  if (isGone(fd)) return null;
  check(fd, "openat", place);
  try {
    check(stat.of(fd), "statx", place);
    const { type, linkCount, inodeKey } = stat;
    // With its last other name gone it is still the file that had two: see Links.
    const isSharing =
      type !== file.S_IFDIR && (linkCount > 1 || run.links.knows(tree.index, inodeKey));
    const group = isSharing ? run.links.visit(tree.index, inodeKey, linkCount, path) : null;
    if (group === null) run.links.leave(tree.index, path);
    const linkTo = group === null || group.leader === path ? null : group.leader;
    let content = contentOf(stat);
    // A further name of a file that is compared already. If it is not, because only the attributes
    // of its leader were looked at in this pass, it is compared through this name, by ranges.
    if (linkTo !== null && content !== "none") content = group?.isCompared ? "none" : "ranged";
    if (group !== null && comparesContent) group.isCompared = true;
    const meta = metaOf(fd, stat, place);
    const target = type === file.S_IFLNK ? symlinkTarget(fd, place) : null;
    const isHashed = comparesContent && content === "small";
    const size = meta.sizeBytes;
    const read = !isHashed
      ? null
      : isReadable
        ? readWhole(fd, size, place)
        : openSmall(directoryFd, nameNul, size, place);
    // Changed while we read it: its report is in the dirty set, or will be.
    const digest = read === null ? null : hash("sha256", read, "buffer");
    const entry: Entry = {
      // The caller's `name` is a view into a buffer that is soon filled anew.
      name: path.subarray(path.length - name.length),
      meta,
      linkCount,
      group: group?.id ?? 0,
      linkTo,
      hash: digest,
      target,
    };
    return { entry, path, inodeKey, content, group, readBytes: read?.length ?? 0 };
  } finally {
    file.close(fd);
  }
}

/** Small files go whole; big and sparse ones by ranges, so that holes stay holes. */
export function contentOf(of: Stat): Content {
  if (of.type !== file.S_IFREG || of.sizeBytes === 0) return "none";
  const isSparse = of.blocks * 512 < of.sizeBytes;
  return of.sizeBytes > BLOCK_BYTES || isSparse ? "ranged" : "small";
}

type Place = { readonly tree: number; readonly path: Uint8Array };

/** The content of a small file: in a buffer that the next call fills anew. */
function readWhole(fd: number, sizeBytes: number, place: Place): Uint8Array {
  return block.subarray(0, readAt(fd, block.subarray(0, sizeBytes), 0, place));
}

/** The same by its name, or null when it is no longer there. */
function openSmall(
  directoryFd: number,
  name: Uint8Array,
  sizeBytes: number,
  place: Place,
): Uint8Array | null {
  const fd = file.openat(directoryFd, name, OPEN_TO_READ, 0);
  if (isGone(fd) || fd === -ERRNO.ENXIO) return null;
  check(fd, "open", place);
  try {
    return readWhole(fd, sizeBytes, place);
  } finally {
    file.close(fd);
  }
}

/**
 * Opens the regular file that `source` was read from; its stat is in `into`. Null when the name
 * leads elsewhere by now: whoever changed that has reported it. But its other names were linked to
 * this one and would never get their content, so they are for the next pass.
 */
export function openListed(
  run: SourceRun,
  tree: Tree,
  source: SourceEntry,
  into: Stat,
): number | null {
  const { path, group, inodeKey } = source;
  const place = { tree: tree.index, path };
  const fd = tree.open(path, OPEN_TO_READ);
  if (!isGone(fd) && fd !== -ERRNO.ENXIO) {
    check(fd, "open", place);
    const stated = into.of(fd);
    if (stated === 0 && into.type === file.S_IFREG && into.inodeKey === inodeKey) return fd;
    file.close(fd);
    check(stated, "statx", place);
  }
  for (const name of group?.names.values() ?? []) run.again.changedSubtree(tree.index, name);
  return null;
}
