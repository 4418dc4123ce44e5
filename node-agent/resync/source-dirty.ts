/** A later pass: only what was reported since the one before. */
import type { ByteRange, DirtyEntry, DirtySnapshot } from "#model/replication/dirty-set.ts";
import * as file from "../adapters/linux/file.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { findNames } from "./find-names.ts";
import type { LinkGroup } from "./links.ts";
import { metaOf } from "./metadata.ts";
import { verdictsOf } from "./source-file.ts";
import { type PlacedPath, readEntry, type SourceEntry, type SourceRun } from "./source-run.ts";
import { count, forEachEntry, sendPendingFiles, walk } from "./source-walk.ts";
import {
  check,
  depthOf,
  isWithin,
  joinPath,
  OPEN_DIRECTORY,
  OPEN_ENTRY,
  pathKey,
  splitPath,
  type Tree,
} from "./tree.ts";
import { COMPARE, NAMES_MAX, type TypedName, VERDICT } from "./wire.ts";

const NAMES_BYTES_MAX = 128 * 1024;
const WHOLE: readonly ByteRange[] = [{ startBytes: 0, endBytes: Number.POSITIVE_INFINITY }];
const stat = new Stat();

/** Brings the target up to date with what `snapshot` (which is not everything) names. */
export function handleSnapshot(run: SourceRun, snapshot: DirtySnapshot): void {
  const pass = new DirtyPass(run);
  for (const { tree, from, to } of snapshot.moves) {
    run.outbox.post({ kind: "move", tree, path: from, to });
  }
  for (const { tree, inode } of snapshot.sought) run.links.searched(tree, inode);
  const found = findNames(run.trees, snapshot.sought);
  let depth = 0;
  for (const { entry, depth: at } of inOrder([...snapshot.entries, ...found])) {
    // What a comparison of names brings up must be there before what lies in it.
    if (at > depth) pass.settle();
    depth = at;
    pass.handle(entry);
  }
  pass.end();
}

/** Parents before what is in them, so that what they introduce is there. */
function inOrder(
  entries: readonly DirtyEntry[],
): readonly { readonly entry: DirtyEntry; readonly depth: number }[] {
  const keyed = entries.map((entry) => ({ entry, depth: depthOf(entry.path) }));
  keyed.sort((a, b) => a.depth - b.depth || Buffer.compare(a.entry.path, b.entry.path));
  return keyed;
}

class DirtyPass {
  readonly #run: SourceRun;
  /** Walked in this pass, so that nothing below them needs another look. */
  readonly #walked: PlacedPath[] = [];
  /** Directories whose entries this pass may have touched: their attributes come last. */
  readonly #touched = new Map<string, PlacedPath>();

  constructor(run: SourceRun) {
    this.#run = run;
  }

  handle({ tree: index, path, listing, subtree, ranges, inodes }: DirtyEntry): void {
    const tree = this.#run.trees[index];
    if (tree === undefined || tree.isExcluded(path)) return;
    const type = this.#typeOf(tree, path);
    for (const inode of inodes) {
      if (type === null || inode !== stat.inodeKey) this.#run.links.suspect(index, inode);
    }
    if (this.#isWalked(tree, path)) return;
    if (type === null) {
      this.#touch(tree, splitPath(path).directory);
      this.#run.links.leave(index, path);
      this.#run.outbox.post({ kind: "remove", tree: index, path });
    } else if (type === file.S_IFDIR) {
      this.#handleDirectory(tree, path, listing, subtree);
    } else {
      this.#introduce(tree, path, subtree ? WHOLE : ranges);
    }
    sendPendingFiles(this.#run);
  }

  end(): void {
    const run = this.#run;
    this.settle();
    // Comparing a group may find out that a name of another one has gone, and so on.
    while (run.regroup.size + run.links.suspects.size > 0) {
      this.#compareSuspects();
      this.#relink();
      this.settle();
    }
    for (const { tree, path } of this.#touched.values()) {
      const place = { tree: tree.index, path };
      tree.with(path, OPEN_DIRECTORY, (fd) => {
        check(stat.of(fd), "statx", place);
        run.outbox.post({ kind: "directoryEnd", ...place, meta: metaOf(fd, stat, place) });
      });
    }
  }

  /** Until no answer brings up anything more. */
  settle(): void {
    const { outbox, files, strangers } = this.#run;
    do {
      outbox.drain();
      sendPendingFiles(this.#run);
      for (let next = strangers.shift(); next !== undefined; next = strangers.shift()) {
        const { tree, path } = next;
        const dirty = { listing: false, subtree: true, ranges: [], inodes: [] };
        this.handle({ tree: tree.index, path, ...dirty });
      }
      outbox.drain();
    } while (files.length > 0 || strangers.length > 0);
  }

  #handleDirectory(tree: Tree, path: Uint8Array, listing: boolean, subtree: boolean): void {
    const isNew = path.length > 0 && this.#introduce(tree, path, []);
    this.#touch(tree, path);
    if (subtree || isNew) {
      this.#walked.push({ tree, path });
      walk(this.#run, tree, path);
    } else if (listing) {
      this.#compareNames(tree, path);
    }
  }

  /** Null when there is nothing of that name (any more). */
  #typeOf(tree: Tree, path: Uint8Array): number | null {
    return tree.with(path, OPEN_ENTRY, (fd) => {
      check(stat.of(fd), "statx", tree.place(path));
      return stat.type;
    });
  }

  /**
   * Compares one entry within its parent, and of a regular file's content `ranges`. For a
   * directory: waits, and says whether the target had none.
   */
  #introduce(tree: Tree, path: Uint8Array, ranges: readonly ByteRange[]): boolean {
    const run = this.#run;
    const { directory, name } = splitPath(path);
    const parent = { tree, path: Uint8Array.from(directory) };
    const read = tree.with(directory, OPEN_DIRECTORY, (fd) =>
      readEntry(run, parent, fd, name, false),
    );
    // Gone by now: that is a later report's business.
    if (read === null) return false;
    this.#touch(tree, parent.path);
    if (read.group !== null) run.regroup.add(read.group);
    const type = read.entry.meta.mode & file.S_IFMT;
    const compare = type === file.S_IFREG ? COMPARE.existence : COMPARE.content;
    const how = { begins: false, ends: false, compare, entries: [read.entry] };
    let isNew = false;
    run.outbox.ask({ kind: "list", tree: tree.index, path: parent.path, ...how }, (answer) => {
      const verdict = verdictsOf(answer, 1)?.[0];
      if (verdict === undefined) run.again.changedEverything();
      isNew = verdict === VERDICT.empty;
      if (type === file.S_IFREG && verdict !== undefined) this.#compare(read, tree, isNew, ranges);
    });
    count(run, [read]);
    if (type === file.S_IFDIR) run.outbox.drain();
    return isNew;
  }

  #compare(source: SourceEntry, tree: Tree, isEmpty: boolean, ranges: readonly ByteRange[]): void {
    this.#run.files.push({ tree, source, ranges: isEmpty ? null : ranges, isEmpty });
  }

  /** Finds names that only one side has, without looking at each file: directories may be huge. */
  #compareNames(tree: Tree, path: Uint8Array): void {
    const run = this.#run;
    const place = { tree: tree.index, path };
    let [names, bytes, begins]: [TypedName[], number, boolean] = [[], 0, true];
    const ask = (ends: boolean) => {
      const asked = names;
      run.outbox.ask({ kind: "names", ...place, begins, ends, names: asked }, (answer) => {
        const verdicts = verdictsOf(answer, asked.length);
        if (verdicts === null) run.again.changedEverything();
        asked.forEach(({ name }, at) => {
          if (verdicts === null || verdicts[at] === VERDICT.equal) return;
          run.strangers.push({ tree, path: joinPath(path, name) });
        });
      });
      [names, bytes, begins] = [[], 0, false];
    };
    tree.with(path, OPEN_DIRECTORY, (fd) => {
      forEachEntry(fd, place, ({ name, type }) => {
        if (tree.isExcluded(joinPath(path, name))) return;
        names.push({ type, name: Uint8Array.from(name) });
        bytes += name.length + 2;
        if (names.length >= NAMES_MAX || bytes >= NAMES_BYTES_MAX) ask(false);
      });
      ask(true);
    });
  }

  /** A change that was reported under a name that has gone is found under one that holds. */
  #compareSuspects(): void {
    const { links, trees } = this.#run;
    for (const group of links.suspects) {
      links.suspects.delete(group);
      const tree = trees[group.tree];
      const path = tree === undefined ? undefined : this.#namesOf(group, tree)[0];
      if (tree !== undefined && path !== undefined) this.#introduce(tree, path, WHOLE);
    }
  }

  /**
   * The leader of a touched group may have become a new inode on the target, so every other name
   * of the group that still holds is linked to it again.
   */
  #relink(): void {
    const { regroup, trees } = this.#run;
    for (const group of [...regroup]) {
      const tree = trees[group.tree];
      const names = tree === undefined ? [] : this.#namesOf(group, tree);
      for (const path of names) {
        if (tree !== undefined && path !== group.leader) this.#introduce(tree, path, []);
      }
      regroup.delete(group);
    }
  }

  /** The names of the group that are still its own. */
  #namesOf(group: LinkGroup, tree: Tree): Uint8Array[] {
    return [...group.names.values()].filter((path) => {
      const type = this.#typeOf(tree, path);
      if (type !== null && stat.inodeKey === group.inodeKey) return true;
      this.#run.links.leave(group.tree, path);
      return false;
    });
  }

  #touch(tree: Tree, path: Uint8Array): void {
    this.#touched.set(`${tree.index}/${pathKey(path)}`, { tree, path: Uint8Array.from(path) });
  }

  #isWalked(tree: Tree, path: Uint8Array): boolean {
    return this.#walked.some((walked) => walked.tree === tree && isWithin(path, walked.path));
  }
}
