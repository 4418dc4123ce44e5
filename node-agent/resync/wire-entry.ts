/** One file's metadata on the wire: everything that a copy must agree on but its content. */
import type { FileTime } from "../replication/operation.ts";
import { Malformed, type RecordReader, type RecordWriter } from "./wire-bytes.ts";

/** SHA-256. */
export const HASH_BYTES = 32;
/** As Linux has them (limits.h, PATH_MAX less the NUL). */
export const NAME_BYTES_MAX = 255;
export const SYMLINK_BYTES_MAX = 4095;
/** Of all extended attributes of one file together; more is refused as E2BIG. */
export const XATTR_BYTES_MAX = 256 * 1024;
/** XATTR_SIZE_MAX, XATTR_NAME_MAX (linux/limits.h). */
const XATTR_VALUE_BYTES_MAX = 64 * 1024;
const XATTR_NAME_BYTES_MAX = 255;
const LINK_PATH_BYTES_MAX = 64 * 1024;

export type Xattr = { readonly name: Uint8Array; readonly value: Uint8Array };

export type Meta = {
  /** Type and permission bits as in stat(2). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtime: FileTime;
  /** Of device files, as mknod(2) takes it; else 0. */
  readonly rdev: number;
  /** Sorted by name. ACLs are among them. */
  readonly xattrs: readonly Xattr[];
};

export type Entry = {
  readonly name: Uint8Array;
  readonly meta: Meta;
  readonly linkCount: number;
  /** Names of one inode share this number; 0 for a file with a single name. */
  readonly group: number;
  /** A name of the same inode that came earlier in this pass, relative to the tree's root. */
  readonly linkTo: Uint8Array | null;
  /** Of the whole content of a small regular file. */
  readonly hash: Uint8Array | null;
  /** Where a symlink leads. */
  readonly target: Uint8Array | null;
};

const HAS_HASH = 1;
const HAS_LINK = 2;
const HAS_TARGET = 4;

/** An upper bound of what `writeEntry` writes, so that a list can be kept within a record. */
export function entryBytesMax(entry: Entry): number {
  let bytes = 160 + entry.name.length + (entry.linkTo?.length ?? 0) + (entry.target?.length ?? 0);
  for (const { name, value } of entry.meta.xattrs) bytes += 8 + name.length + value.length;
  return bytes;
}

export function writeEntry(writer: RecordWriter, entry: Entry): void {
  const { hash, linkTo, target } = entry;
  writer.u8(
    (hash === null ? 0 : HAS_HASH) |
      (linkTo === null ? 0 : HAS_LINK) |
      (target === null ? 0 : HAS_TARGET),
  );
  writer.bytes(entry.name);
  writeMeta(writer, entry.meta);
  writer.u32(entry.linkCount);
  writer.integer(entry.group);
  if (hash !== null) writer.raw(hash);
  if (linkTo !== null) writer.bytes(linkTo);
  if (target !== null) writer.bytes(target);
}

export function readEntry(reader: RecordReader): Entry {
  const flags = reader.u8();
  const name = reader.bytes(NAME_BYTES_MAX);
  if (!isName(name)) throw new Malformed("a name that is none");
  const meta = readMeta(reader);
  const linkCount = reader.u32();
  const group = reader.integer(0);
  const hash = (flags & HAS_HASH) === 0 ? null : reader.raw(HASH_BYTES);
  const linkTo = (flags & HAS_LINK) === 0 ? null : reader.bytes(LINK_PATH_BYTES_MAX);
  const target = (flags & HAS_TARGET) === 0 ? null : reader.bytes(SYMLINK_BYTES_MAX);
  const isLinkSound = linkTo === null || (linkTo.length > 0 && isRelativePath(linkTo));
  if (!isLinkSound || target?.includes(0)) throw new Malformed("a path that is none");
  return { name, meta, linkCount, group, linkTo, hash, target };
}

export function writeMeta(writer: RecordWriter, meta: Meta): void {
  writer.u32(meta.mode);
  writer.u32(meta.uid);
  writer.u32(meta.gid);
  writer.integer(meta.sizeBytes);
  writer.integer(meta.mtime.seconds);
  writer.u32(meta.mtime.nanoseconds);
  writer.integer(meta.rdev);
  writer.u16(meta.xattrs.length);
  for (const { name, value } of meta.xattrs) {
    writer.bytes(name);
    writer.bytes(value);
  }
}

export function readMeta(reader: RecordReader): Meta {
  const mode = reader.u32();
  if (mode > 0xffff) throw new Malformed("an impossible mode");
  const [uid, gid, sizeBytes] = [reader.u32(), reader.u32(), reader.integer(0)];
  const seconds = reader.integer(Number.MIN_SAFE_INTEGER);
  const nanoseconds = reader.u32();
  if (nanoseconds > 999_999_999) throw new Malformed("an impossible time");
  const rdev = reader.integer(0);
  const xattrs: Xattr[] = [];
  for (let left = reader.u16(); left > 0; left -= 1) {
    const name = reader.bytes(XATTR_NAME_BYTES_MAX);
    if (name.length === 0 || name.includes(0)) throw new Malformed("an impossible attribute name");
    xattrs.push({ name, value: reader.bytes(XATTR_VALUE_BYTES_MAX) });
  }
  return { mode, uid, gid, sizeBytes, mtime: { seconds, nanoseconds }, rdev, xattrs };
}

const [DOT, SLASH] = [46, 47];

/** One path component that leads to an entry of the directory: not `.`, `..`, or a path. */
export function isName(name: Uint8Array): boolean {
  return !name.includes(SLASH) && isRelativePath(name) && name.length > 0;
}

/**
 * Names joined by single slashes, none of them `.` or `..`; or empty, for the root. The kernel
 * would keep another path beneath the root too, but not out of what is local to this node.
 */
export function isRelativePath(path: Uint8Array): boolean {
  if (path.length === 0) return true;
  if (path.includes(0)) return false;
  for (let start = 0; start <= path.length; ) {
    const slash = path.indexOf(SLASH, start);
    const end = slash < 0 ? path.length : slash;
    const length = end - start;
    if (length === 0 || length > NAME_BYTES_MAX) return false;
    if (path[start] === DOT && (length === 1 || (length === 2 && path[start + 1] === DOT))) {
      return false;
    }
    start = end + 1;
  }
  return true;
}
