/** Walking the source: one directory at a time, each before those in it. */

import { type DirectoryEntry, getdents64, parseEntries } from "../adapters/linux/directory.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import * as file from "../adapters/linux/file.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { metaOf } from "./metadata.ts";
import type { Answer } from "./outbox.ts";
import type { ResyncPlace } from "./resync.ts";
import { sendRanges, sendSmall, verdictsOf } from "./source-file.ts";
import { type PlacedPath, readEntry, type SourceEntry, type SourceRun } from "./source-run.ts";
import { check, joinPath, OPEN_DIRECTORY, type Tree } from "./tree.ts";
import { COMPARE, LIST_ENTRIES_MAX, VERDICT } from "./wire.ts";
import { entryBytesMax } from "./wire-entry.ts";

/**
 * With one more entry of the longest kind and the path a list stays below 600 KiB, and a record
 * that was not yet flushed (outbox.ts) below 1 MiB.
 */
const LIST_BYTES_MAX = 128 * 1024;
/** Content hashed for one question, so that the target is not kept idle. */
const LIST_CONTENT_BYTES_MAX = 16 * 1024 * 1024;
const PIECE_BYTES = 32 * 1024;

const stat = new Stat();

/** Names of directories still to visit, packed: a million of them must fit into memory. */
class Names {
  #bytes = Buffer.allocUnsafe(256);
  #end = 0;
  #at = 0;

  push(name: Uint8Array): void {
    if (this.#end + 1 + name.length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(this.#bytes.length * 2 + 256);
      this.#bytes.copy(grown, 0, 0, this.#end);
      this.#bytes = grown;
    }
    this.#bytes[this.#end] = name.length;
    this.#bytes.set(name, this.#end + 1);
    this.#end += 1 + name.length;
  }

  next(): Uint8Array | null {
    if (this.#at >= this.#end) return null;
    const start = this.#at + 1;
    this.#at = start + (this.#bytes[this.#at] ?? 0);
    return this.#bytes.subarray(start, this.#at);
  }
}

/** Compares `path`, which the target knows to be a directory, and everything below it. */
export function walk(run: SourceRun, tree: Tree, path: Uint8Array): void {
  const levels = [{ path, names: listDirectory(run, { tree, path }) }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    sendPendingFiles(run);
    const name = level.names.next();
    if (name === null) {
      levels.pop();
      continue;
    }
    const below = joinPath(level.path, name);
    levels.push({ path: below, names: listDirectory(run, { tree, path: below }) });
  }
  sendPendingFiles(run);
}

/** Does what answers have asked for and could not send by themselves. */
export function sendPendingFiles(run: SourceRun): void {
  for (let next = run.files.shift(); next !== undefined; next = run.files.shift()) {
    sendRanges(run, next);
  }
}

/**
 * Sends all entries of one directory and then its attributes; the names of its subdirectories.
 * A directory that has gone sends nothing: whoever moved it has made its parent dirty.
 */
function listDirectory(run: SourceRun, directory: PlacedPath): Names {
  const { tree, path } = directory;
  const place = { tree: tree.index, path };
  const names = new Names();
  tree.with(path, OPEN_DIRECTORY, (fd) => {
    const batch = new Batch(run, directory);
    forEachEntry(fd, place, ({ name, type }) => {
      if (tree.isExcluded(joinPath(path, name))) return;
      const read = readEntry(run, directory, fd, name, true, type);
      if (read === null) return;
      if ((read.entry.meta.mode & file.S_IFMT) === file.S_IFDIR) names.push(name);
      batch.add(read);
    });
    batch.send(true);
    check(stat.of(fd), "statx", place);
    run.outbox.post({ kind: "directoryEnd", ...place, meta: metaOf(fd, stat, place) });
  });
  return names;
}

/** Entries of the directory `fd`, `name` valid during the call only. */
export function forEachEntry(
  fd: number,
  place: ResyncPlace,
  use: (entry: DirectoryEntry) => void,
): void {
  const piece = new Uint8Array(PIECE_BYTES);
  for (;;) {
    const filled = getdents64(fd, piece, piece.length);
    // A directory that was removed while it is read ends here (getdents64(2), ENOENT).
    if (filled === 0 || filled === -ERRNO.ENOENT) return;
    check(filled, "getdents64", place);
    for (const entry of parseEntries(piece, filled)) use(entry);
  }
}

/** The entries of one directory on their way, in as many lists as it takes. */
class Batch {
  readonly #run: SourceRun;
  readonly #directory: PlacedPath;
  #entries: SourceEntry[] = [];
  #bytes = 0;
  #contentBytes = 0;
  #begins = true;

  constructor(run: SourceRun, directory: PlacedPath) {
    this.#run = run;
    this.#directory = directory;
  }

  add(entry: SourceEntry): void {
    this.#entries.push(entry);
    this.#bytes += entryBytesMax(entry.entry);
    this.#contentBytes += entry.readBytes;
    const isFull =
      this.#entries.length >= LIST_ENTRIES_MAX ||
      this.#bytes >= LIST_BYTES_MAX ||
      this.#contentBytes >= LIST_CONTENT_BYTES_MAX;
    if (isFull) this.send(false);
  }

  send(ends: boolean): void {
    const [run, { tree, path }, sources] = [this.#run, this.#directory, this.#entries];
    const entries = sources.map((source) => source.entry);
    const how = { begins: this.#begins, ends, compare: COMPARE.content };
    const question = { kind: "list", tree: tree.index, path, ...how, entries } as const;
    run.outbox.ask(question, (answer) => handleVerdicts(run, tree, sources, answer));
    count(run, sources);
    this.#entries = [];
    [this.#bytes, this.#contentBytes, this.#begins] = [0, 0, false];
  }
}

/** Counts what has been compared (or will be, once it has been answered). */
export function count(run: SourceRun, sources: readonly SourceEntry[]): void {
  for (const { content, entry } of sources) {
    if (content === "small") run.progress.bytesChecked += entry.meta.sizeBytes;
  }
  run.progress.filesChecked += sources.length;
  run.progress.tick();
}

function handleVerdicts(
  run: SourceRun,
  tree: Tree,
  sources: readonly SourceEntry[],
  answer: Answer,
): void {
  const verdicts = verdictsOf(answer, sources.length);
  if (verdicts === null) {
    run.again.changedEverything();
    return;
  }
  sources.forEach((source, at) => {
    const { content, group } = source;
    const verdict = verdicts[at];
    // A whole pass visits every name by itself.
    if (group !== null && !run.isWholePass) run.regroup.add(group);
    if (content === "small" && verdict !== VERDICT.equal) sendSmall(run, tree, source);
    if (content !== "ranged") return;
    run.files.push({ tree, source, ranges: null, isEmpty: verdict === VERDICT.empty });
  });
}
