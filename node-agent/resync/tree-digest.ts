/**
 * Are two directories the same? The judge of replication's tests and of `replication verify`: it
 * reads everything on both sides and trusts neither times nor sizes.
 *
 * Compared: type, permissions, owner, mtime to the nanosecond, size, every byte, which names are
 * one inode, extended attributes (ACLs among them), device numbers, symlink targets. Not compared:
 * what a resync does not carry (resync.ts), and which parts of a file are holes.
 */
import { createHash, type Hash } from "node:crypto";
import * as file from "../adapters/linux/file.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { readAt } from "./content.ts";
import { isSameTime, metaOf, symlinkTarget } from "./metadata.ts";
import { forEachEntry } from "./source-walk.ts";
import {
  check,
  joinPath,
  OPEN_DIRECTORY,
  OPEN_ENTRY,
  OPEN_TO_READ,
  pathKey,
  type Tree,
} from "./tree.ts";
import type { Meta } from "./wire-entry.ts";

export type TreeDifference = {
  readonly path: Uint8Array;
  readonly kind:
    | "onlyInFirst"
    | "onlyInSecond"
    | "type"
    | "mode"
    | "owner"
    | "mtime"
    | "size"
    | "content"
    | "links"
    | "xattrs"
    | "device"
    | "target";
  /** For people: what the first has and the second. */
  readonly detail: string;
  /** Where the content first differs; its length is that of the run of different bytes. */
  readonly extent: { readonly offsetBytes: number; readonly lengthBytes: number } | null;
};

type Facts = {
  readonly meta: Meta;
  readonly target: Uint8Array | null;
  /** The first name, in the order of the walk, of the same inode. */
  readonly firstName: Uint8Array;
};

const READ_BYTES = 1024 * 1024;
const ROOT: Uint8Array = new Uint8Array();
const stat = new Stat();

/** One side: finds facts by path and remembers which name of an inode came first. */
class Side {
  readonly tree: Tree;
  readonly #firstNames = new Map<string, Uint8Array>();

  constructor(tree: Tree) {
    this.tree = tree;
  }

  /** Names in the directory, in the order of their bytes; empty when there is none. */
  names(path: Uint8Array): Uint8Array[] {
    const names: Uint8Array[] = [];
    this.tree.with(path, OPEN_DIRECTORY, (fd) => {
      forEachEntry(fd, this.tree.place(path), ({ name }) => {
        if (!this.tree.isExcluded(joinPath(path, name))) names.push(Uint8Array.from(name));
      });
    });
    return names.sort(Buffer.compare);
  }

  facts(path: Uint8Array): Facts | null {
    return this.tree.with(path, OPEN_ENTRY, (fd) => {
      const place = this.tree.place(path);
      check(stat.of(fd), "statx", place);
      const meta = metaOf(fd, stat, place);
      let firstName = path;
      if (stat.type !== file.S_IFDIR && stat.linkCount > 1) {
        const key = String(stat.inodeKey);
        firstName = this.#firstNames.get(key) ?? path;
        this.#firstNames.set(key, firstName);
      }
      const target = stat.type === file.S_IFLNK ? symlinkTarget(fd, place) : null;
      return { meta, target, firstName };
    });
  }
}

/** Every difference, in the order of a walk that visits names in the order of their bytes. */
export function* differencesOf(first: Tree, second: Tree): Generator<TreeDifference> {
  const [a, b] = [new Side(first), new Side(second)];
  yield* compareEntry(a, b, ROOT);
  const pending = [ROOT];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const below: Uint8Array[] = [];
    const seen = new Set<string>();
    const names = [...a.names(path), ...b.names(path)].sort(Buffer.compare);
    for (const name of names) {
      if (seen.has(pathKey(name))) continue;
      seen.add(pathKey(name));
      const entry = joinPath(path, name);
      yield* compareEntry(a, b, entry);
      if (a.names(entry).length + b.names(entry).length > 0) below.push(entry);
    }
    // Not spread into one call: a directory may have more names than a call has arguments.
    for (const entry of below.reverse()) pending.push(entry);
  }
}

function* compareEntry(a: Side, b: Side, path: Uint8Array): Generator<TreeDifference> {
  const [own, other] = [a.facts(path), b.facts(path)];
  const difference = (
    kind: TreeDifference["kind"],
    detail: string,
    extent: TreeDifference["extent"] = null,
  ): TreeDifference => ({ path, kind, detail, extent });
  if (own === null && other === null) return;
  if (own === null) return yield difference("onlyInSecond", "");
  if (other === null) return yield difference("onlyInFirst", "");
  const [m, n] = [own.meta, other.meta];
  if (typeOf(m) !== typeOf(n)) {
    return yield difference("type", `${octal(typeOf(m))} and ${octal(typeOf(n))}`);
  }
  if (m.mode !== n.mode) yield difference("mode", `${octal(m.mode)} and ${octal(n.mode)}`);
  if (m.uid !== n.uid || m.gid !== n.gid) {
    yield difference("owner", `${m.uid}:${m.gid} and ${n.uid}:${n.gid}`);
  }
  if (!isSameTime(m.mtime, n.mtime)) yield difference("mtime", `${time(m)} and ${time(n)}`);
  if (m.rdev !== n.rdev) yield difference("device", `${m.rdev} and ${n.rdev}`);
  if (showXattrs(m) !== showXattrs(n)) {
    yield difference("xattrs", `${showXattrs(m)} and ${showXattrs(n)}`);
  }
  if (pathKey(own.firstName) !== pathKey(other.firstName)) {
    yield difference("links", `one with ${pathKey(own.firstName)} and ${pathKey(other.firstName)}`);
  }
  if (own.target !== null && other.target !== null) {
    if (Buffer.compare(own.target, other.target) !== 0) {
      yield difference("target", `${pathKey(own.target)} and ${pathKey(other.target)}`);
    }
  }
  if (typeOf(m) !== file.S_IFREG) return;
  if (m.sizeBytes !== n.sizeBytes) {
    yield difference("size", `${m.sizeBytes} and ${n.sizeBytes} bytes`);
  }
  const extent = firstDifference(a.tree, b.tree, path, Math.min(m.sizeBytes, n.sizeBytes));
  if (extent !== null) {
    yield difference("content", `at ${extent.offsetBytes}, ${extent.lengthBytes} bytes`, extent);
  }
}

const typeOf = ({ mode }: Meta): number => mode & file.S_IFMT;
const octal = (mode: number): string => mode.toString(8);
const time = ({ mtime }: Meta): string =>
  `${mtime.seconds}.${String(mtime.nanoseconds).padStart(9, "0")}`;
const showXattrs = ({ xattrs }: Meta): string =>
  xattrs
    .map(({ name, value }) => `${pathKey(name)}=${Buffer.from(value).toString("hex")}`)
    .join(" ");

const [left, right] = [new Uint8Array(READ_BYTES), new Uint8Array(READ_BYTES)];

function firstDifference(
  a: Tree,
  b: Tree,
  path: Uint8Array,
  sizeBytes: number,
): TreeDifference["extent"] {
  const found = a.with(path, OPEN_TO_READ, (fd) =>
    b.with(path, OPEN_TO_READ, (otherFd) => {
      for (let at = 0; at < sizeBytes; at += READ_BYTES) {
        const length = Math.min(READ_BYTES, sizeBytes - at);
        const [own, other] = [left.subarray(0, length), right.subarray(0, length)];
        readAt(fd, own, at, a.place(path));
        readAt(otherFd, other, at, b.place(path));
        if (Buffer.compare(own, other) === 0) continue;
        const start = own.findIndex((byte, index) => byte !== other[index]);
        let end = start;
        while (end < length && own[end] !== other[end]) end += 1;
        return { offsetBytes: at + start, lengthBytes: end - start };
      }
      return null;
    }),
  );
  return found ?? null;
}

export type TreeDigest = {
  /** SHA-256 (hex) over everything that `differencesOf` compares: equal for equal trees. */
  readonly digest: string;
  readonly entries: number;
  readonly contentBytes: number;
};

/** One number for a whole tree, so that two nodes need not send each other their files. */
export function digestOf(tree: Tree): TreeDigest {
  const side = new Side(tree);
  const hash = createHash("sha256");
  let [entries, contentBytes] = [0, 0];
  const pending = [ROOT];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const facts = side.facts(path);
    if (facts === null) continue;
    entries += 1;
    addFacts(hash, path, facts);
    if (typeOf(facts.meta) === file.S_IFREG) contentBytes += addContent(hash, tree, path);
    if (typeOf(facts.meta) !== file.S_IFDIR) continue;
    const directory = path;
    for (const name of side.names(directory).reverse()) pending.push(joinPath(directory, name));
  }
  return { digest: hash.digest("hex"), entries, contentBytes };
}

function addFacts(hash: Hash, path: Uint8Array, { meta, target, firstName }: Facts): void {
  const { mode, uid, gid, sizeBytes, rdev } = meta;
  const numbers = [mode, uid, gid, sizeBytes, time(meta), rdev, showXattrs(meta)];
  // Lengths first, so that no two different trees say the same.
  const texts = [pathKey(path), numbers.join(" "), pathKey(firstName), pathKey(target ?? ROOT)];
  for (const text of texts) hash.update(`${text.length}:${text};`, "latin1");
}

function addContent(hash: Hash, tree: Tree, path: Uint8Array): number {
  const length = tree.with(path, OPEN_TO_READ, (fd) => {
    for (let at = 0; ; ) {
      const count = readAt(fd, left, at, tree.place(path));
      hash.update(left.subarray(0, count));
      at += count;
      if (count < left.length) return at;
    }
  });
  return length ?? 0;
}
