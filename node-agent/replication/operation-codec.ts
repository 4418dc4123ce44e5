/**
 * One operation's body in a frame. Every length and value is checked here once, so that what the
 * applier receives is well formed: names are single path components, numbers are within what the
 * system calls take. What does not pass is a malformed frame, and nothing of it is applied.
 */

import { assert } from "#model/shared/assert.ts";
import type { Birth, FileTime, Operation, OperationKind } from "./operation.ts";
import type { WireReader, WireWriter } from "./wire.ts";

/** Numbers on the wire: never renumbered, only added to. */
const CODES = {
  bind: 1,
  orphan: 2,
  create: 3,
  mkdir: 4,
  symlink: 5,
  link: 6,
  unlink: 7,
  rmdir: 8,
  rename: 9,
  write: 10,
  truncate: 11,
  fallocate: 12,
  setattr: 13,
  setxattr: 14,
  removexattr: 15,
  fsync: 16,
  syncfs: 17,
  forget: 18,
  touch: 19,
} as const satisfies Record<OperationKind, number>;

/** NAME_MAX of limits.h; the same for the name of an extended attribute. */
export const NAME_BYTES_MAX = 255;
/** PATH_MAX of limits.h, less its NUL: the longest target of a symbolic link. */
export const TARGET_BYTES_MAX = 4095;
/** XATTR_SIZE_MAX of linux/limits.h. */
export const XATTR_BYTES_MAX = 65_536;
/** The largest write in one frame: FUSE's max_write. */
export const WRITE_BYTES_MAX = 1024 * 1024;

const TOUCHED = ["names", "all", "content", "sought", "everything"] as const;
const TREES_MAX = 64;
const TOUCHED_PATH_BYTES_MAX = 65_535;
const SLASH = 0x2f;
const DOT = 0x2e;
const MODE_MAX = 0o177_777;
const BIT = { mode: 1, uid: 2, gid: 4, atime: 8, mtime: 16 } as const;
const NANOSECONDS = 1_000_000_000;

/** A single component of a path, as the kernel would take it for a new entry. */
export function isComponent(name: Uint8Array): boolean {
  if (name.length === 0 || name.length > NAME_BYTES_MAX) return false;
  if (name.includes(0) || name.includes(SLASH)) return false;
  const isDots = name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
  return !isDots;
}

/** The code of the operation's kind, for the frame's header. */
export function codeOf(kind: OperationKind): number {
  return CODES[kind];
}

export function isOperationCode(code: number): boolean {
  return code >= CODES.bind && code <= CODES.touch;
}

/** Appends the body. */
export function encodeOperation(to: WireWriter, o: Operation): void {
  switch (o.kind) {
    case "write":
      assert(o.data.length <= WRITE_BYTES_MAX, "the sender splits larger writes");
      to.u64(o.id);
      to.u64(o.offsetBytes);
      to.long(o.data);
      return;
    case "fsync":
      to.u64(o.id);
      to.u8(o.dataOnly ? 1 : 0);
      return;
    case "syncfs":
    case "forget":
      to.u64(o.id);
      return;
    case "touch":
      to.u8(o.tree);
      to.u8(TOUCHED.indexOf(o.what));
      to.u64(o.startBytes);
      to.u64(o.endBytes);
      to.short(o.path);
      return;
    case "truncate":
      to.u64(o.id);
      to.u64(o.sizeBytes);
      return;
    case "fallocate":
      to.u64(o.id);
      to.u32(o.mode);
      to.u64(o.offsetBytes);
      to.u64(o.lengthBytes);
      return;
    case "setattr":
      encodeSetattr(to, o);
      return;
    case "setxattr":
      to.u64(o.id);
      to.u32(o.flags);
      to.short(o.name);
      to.long(o.value);
      return;
    case "removexattr":
      to.u64(o.id);
      to.short(o.name);
      return;
    default:
      encodeNamespace(to, o);
      return;
  }
}

type Setattr = Extract<Operation, { kind: "setattr" }>;
type Namespace = Extract<
  Operation,
  {
    kind:
      | "bind"
      | "orphan"
      | "create"
      | "mkdir"
      | "symlink"
      | "link"
      | "unlink"
      | "rmdir"
      | "rename";
  }
>;

function encodeNamespace(to: WireWriter, o: Namespace): void {
  switch (o.kind) {
    case "bind":
    case "link":
      to.u64(o.id);
      to.u64(o.parent);
      to.short(o.name);
      return;
    case "orphan":
      to.u64(o.id);
      encodeBirth(to, o.birth);
      return;
    case "create":
    case "mkdir":
    case "symlink":
      to.u64(o.parent);
      to.short(o.name);
      to.u64(o.id);
      encodeBirth(to, o.birth);
      if (o.kind === "create") to.u64(o.rdev);
      if (o.kind === "symlink") to.short(o.target);
      return;
    case "unlink":
    case "rmdir":
      to.u64(o.parent);
      to.short(o.name);
      return;
    case "rename":
      to.u64(o.parent);
      to.short(o.name);
      to.u64(o.newParent);
      to.short(o.newName);
      to.u32(o.flags);
      return;
  }
}

function encodeSetattr(to: WireWriter, o: Setattr): void {
  let bits = 0;
  if (o.mode !== undefined) bits |= BIT.mode;
  if (o.uid !== undefined) bits |= BIT.uid;
  if (o.gid !== undefined) bits |= BIT.gid;
  if (o.atime !== undefined) bits |= BIT.atime;
  if (o.mtime !== undefined) bits |= BIT.mtime;
  to.u64(o.id);
  to.u8(bits);
  if (o.mode !== undefined) to.u32(o.mode);
  if (o.uid !== undefined) to.u32(o.uid);
  if (o.gid !== undefined) to.u32(o.gid);
  if (o.atime !== undefined) encodeTime(to, o.atime);
  if (o.mtime !== undefined) encodeTime(to, o.mtime);
}

function encodeBirth(to: WireWriter, birth: Birth): void {
  to.u32(birth.mode);
  to.u32(birth.uid);
  to.u32(birth.gid);
}

function encodeTime(to: WireWriter, time: FileTime): void {
  to.i64(time.seconds);
  to.u32(time.nanoseconds);
}

/** Reads a body; the caller checks `isSound` and that nothing is left over. Null: unknown code. */
export function decodeOperation(from: WireReader, code: number): Operation | null {
  switch (code) {
    case CODES.write:
      return {
        kind: "write",
        id: id(from),
        offsetBytes: from.u64(),
        data: from.long(0, WRITE_BYTES_MAX),
      };
    case CODES.fsync:
      return { kind: "fsync", id: id(from), dataOnly: flag(from) };
    case CODES.syncfs:
      return { kind: "syncfs", id: id(from) };
    case CODES.touch:
      return touch(from);
    case CODES.forget:
      return { kind: "forget", id: id(from) };
    case CODES.truncate:
      return { kind: "truncate", id: id(from), sizeBytes: from.u64() };
    case CODES.fallocate:
      return {
        kind: "fallocate",
        id: id(from),
        mode: from.u32(),
        offsetBytes: from.u64(),
        lengthBytes: from.u64(),
      };
    case CODES.setattr:
      return decodeSetattr(from);
    case CODES.setxattr: {
      const [file, flags] = [id(from), from.u32()];
      const name = xattrName(from);
      return { kind: "setxattr", id: file, name, value: from.long(0, XATTR_BYTES_MAX), flags };
    }
    case CODES.removexattr:
      return { kind: "removexattr", id: id(from), name: xattrName(from) };
    default:
      return decodeNamespace(from, code);
  }
}

function decodeNamespace(from: WireReader, code: number): Operation | null {
  switch (code) {
    case CODES.bind:
      return { kind: "bind", id: id(from), parent: id(from), name: component(from) };
    case CODES.link:
      return { kind: "link", id: id(from), parent: id(from), name: component(from) };
    case CODES.orphan:
      return { kind: "orphan", id: id(from), birth: birth(from) };
    case CODES.create: {
      const [parent, name] = [id(from), component(from)];
      return {
        kind: "create",
        parent,
        name,
        id: id(from),
        birth: birth(from),
        rdev: from.u64(),
      };
    }
    case CODES.mkdir:
      return {
        kind: "mkdir",
        parent: id(from),
        name: component(from),
        id: id(from),
        birth: birth(from),
      };
    case CODES.symlink: {
      const [parent, name] = [id(from), component(from)];
      const [file, born] = [id(from), birth(from)];
      const target = from.short(1, TARGET_BYTES_MAX);
      if (target.includes(0)) from.fail();
      return { kind: "symlink", parent, name, id: file, birth: born, target };
    }
    case CODES.unlink:
      return { kind: "unlink", parent: id(from), name: component(from) };
    case CODES.rmdir:
      return { kind: "rmdir", parent: id(from), name: component(from) };
    case CODES.rename:
      return {
        kind: "rename",
        parent: id(from),
        name: component(from),
        newParent: id(from),
        newName: component(from),
        flags: from.u32(),
      };
    default:
      return null;
  }
}

function decodeSetattr(from: WireReader): Operation {
  const file = id(from);
  const bits = from.u8();
  if (bits === 0 || bits >= 32) from.fail();
  const mode = bits & BIT.mode ? modeBits(from) : undefined;
  const uid = bits & BIT.uid ? from.u32() : undefined;
  const gid = bits & BIT.gid ? from.u32() : undefined;
  const atime = bits & BIT.atime ? time(from) : undefined;
  const mtime = bits & BIT.mtime ? time(from) : undefined;
  return {
    kind: "setattr",
    id: file,
    ...(mode === undefined ? {} : { mode }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(atime === undefined ? {} : { atime }),
    ...(mtime === undefined ? {} : { mtime }),
  };
}

function id(from: WireReader): number {
  const value = from.u64();
  if (value === 0) from.fail();
  return value;
}

function flag(from: WireReader): boolean {
  const value = from.u8();
  if (value > 1) from.fail();
  return value === 1;
}

function component(from: WireReader): Buffer {
  const name = from.short(1, NAME_BYTES_MAX);
  if (!isComponent(name)) from.fail();
  return name;
}

function xattrName(from: WireReader): Buffer {
  const name = from.short(1, NAME_BYTES_MAX);
  if (name.includes(0)) from.fail();
  return name;
}

function modeBits(from: WireReader): number {
  const mode = from.u32();
  if (mode > MODE_MAX) from.fail();
  return mode;
}

function birth(from: WireReader): Birth {
  return { mode: modeBits(from), uid: from.u32(), gid: from.u32() };
}

function time(from: WireReader): FileTime {
  const [seconds, nanoseconds] = [from.i64(), from.u32()];
  if (nanoseconds >= NANOSECONDS) from.fail();
  return { seconds, nanoseconds };
}

function touch(from: WireReader): Operation | null {
  const [tree, what] = [from.u8(), TOUCHED[from.u8()]];
  const [startBytes, endBytes] = [from.u64(), from.u64()];
  const path = Uint8Array.from(from.short(0, TOUCHED_PATH_BYTES_MAX));
  if (what === undefined || tree >= TREES_MAX || startBytes > endBytes) return null;
  return { kind: "touch", tree, path, what, startBytes, endBytes };
}
