/**
 * What the current request is about to touch: told to the record of changes before anything is done
 * (model/replication/hot-places.ts). It may say too much, never too little.
 */
import type { Touch } from "#model/replication/hot-places.ts";
import { S_IFDIR } from "../adapters/linux/file.ts";
import type { Node } from "./inode-table.ts";
import { type FoundPath, joinPath } from "./paths.ts";
import { FATTR, OPCODE } from "./protocol/opcodes.ts";
import type { TreeContext } from "./tree-context.ts";

const RENAME_EXCHANGE = 2;
const RENAME_WHITEOUT = 4;
/** FALLOC_FL_COLLAPSE_RANGE and _INSERT_RANGE: everything behind moves. */
const FALLOCATE_MOVES = 0x08 | 0x20;
const END = Number.POSITIVE_INFINITY;

/** Of a request that mutates, by `node`. */
export function touchesOf(tree: TreeContext, node: Node): Touch[] {
  const { request } = tree;
  switch (request.opcode) {
    case OPCODE.WRITE:
      return content(tree, node, request.u64(48), request.u64(48) + request.u32(56));
    case OPCODE.FALLOCATE: {
      const isMoving = (request.u32(64) & FALLOCATE_MOVES) !== 0;
      const endBytes = isMoving ? END : request.u64(48) + request.u64(56);
      return content(tree, node, request.u64(48), endBytes);
    }
    case OPCODE.COPY_FILE_RANGE:
    case OPCODE.COPY_FILE_RANGE_64: {
      const to = tree.handles.get(request.u64(64))?.node;
      const startBytes = request.u64(72);
      return to === undefined ? [] : content(tree, to, startBytes, startBytes + request.u64(80));
    }
    case OPCODE.SETATTR:
      if ((request.u32(40) & FATTR.SIZE) !== 0) return content(tree, node, request.u64(56), END);
      return attributes(tree, node);
    case OPCODE.SETXATTR:
    case OPCODE.REMOVEXATTR:
      return attributes(tree, node);
    default:
      return namesTouched(tree, node);
  }
}

function namesTouched(tree: TreeContext, parent: Node): Touch[] {
  const { request } = tree;
  switch (request.opcode) {
    case OPCODE.CREATE:
    case OPCODE.MKNOD:
      return added(tree, parent, request.name(56));
    case OPCODE.MKDIR:
    case OPCODE.LINK:
      return added(tree, parent, request.name(48));
    case OPCODE.SYMLINK:
      return added(tree, parent, request.name(40));
    case OPCODE.UNLINK:
    case OPCODE.RMDIR: {
      const name = request.name(40);
      if (tree.isLocalPlace(parent, name)) return [];
      return [...names(tree, parent), ...lostName(tree, parent, name)];
    }
    case OPCODE.RENAME:
      return moved(tree, parent, 48, 0);
    case OPCODE.RENAME2:
      return moved(tree, parent, 56, request.u32(48));
    default:
      return [];
  }
}

function content(tree: TreeContext, node: Node, startBytes: number, endBytes: number): Touch[] {
  if (isOutOfSight(node)) return [];
  const { number } = tree;
  const path = () => tree.paths.of(node);
  return [{ kind: "content", tree: number, inode: node.key, startBytes, endBytes, path }];
}

function attributes(tree: TreeContext, node: Node): Touch[] {
  if (isOutOfSight(node)) return [];
  const kind = node.type === S_IFDIR ? "names" : "attributes";
  return [{ kind, tree: tree.number, inode: node.key, path: () => tree.paths.of(node) }];
}

function names(tree: TreeContext, parent: Node): Touch[] {
  if (isOutOfSight(parent)) return [];
  const path = () => tree.paths.of(parent);
  return [{ kind: "names", tree: tree.number, inode: parent.key, path }];
}

/** `name` comes to lead to something else. */
function added(tree: TreeContext, parent: Node, name: Uint8Array): Touch[] {
  if (isOutOfSight(parent) || tree.isLocalPlace(parent, name)) return [];
  const replaces = isThere(tree, parent, name);
  return [...names(tree, parent), nameOf(tree, parent, name, replaces)];
}

function moved(tree: TreeContext, parent: Node, nameAt: number, flags: number): Touch[] {
  const newParent = tree.nodes.get(tree.request.u64(40));
  if (newParent === undefined) return [];
  const name = tree.request.name(nameAt);
  const newName = tree.request.name(nameAt + name.length + 1);
  if (tree.isLocalPlace(parent, name) || tree.isLocalPlace(newParent, newName)) return [];
  const touches = [...moves(tree, parent, name), ...names(tree, parent)];
  if ((flags & RENAME_EXCHANGE) !== 0) touches.push(...moves(tree, newParent, newName));
  else touches.push(...lostName(tree, newParent, newName));
  if ((flags & (RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) {
    touches.push(nameOf(tree, parent, name, true));
  }
  return [...touches, ...added(tree, newParent, newName)];
}

function moves(tree: TreeContext, parent: Node, name: Uint8Array): Touch[] {
  if (!isThere(tree, parent, name)) return [];
  const { inodeKey, type } = tree.stat;
  return [{ kind: "moves", tree: tree.number, inode: inodeKey, isDirectory: type === S_IFDIR }];
}

function lostName(tree: TreeContext, parent: Node, name: Uint8Array): Touch[] {
  if (!isThere(tree, parent, name)) return [];
  const { inodeKey, type, linkCount } = tree.stat;
  if (type === S_IFDIR || linkCount <= 1) return [];
  const path = pathOf(tree, parent, name);
  return [{ kind: "lostName", tree: tree.number, inode: inodeKey, path }];
}

function nameOf(tree: TreeContext, parent: Node, name: Uint8Array, replaces: boolean): Touch {
  const path = pathOf(tree, parent, name);
  const own = name.slice();
  return { kind: "name", tree: tree.number, directory: parent.key, name: own, path, replaces };
}

function pathOf(tree: TreeContext, parent: Node, name: Uint8Array): () => FoundPath {
  const own = name.slice();
  return () => {
    const directory = tree.paths.of(parent);
    return directory instanceof Uint8Array ? joinPath(directory, own) : directory;
  };
}

/** Fills `tree.stat`. */
function isThere(tree: TreeContext, parent: Node, name: Uint8Array): boolean {
  const directory = tree.nodes.descriptor(parent);
  return directory >= 0 && tree.stat.at(directory, name) === 0;
}

/** Of what has no name, or stays local, nothing is ever compared. */
const isOutOfSight = (node: Node): boolean => node.isLocal || node.isUnlinked || node.isAnonymous;
