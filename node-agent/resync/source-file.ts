/** Comparing and sending one regular file's content. */
import * as file from "../adapters/linux/file.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { extentsOf, hashOf, readAt } from "./content.ts";
import { metaOf } from "./metadata.ts";
import type { Answer } from "./outbox.ts";
import {
  contentOf,
  openListed,
  type PendingFile,
  type SourceEntry,
  type SourceRun,
} from "./source-run.ts";
import { Stop } from "./stop.ts";
import { check, type Tree } from "./tree.ts";
import { BLOCK_BYTES, RANGES_MAX, type RangeItem, VERDICT } from "./wire.ts";

/** Content hashed for one question: what a cancelled or paused run waits for at most. */
const QUESTION_BYTES_MAX = 16 * 1024 * 1024;
const stat = new Stat();
const block = new Uint8Array(BLOCK_BYTES);

/** Sends a small file whole. Only posts, so an answer's handler may call it. */
export function sendSmall(run: SourceRun, tree: Tree, source: SourceEntry): void {
  const { path } = source;
  const fd = openListed(run, tree, source, stat);
  if (fd === null) return;
  try {
    if (contentOf(stat) === "ranged") {
      // It has grown since it was listed.
      run.files.push({ tree, source, ranges: null, isEmpty: false });
      return;
    }
    const place = { tree: tree.index, path };
    const meta = metaOf(fd, stat, place);
    const bytes = block.subarray(0, readAt(fd, block.subarray(0, meta.sizeBytes), 0, place));
    if (bytes.length > 0) run.outbox.post({ kind: "data", ...place, offsetBytes: 0, bytes });
    run.outbox.post({ kind: "fileEnd", ...place, meta });
  } finally {
    file.close(fd);
  }
}

/** Asks about a bigger file's ranges, sends those that differ, then its size and attributes. */
export function sendRanges(run: SourceRun, pending: PendingFile): void {
  const { tree, source, isEmpty } = pending;
  const { path } = source;
  const place = { tree: tree.index, path };
  const fd = openListed(run, tree, source, stat);
  if (fd === null) return;
  run.openFds.add(fd);
  const { sizeBytes } = stat;
  let items: RangeItem[] = [];
  let [hashedBytes, sentBytes] = [0, 0];
  const ask = () => {
    const asked = items;
    [items, hashedBytes] = [[], 0];
    const question = { kind: "ranges", ...place, items: asked } as const;
    run.outbox.ask(question, (answer) => sendWanted(run, tree, path, fd, asked, answer));
  };
  for (const { startBytes, endBytes } of pending.ranges ?? [
    { startBytes: 0, endBytes: sizeBytes },
  ]) {
    for (const extent of extentsOf(fd, startBytes, Math.min(endBytes, sizeBytes), place)) {
      const { offsetBytes, lengthBytes, isHole } = extent;
      run.progress.bytesChecked += lengthBytes;
      run.progress.tick();
      // A file without content needs no questions, and its holes are there already.
      if (isEmpty && isHole) continue;
      if (isEmpty) {
        sendBlock(run, tree, path, fd, extent);
        sentBytes += lengthBytes;
        // A question now and then, so that a full disk over there is heard of soon.
        if (sentBytes % QUESTION_BYTES_MAX < lengthBytes) ask();
        continue;
      }
      items.push({ offsetBytes, lengthBytes, hash: isHole ? null : blockHash(fd, extent, place) });
      if (!isHole) hashedBytes += lengthBytes;
      if (items.length >= RANGES_MAX || hashedBytes >= QUESTION_BYTES_MAX) ask();
    }
  }
  if (items.length > 0) ask();
  run.outbox.after(() => {
    check(stat.of(fd), "statx", place);
    run.outbox.post({ kind: "fileEnd", ...place, meta: metaOf(fd, stat, place) });
    run.openFds.delete(fd);
    file.close(fd);
  });
}

type Span = { readonly offsetBytes: number; readonly lengthBytes: number };

function blockHash(fd: number, span: Span, place: { tree: number; path: Uint8Array }): Uint8Array {
  const bytes = block.subarray(0, span.lengthBytes);
  return hashOf(bytes.subarray(0, readAt(fd, bytes, span.offsetBytes, place)));
}

function sendBlock(run: SourceRun, tree: Tree, path: Uint8Array, fd: number, span: Span): void {
  const place = { tree: tree.index, path };
  const bytes = block.subarray(0, span.lengthBytes);
  const length = readAt(fd, bytes, span.offsetBytes, place);
  if (length === 0) return;
  const { offsetBytes } = span;
  run.outbox.post({ kind: "data", ...place, offsetBytes, bytes: bytes.subarray(0, length) });
}

function sendWanted(
  run: SourceRun,
  tree: Tree,
  path: Uint8Array,
  fd: number,
  asked: readonly RangeItem[],
  answer: Answer,
): void {
  const verdicts = verdictsOf(answer, asked.length);
  // It was there a moment ago, so something has moved: look at everything again.
  if (verdicts === null) {
    run.again.changedEverything();
    return;
  }
  asked.forEach((item, at) => {
    if (verdicts[at] !== VERDICT.equal && item.hash !== null) sendBlock(run, tree, path, fd, item);
  });
}

/** One verdict for each thing asked, or null when the target has no such directory or file. */
export function verdictsOf(answer: Answer, count: number): Uint8Array | null {
  if (answer.kind !== "answer") throw new Stop({ kind: "malformed", detail: "another answer" });
  if (answer.isMissing) return null;
  if (answer.verdicts.length !== count) {
    throw new Stop({ kind: "malformed", detail: "another number of verdicts" });
  }
  return answer.verdicts;
}
