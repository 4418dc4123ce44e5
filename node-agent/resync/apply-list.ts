/** The target's answer to a directory's entries: fix what needs no content, say what does. */
import { ERRNO } from "../adapters/linux/errno.ts";
import * as file from "../adapters/linux/file.ts";
import { withNul } from "../adapters/linux/library.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { hashOf, readAt } from "./content.ts";
import { copyContent } from "./local-copy.ts";
import { makeEqual, symlinkTarget, thaw } from "./metadata.ts";
import { discard } from "./remove.ts";
import { forEachEntry } from "./source-walk.ts";
import { Stop } from "./stop.ts";
import { makeUsable, type OpenListing, type TargetRun } from "./target-run.ts";
import {
  check,
  joinPath,
  OPEN_DIRECTORY,
  OPEN_ENTRY,
  OPEN_TO_CHANGE,
  OPEN_TO_READ,
  pathKey,
  type Tree,
} from "./tree.ts";
import type { Verdict } from "./wire.ts";
import { BLOCK_BYTES, COMPARE, type Compare, type SourceMessage, VERDICT } from "./wire.ts";
import type { Entry } from "./wire-entry.ts";

type Lists = Extract<SourceMessage, { kind: "list" | "names" }>;

/** Verdicts on each entry, or null when there is no such directory. */
export function applyList(run: TargetRun, tree: Tree, message: Lists): Uint8Array | null {
  run.closeContent();
  const listing = openListing(run, tree, message);
  if (listing.fd === null) {
    if (message.ends || run.listing === null) run.closeListing();
    return null;
  }
  try {
    const verdicts =
      message.kind === "list"
        ? applyEntries(run, listing, listing.fd, message.compare, message.entries)
        : message.names.map(({ name, type }) => {
            const own = nameIn(listing, name);
            return own === undefined || (own !== type && own !== 0) ? VERDICT.empty : VERDICT.equal;
          });
    if (message.ends) removeUnnamed(run, listing, listing.fd);
    return Uint8Array.from(verdicts);
  } finally {
    if (run.listing === null) file.close(listing.fd);
    else if (message.ends) run.closeListing();
  }
}

/** The listing that the message begins or goes on with, or one for its few entries alone. */
function openListing(run: TargetRun, tree: Tree, message: Lists): OpenListing {
  const { kind, path, begins, ends } = message;
  const open = run.listing;
  if (open !== null) {
    const isSame = open.kind === kind && open.tree === tree && pathKey(open.path) === pathKey(path);
    if (begins || !isSame) throw new Stop({ kind: "malformed", detail: "lists are mixed up" });
    return open;
  }
  if (ends && !begins) throw new Stop({ kind: "malformed", detail: "a list without a beginning" });
  const fd = openDirectory(tree, path);
  const unnamed = new Map<string, number>();
  if (begins && fd !== null) {
    forEachEntry(fd, tree.place(path), ({ name, type }) => {
      unnamed.set(pathKey(name), type);
    });
  }
  const listing = { kind, tree, path: Uint8Array.from(path), fd, unnamed };
  if (begins) run.listing = listing;
  return listing;
}

const stat = new Stat();

function openDirectory(tree: Tree, path: Uint8Array): number | null {
  const fd = tree.open(path, OPEN_DIRECTORY);
  if (fd === -ERRNO.ENOENT || fd === -ERRNO.ENOTDIR || fd === -ERRNO.ELOOP) return null;
  check(fd, "open", tree.place(path));
  if (stat.of(fd) === 0) makeUsable(fd, stat.mode);
  return fd;
}

/** The type of an own entry, which counts as named from now on. */
function nameIn(listing: OpenListing, name: Uint8Array): number | undefined {
  const key = pathKey(name);
  const type = listing.unnamed.get(key);
  listing.unnamed.delete(key);
  return type;
}

function removeUnnamed(run: TargetRun, { tree, path, unnamed }: OpenListing, fd: number): void {
  for (const key of unnamed.keys()) {
    discard(run, tree, fd, joinPath(path, Buffer.from(key, "latin1")));
  }
}

function applyEntries(
  run: TargetRun,
  listing: OpenListing,
  fd: number,
  compare: Compare,
  entries: readonly Entry[],
): Verdict[] {
  return entries.map((entry) => {
    nameIn(listing, entry.name);
    const path = joinPath(listing.path, entry.name);
    if (listing.tree.isExcluded(path)) return VERDICT.equal;
    return new EntryApplier(run, listing.tree, fd, path, entry).apply(compare);
  });
}

const CREATE = file.O_RDWR | file.O_CREAT | file.O_EXCL | file.O_NOFOLLOW | file.O_CLOEXEC;
const block = new Uint8Array(BLOCK_BYTES);

/** One entry: `stat` holds the target's own while `#exists`. */
class EntryApplier {
  readonly #run: TargetRun;
  readonly #tree: Tree;
  readonly #directoryFd: number;
  readonly #path: Uint8Array;
  readonly #entry: Entry;
  readonly #name: Uint8Array;
  readonly #type: number;
  #exists = false;

  constructor(run: TargetRun, tree: Tree, directoryFd: number, path: Uint8Array, entry: Entry) {
    this.#run = run;
    this.#tree = tree;
    this.#directoryFd = directoryFd;
    this.#path = path;
    this.#entry = entry;
    this.#name = withNul(entry.name);
    this.#type = entry.meta.mode & file.S_IFMT;
  }

  apply(compare: Compare): Verdict {
    const found = stat.at(this.#directoryFd, this.#name);
    if (found !== -ERRNO.ENOENT) this.#check(found, "statx");
    this.#exists = found === 0;
    if (this.#exists) thaw(this.#directoryFd, this.#name, stat);
    if (this.#exists && stat.type !== this.#type) this.#discard();
    if (this.#type === file.S_IFDIR) return this.#applyDirectory();
    if (this.#entry.linkTo !== null) return this.#applyLink(this.#entry.linkTo);
    if (this.#type === file.S_IFREG) return this.#applyRegular(compare);
    return this.#applySpecial();
  }

  #applyDirectory(): Verdict {
    if (this.#exists) return VERDICT.equal;
    this.#run.changing();
    this.#check(file.mkdirat(this.#directoryFd, this.#name, 0o700), "mkdir");
    return VERDICT.empty;
  }

  /** A further name of a file that an earlier entry has brought. */
  #applyLink(linkTo: Uint8Array): Verdict {
    const inode = this.#exists ? stat.inodeKey : null;
    const linked = this.#tree.with(linkTo, OPEN_ENTRY, (leader) => {
      this.#check(stat.of(leader), "statx");
      if (stat.type !== this.#type) return null;
      if (stat.inodeKey === inode) return true;
      if (this.#exists) this.#discard();
      this.#run.changing();
      const path = file.descriptorPath(leader);
      const flags = file.AT_SYMLINK_FOLLOW;
      this.#check(file.linkat(file.AT_FDCWD, path, this.#directoryFd, this.#name, flags), "link");
      return true;
    });
    // Its leader has moved meanwhile, so this name cannot be made what it should be in this pass.
    if (linked === null) this.#run.dropped += 1;
    return VERDICT.equal;
  }

  #applySpecial(): Verdict {
    if (this.#exists && (this.#isWronglyShared() || !this.#isSameSpecial())) this.#discard();
    if (!this.#exists) {
      const { target, meta } = this.#entry;
      this.#run.changing();
      const made =
        target === null
          ? file.mknodat(this.#directoryFd, this.#name, this.#type | 0o600, meta.rdev)
          : file.symlinkat(withNul(target), this.#directoryFd, this.#name);
      this.#check(made, target === null ? "mknod" : "symlink");
    }
    this.#makeEqual();
    return VERDICT.equal;
  }

  #applyRegular(compare: Compare): Verdict {
    if (this.#exists && this.#isWronglyShared()) this.#separate();
    if (!this.#exists) {
      this.#create();
      if (this.#entry.meta.sizeBytes === 0) this.#makeEqual();
      return VERDICT.empty;
    }
    if (compare === COMPARE.existence) return VERDICT.equal;
    const { hash, meta } = this.#entry;
    // Before holes are made, so that they reach up to the end.
    if (stat.sizeBytes > meta.sizeBytes && hash === null) this.#truncate(meta.sizeBytes);
    if (meta.sizeBytes === 0) {
      this.#makeEqual();
      return VERDICT.equal;
    }
    if (hash === null || stat.sizeBytes !== meta.sizeBytes) return VERDICT.differs;
    return this.#compareContent(hash);
  }

  /** True when writing to this inode would change a file that is another one on the source. */
  #isWronglyShared(): boolean {
    const { group, linkCount } = this.#entry;
    if (stat.linkCount > linkCount) return true;
    if (group === 0) return false;
    const key = `${this.#tree.index}/${stat.inodeKey}`;
    const claimedBy = this.#run.claims.get(key);
    this.#run.claims.set(key, claimedBy ?? group);
    return claimedBy !== undefined && claimedBy !== group;
  }

  /** Gives this name an inode of its own with the same content. */
  #separate(): void {
    const { sizeBytes } = stat;
    const old = file.openat(this.#directoryFd, this.#name, OPEN_TO_READ, 0);
    this.#check(old, "open");
    try {
      this.#discard();
      const created = this.#create();
      copyContent(old, created, sizeBytes, this.#tree.place(this.#path));
      this.#check(stat.at(this.#directoryFd, this.#name), "statx");
      this.#exists = true;
    } finally {
      file.close(old);
      this.#run.closeContent();
    }
  }

  /** The new file's descriptor, which is the run's to close. */
  #create(): number {
    this.#run.changing();
    const created = file.openat(this.#directoryFd, this.#name, CREATE, 0o600);
    this.#check(created, "create");
    if (this.#entry.group !== 0 && stat.of(created) === 0) {
      this.#run.claims.set(`${this.#tree.index}/${stat.inodeKey}`, this.#entry.group);
    }
    this.#run.ownContent(this.#tree, this.#path);
    this.#run.adoptContent(this.#tree, this.#path, created);
    return created;
  }

  #truncate(sizeBytes: number): void {
    const fd = file.openat(this.#directoryFd, this.#name, OPEN_TO_CHANGE, 0);
    this.#check(fd, "open");
    try {
      this.#run.keepContent(this.#tree, this.#path, fd);
      this.#check(file.ftruncate(fd, sizeBytes), "ftruncate");
    } finally {
      file.close(fd);
    }
  }

  /** Of a file with the same size: whether its content has this hash; if so, its attributes too. */
  #compareContent(hash: Uint8Array): Verdict {
    const { meta } = this.#entry;
    if (meta.sizeBytes > BLOCK_BYTES) return VERDICT.differs;
    const fd = file.openat(this.#directoryFd, this.#name, OPEN_TO_READ, 0);
    // Not even its owner may read it: then it must be sent.
    if (fd === -ERRNO.EACCES) return VERDICT.differs;
    this.#check(fd, "open");
    try {
      const place = { tree: this.#tree.index, path: this.#path };
      const bytes = block.subarray(0, meta.sizeBytes);
      const length = readAt(fd, bytes, 0, place);
      const isEqual = length === meta.sizeBytes && Buffer.compare(hashOf(bytes), hash) === 0;
      if (!isEqual) return VERDICT.differs;
      if (makeEqual(fd, stat, meta, place, this.#run.changing)) this.#run.filesChanged += 1;
      return VERDICT.equal;
    } finally {
      file.close(fd);
    }
  }

  #isSameSpecial(): boolean {
    const { target, meta } = this.#entry;
    if (target === null) return meta.rdev === 0 || stat.rdev === meta.rdev;
    const fd = file.openat(this.#directoryFd, this.#name, OPEN_ENTRY, 0);
    this.#check(fd, "open");
    try {
      const own = symlinkTarget(fd, this.#tree.place(this.#path));
      return Buffer.compare(own, target) === 0;
    } finally {
      file.close(fd);
    }
  }

  #makeEqual(): void {
    const place = this.#tree.place(this.#path);
    const fd = file.openat(this.#directoryFd, this.#name, OPEN_ENTRY, 0);
    this.#check(fd, "open");
    try {
      this.#check(stat.of(fd), "statx");
      const changed = makeEqual(fd, stat, this.#entry.meta, place, this.#run.changing);
      if (changed) this.#run.filesChanged += 1;
    } finally {
      file.close(fd);
    }
  }

  #discard(): void {
    discard(this.#run, this.#tree, this.#directoryFd, this.#path);
    this.#exists = false;
  }

  #check(result: number, operation: string): void {
    check(result, operation, { tree: this.#tree.index, path: this.#path });
  }
}
