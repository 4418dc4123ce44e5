/** Copies within one node, for what is kept aside on another file system. */
import * as file from "../adapters/linux/file.ts";
import { withNul } from "../adapters/linux/library.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { extentsOf, readAt, writeAt } from "./content.ts";
import { makeEqual, metaOf, symlinkTarget } from "./metadata.ts";
import type { ResyncPlace } from "./resync.ts";
import { forEachEntry } from "./source-walk.ts";
import {
  check,
  joinPath,
  OPEN_DIRECTORY,
  OPEN_ENTRY,
  OPEN_TO_READ,
  splitPath,
  type Tree,
} from "./tree.ts";
import { BLOCK_BYTES } from "./wire.ts";
import type { Meta } from "./wire-entry.ts";

const stat = new Stat();
const block = new Uint8Array(BLOCK_BYTES);
const CREATE = file.O_RDWR | file.O_CREAT | file.O_EXCL | file.O_NOFOLLOW | file.O_CLOEXEC;
const nothing = (): void => {};

/** Copies the content of the open file `from` to the open, empty file `to`; holes stay holes. */
export function copyContent(from: number, to: number, sizeBytes: number, place: ResyncPlace): void {
  for (const { offsetBytes, lengthBytes, isHole } of extentsOf(from, 0, sizeBytes, place)) {
    if (isHole) continue;
    const bytes = block.subarray(0, lengthBytes);
    const length = readAt(from, bytes, offsetBytes, place);
    writeAt(to, bytes.subarray(0, length), offsetBytes, place);
  }
  check(file.ftruncate(to, sizeBytes), "ftruncate", place);
}

/** Copies the open regular file `fd` to `toPath`, whose parent exists. 0, or -EEXIST. */
export function copyOpenFile(fd: number, place: ResyncPlace, to: Tree, toPath: Uint8Array): number {
  check(stat.of(fd), "statx", place);
  const meta = metaOf(fd, stat, place);
  const { directory, name } = splitPath(toPath);
  const made = to.with(directory, OPEN_DIRECTORY, (parent) =>
    file.openat(parent, withNul(name), CREATE, 0o600),
  );
  if (made === null || made < 0) return made ?? -1;
  try {
    copyContent(fd, made, meta.sizeBytes, place);
    check(stat.of(made), "statx", place);
    makeEqual(made, stat, meta, place, nothing);
  } finally {
    file.close(made);
  }
  return 0;
}

/** Copies the entry `fromPath`, with everything below it, to `toPath`. 0, or -errno of the first. */
export function copyEntry(from: Tree, fromPath: Uint8Array, to: Tree, toPath: Uint8Array): number {
  const pending = [{ fromPath, toPath }];
  const directories: { readonly toPath: Uint8Array; readonly meta: Meta }[] = [];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { fromPath: source, toPath: copy } = next;
    const place = from.place(source);
    const result = from.with(source, OPEN_ENTRY, (fd) => {
      check(stat.of(fd), "statx", place);
      const meta = metaOf(fd, stat, place);
      if (stat.type === file.S_IFREG) {
        return from.with(source, OPEN_TO_READ, (open) => copyOpenFile(open, place, to, copy));
      }
      const made = makeSpecial(fd, meta, to, copy, place);
      if (made !== 0 || stat.type !== file.S_IFDIR) return made;
      directories.push({ toPath: copy, meta });
      return 0;
    });
    if (result !== null && result < 0) return result;
    if (directories.at(-1)?.toPath !== copy) continue;
    from.with(source, OPEN_DIRECTORY, (fd) =>
      forEachEntry(fd, place, ({ name }) => {
        pending.push({ fromPath: joinPath(source, name), toPath: joinPath(copy, name) });
      }),
    );
  }
  // Their times last, when nothing is put into them any more.
  for (const { toPath: path, meta } of directories.reverse()) equalize(to, path, meta);
  return 0;
}

/** A directory, symlink, fifo, socket or device like `fd`. Leaves `stat` as it found it. */
function makeSpecial(
  fd: number,
  meta: Meta,
  to: Tree,
  toPath: Uint8Array,
  place: ResyncPlace,
): number {
  const { directory, name } = splitPath(toPath);
  const type = meta.mode & file.S_IFMT;
  const made = to.with(directory, OPEN_DIRECTORY, (parent) => {
    const nameNul = withNul(name);
    if (type === file.S_IFDIR) return file.mkdirat(parent, nameNul, 0o700);
    if (type === file.S_IFLNK) {
      return file.symlinkat(withNul(symlinkTarget(fd, place)), parent, nameNul);
    }
    return file.mknodat(parent, nameNul, type | 0o600, meta.rdev);
  });
  if (made === 0 && type !== file.S_IFDIR) equalize(to, toPath, meta);
  return made ?? -1;
}

const copied = new Stat();
function equalize(to: Tree, path: Uint8Array, meta: Meta): void {
  to.with(path, OPEN_ENTRY, (fd) => {
    check(copied.of(fd), "statx", to.place(path));
    makeEqual(fd, copied, meta, to.place(path), nothing);
  });
}
