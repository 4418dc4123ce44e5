/** Extended attributes and access control lists. */
import {
  getxattr,
  listxattr,
  removexattr,
  setxattr,
} from "../../../node-agent/adapters/linux/file.ts";
import { systemCall } from "../../../node-agent/adapters/linux/library.ts";
import { quote } from "../language/text.ts";
import { type Call, c, data, flags, number, told, toldData } from "./session.ts";

const lsetxattr = systemCall<
  [path: Uint8Array, name: Uint8Array, value: Uint8Array, size: number, flags: number]
>("int lsetxattr(const void *, const void *, const void *, ulong, int)");
const lgetxattr = systemCall<
  [path: Uint8Array, name: Uint8Array, value: Uint8Array, sizeMax: number]
>("long lgetxattr(const void *, const void *, void *, ulong)");
const fsetxattr = systemCall<
  [fd: number, name: Uint8Array, value: Uint8Array, size: number, flags: number]
>("int fsetxattr(int, const void *, const void *, ulong, int)");
const fgetxattr = systemCall<[fd: number, name: Uint8Array, value: Uint8Array, sizeMax: number]>(
  "long fgetxattr(int, const void *, void *, ulong)",
);
const fremovexattr = systemCall<[fd: number, name: Uint8Array]>(
  "int fremovexattr(int, const void *)",
);

const XATTR = { CREATE: 1, REPLACE: 2 };
const VALUE_BYTES_MAX = 65_536;
const ACCESS = "system.posix_acl_access";
const DEFAULT = "system.posix_acl_default";
/** Tags of an ACL's entries (linux/posix_acl.h), by the letter of the text form and "has an id". */
const TAGS: Record<string, number> = { u: 1, "u+": 2, g: 4, "g+": 8, m: 16, o: 32 };
const NO_ID = 0xffffffff;

/** `u::6,u:1001:4,g::4,m::6,o::0` as the kernel takes it (linux/posix_acl_xattr.h). */
function encodeAcl(text: string): Uint8Array {
  const entries = text.split(",");
  const view = new DataView(new ArrayBuffer(4 + entries.length * 8));
  view.setUint32(0, 2, true);
  for (const [at, entry] of entries.entries()) {
    const [tag = "", id = "", rights = "0"] = entry.split(":");
    view.setUint16(4 + at * 8, TAGS[id === "" ? tag : `${tag}+`] ?? 0, true);
    view.setUint16(6 + at * 8, Number(rights), true);
    view.setUint32(8 + at * 8, id === "" ? NO_ID : Number(id), true);
  }
  return new Uint8Array(view.buffer);
}

function decodeAcl(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: string[] = [];
  for (let at = 4; at + 8 <= bytes.byteLength; at += 8) {
    const tag = view.getUint16(at, true);
    const name = Object.keys(TAGS).find((key) => TAGS[key] === tag) ?? "?";
    const id = name.endsWith("+") ? `${view.getUint32(at + 4, true)}` : "";
    entries.push(`${name[0]}:${id}:${view.getUint16(at + 2, true)}`);
  }
  return entries.join(",");
}

function acl(path: string, name: string): string {
  const value = new Uint8Array(VALUE_BYTES_MAX);
  const length = getxattr(c(path), c(name), value, value.length);
  return length < 0 ? told(length) : decodeAcl(value.subarray(0, length));
}

const set = (path: string, name: string, value: Uint8Array, how = "0") =>
  setxattr(c(path), c(name), value, value.length, flags(XATTR, how));

function names(path: string, sizeMax = VALUE_BYTES_MAX): string | number {
  const bytes = new Uint8Array(sizeMax);
  const length = listxattr(c(path), bytes, bytes.length);
  if (length < 0) return length;
  const text = Buffer.from(bytes.subarray(0, length)).toString("latin1");
  return text.split("\0").filter(Boolean).sort().map(quote).join(" ") || "none";
}

export const EXTENDED: Record<string, Call> = {
  setxattr: (_, path = "", name = "", value = "", how) => set(path, name, data(value), how),
  getxattr: (_, path = "", name = "", sizeMax = `${VALUE_BYTES_MAX}`) => {
    const value = new Uint8Array(number(sizeMax));
    return toldData(getxattr(c(path), c(name), value, value.length), value);
  },
  "xattr-size": (_, path = "", name = "") => getxattr(c(path), c(name), null, 0),
  listxattr: (_, path = "", sizeMax) =>
    names(path, sizeMax === undefined ? undefined : number(sizeMax)),
  removexattr: (_, path = "", name = "") => removexattr(c(path), c(name)),
  lsetxattr: (_, path = "", name = "", value = "") =>
    lsetxattr(c(path), c(name), data(value), value.length, 0),
  lgetxattr: (_, path = "", name = "") => {
    const value = new Uint8Array(VALUE_BYTES_MAX);
    return toldData(lgetxattr(c(path), c(name), value, value.length), value);
  },
  fsetxattr: (s, f = "", name = "", value = "") =>
    fsetxattr(s.fd(f), c(name), data(value), value.length, 0),
  fgetxattr: (s, f = "", name = "") => {
    const value = new Uint8Array(VALUE_BYTES_MAX);
    return toldData(fgetxattr(s.fd(f), c(name), value, value.length), value);
  },
  fremovexattr: (s, f = "", name = "") => fremovexattr(s.fd(f), c(name)),
  setacl: (_, path = "", text = "") => set(path, ACCESS, encodeAcl(text)),
  getacl: (_, path = "") => acl(path, ACCESS),
  "set-default-acl": (_, path = "", text = "") => set(path, DEFAULT, encodeAcl(text)),
  "get-default-acl": (_, path = "") => acl(path, DEFAULT),
};
