/** The target's side of a file's content: compare ranges, take blocks, set the end state. */
import * as file from "../adapters/linux/file.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { hasData, hashOf, punchHole, readAt, writeAt } from "./content.ts";
import { makeEqual } from "./metadata.ts";
import { discard } from "./remove.ts";
import type { TargetRun } from "./target-run.ts";
import { check, joinPath, OPEN_DIRECTORY, splitPath, type Tree } from "./tree.ts";
import { BLOCK_BYTES, type RangeItem, type SourceMessage, VERDICT } from "./wire.ts";

const stat = new Stat();
const block = new Uint8Array(BLOCK_BYTES);

/** Verdicts on each range, or null when there is no such file. Makes holes holes. */
export function applyRanges(
  run: TargetRun,
  tree: Tree,
  path: Uint8Array,
  items: readonly RangeItem[],
): Uint8Array | null {
  const fd = run.contentFd(tree, path);
  if (fd === null) return null;
  const place = { tree: tree.index, path };
  const verdicts = items.map(({ offsetBytes, lengthBytes, hash }) => {
    if (hash !== null) {
      const bytes = block.subarray(0, lengthBytes);
      const length = readAt(fd, bytes, offsetBytes, place);
      const isEqual = length === lengthBytes && Buffer.compare(hashOf(bytes), hash) === 0;
      return isEqual ? VERDICT.equal : VERDICT.differs;
    }
    if (!hasData(fd, offsetBytes, lengthBytes)) return VERDICT.equal;
    run.keepContent(tree, path, fd);
    check(stat.of(fd), "statx", place);
    punchHole(fd, offsetBytes, lengthBytes, stat.sizeBytes, place);
    return VERDICT.equal;
  });
  return Uint8Array.from(verdicts);
}

type Data = Extract<SourceMessage, { kind: "data" }>;

/** Writes one block. A file that has gone meanwhile is counted: this pass was in vain. */
export function applyData(run: TargetRun, tree: Tree, { path, offsetBytes, bytes }: Data): void {
  const fd = run.contentFd(tree, path);
  if (fd === null) {
    run.dropped += 1;
    return;
  }
  run.keepContent(tree, path, fd);
  writeAt(fd, bytes, offsetBytes, { tree: tree.index, path });
}

type End = Extract<SourceMessage, { kind: "fileEnd" | "directoryEnd" }>;

/** Size and attributes of a file whose content has been sent. */
export function applyFileEnd(run: TargetRun, tree: Tree, { path, meta }: End): void {
  const fd = run.contentFd(tree, path);
  if (fd === null) {
    run.dropped += 1;
    return;
  }
  const place = { tree: tree.index, path };
  check(stat.of(fd), "statx", place);
  if (stat.sizeBytes !== meta.sizeBytes) {
    if (stat.sizeBytes > meta.sizeBytes) run.keepContent(tree, path, fd);
    run.changing();
    check(file.ftruncate(fd, meta.sizeBytes), "ftruncate", place);
    check(stat.of(fd), "statx", place);
  }
  if (makeEqual(fd, stat, meta, place, run.changing)) run.filesChanged += 1;
}

/** Attributes of a directory, after everything in it. */
export function applyDirectoryEnd(run: TargetRun, tree: Tree, { path, meta }: End): void {
  const done = tree.with(path, OPEN_DIRECTORY, (fd) => {
    const place = { tree: tree.index, path };
    check(stat.of(fd), "statx", place);
    makeEqual(fd, stat, meta, place, run.changing);
    return true;
  });
  if (done === null) run.dropped += 1;
}

/** A name that the source no longer has. */
export function applyRemove(run: TargetRun, tree: Tree, path: Uint8Array): void {
  const { directory, name } = splitPath(path);
  run.closeContent();
  tree.with(directory, OPEN_DIRECTORY, (fd) => {
    discard(run, tree, fd, joinPath(directory, name));
  });
}
