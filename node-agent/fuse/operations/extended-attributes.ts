/** Extended attributes, ACLs included: they travel as `system.posix_acl_*`. */
import { ERRNO } from "../../adapters/linux/errno.ts";
import {
  chmod,
  descriptorPath,
  getxattr as getxattrCall,
  listxattr as listxattrCall,
  removexattr as removexattrCall,
  setxattr as setxattrCall,
} from "../../adapters/linux/file.ts";
import { SETXATTR_ACL_KILL_SGID } from "../protocol/opcodes.ts";
import type { Handler, TreeContext } from "../tree-context.ts";

const S_ISGID = 0o2000;
const PERMISSIONS = 0o7777;
/** XATTR_LIST_MAX of linux/limits.h. */
const list = new Uint8Array(65_536);

export const getxattr: Handler = (tree, node) => {
  const fd = tree.nodes.descriptor(node);
  if (fd < 0) return fd;
  const name = tree.request.name(48);
  return answer(tree, (value, sizeMax) => getxattrCall(descriptorPath(fd), name, value, sizeMax));
};

export const listxattr: Handler = (tree, node) => {
  const fd = tree.nodes.descriptor(node);
  if (fd < 0) return fd;
  const length = listxattrCall(descriptorPath(fd), list, list.length);
  if (length < 0) return length;
  const all = list.subarray(0, length);
  // We see what is root's alone; the caller may not know that it is there (xattr(7)).
  const shown = tree.request.uid === 0 ? all : withoutTrusted(all);
  return answer(tree, (names, sizeMax) => {
    if (names !== null && shown.length > sizeMax) return -ERRNO.ERANGE;
    names?.set(shown);
    return shown.length;
  });
};

function withoutTrusted(names: Uint8Array): Uint8Array {
  const text = Buffer.from(names).toString("latin1");
  return Buffer.from(text.replaceAll(/trusted\.[^\0]*\0/g, ""), "latin1");
}

/** Asked with size 0 the answer is the size needed, else the bytes themselves. */
function answer(
  tree: TreeContext,
  call: (target: Uint8Array | null, sizeMax: number) => number,
): number {
  const size = Math.min(tree.request.u32(40), tree.dataBytesMax);
  if (size > 0) return call(tree.reply.payload(0, size), size);
  const needed = call(null, 0);
  if (needed < 0) return needed;
  tree.reply.setU64(0, needed);
  return 8;
}

export const setxattr: Handler = (tree, node) => {
  const { request } = tree;
  const isLong = tree.agreement?.hasLongSetxattr === true;
  const name = request.name(isLong ? 56 : 48);
  const valueAt = (isLong ? 56 : 48) + name.length + 1;
  const size = request.u32(40);
  const flags = request.u32(44);
  if (valueAt + size > request.length) return -ERRNO.EINVAL;
  const id = tree.bindings.idOf(node);
  if (id < 0) return tree.fault("bind", id);
  const fd = tree.nodes.descriptor(node);
  if (fd < 0) return fd;
  const value = request.data(valueAt, size);
  const set = setxattrCall(descriptorPath(fd), name, value, size, flags);
  if (set < 0) return set;
  tree.reports.attributes(node);
  const mustKill = isLong && (request.u32(48) & SETXATTR_ACL_KILL_SGID) !== 0;
  if (id === 0) {
    if (mustKill) dropSetgid(tree, fd);
    return 0;
  }
  const operation = { kind: "setxattr", id, name: name.slice(), value: value.slice(), flags };
  if (!mustKill) return tree.replicate({ ...operation, kind: "setxattr" }, 0);
  tree.submit({ ...operation, kind: "setxattr" });
  const mode = dropSetgid(tree, fd);
  return mode < 0 ? tree.fault("setxattr", mode) : tree.replicate({ kind: "setattr", id, mode }, 0);
};

/** Somebody outside the group sets an ACL: as with chmod(2), the setgid bit goes. The new mode. */
function dropSetgid(tree: TreeContext, fd: number): number {
  const described = tree.stat.of(fd);
  if (described < 0) return described;
  const mode = tree.stat.mode & PERMISSIONS & ~S_ISGID;
  const changed = chmod(descriptorPath(fd), mode);
  return changed < 0 ? changed : mode;
}

export const removexattr: Handler = (tree, node) => {
  const name = tree.request.name(40);
  const id = tree.bindings.idOf(node);
  if (id < 0) return tree.fault("bind", id);
  const fd = tree.nodes.descriptor(node);
  if (fd < 0) return fd;
  const removed = removexattrCall(descriptorPath(fd), name);
  if (removed < 0) return removed;
  tree.reports.attributes(node);
  return id === 0 ? 0 : tree.replicate({ kind: "removexattr", id, name: name.slice() }, 0);
};
