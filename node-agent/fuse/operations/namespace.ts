/** Names: creating, linking, removing and moving them. */
import { ERRNO } from "../../adapters/linux/errno.ts";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  close,
  descriptorPath,
  linkat,
  mkdirat,
  mknodat,
  renameat2,
  S_IFDIR,
  symlinkat,
  unlinkat,
} from "../../adapters/linux/file.ts";
import type { FileId, Operation } from "../../replication/operation.ts";
import { type Node, openPath } from "../inode-table.ts";
import { putEntryOut } from "../protocol/attributes.ts";
import type { Handler, TreeContext } from "../tree-context.ts";

const RENAME_EXCHANGE = 2;
const RENAME_WHITEOUT = 4;

/** A file that was just made: what the stream needs to make it too. */
export type Born = {
  readonly parent: FileId;
  readonly name: Uint8Array;
  readonly id: FileId;
  readonly birth: { readonly mode: number; readonly uid: number; readonly gid: number };
};

/**
 * After the file was made under `name`: tells the kernel of it and gives it an id. `place` is the
 * parent's id, 0 when the name is local (then `id` is 0 too). Fills `tree.stat`.
 */
export function bear(
  tree: TreeContext,
  parent: Node,
  place: FileId,
  name: Uint8Array,
): { readonly node: Node; readonly born: Born } | number {
  const directory = tree.nodes.descriptor(parent);
  const node = directory < 0 ? directory : tree.adopt(parent, directory, name);
  // It is there and cannot be told of: the copies would differ from here on.
  if (typeof node === "number") return tree.fault("create", node);
  const { mode, uid, gid } = tree.stat;
  const id = place > 0 ? tree.bindings.born(node) : 0;
  tree.times.mark(parent);
  tree.times.mark(node);
  tree.reports.added(parent, name);
  if (!node.isLocal) tree.changes.born(tree.number, node.key);
  return { node, born: { parent: place, name: name.slice(), id, birth: { mode, uid, gid } } };
}

/** Makes something new as the caller, by `make`, and replicates it as what `describe` says. */
function makeNew(
  tree: TreeContext,
  parent: Node,
  o: {
    readonly name: Uint8Array;
    readonly umask: number;
    readonly make: (directory: number, name: Uint8Array) => number;
    readonly describe: (born: Born) => Operation;
  },
): number {
  const { request } = tree;
  const place = tree.placeOf(parent, o.name);
  if (place < 0) return tree.fault("bind", place);
  const directory = tree.nodes.descriptor(parent);
  if (directory < 0) return directory;
  tree.caller.become(request.uid, request.gid, o.umask);
  const made = o.make(directory, o.name);
  tree.caller.restore(request.uid, request.gid, o.umask);
  if (made < 0) return made;
  const born = bear(tree, parent, place, o.name);
  if (typeof born === "number") return born;
  const length = putEntryOut(tree.reply, 0, born.node.id, tree.stat, tree.validity);
  return place > 0 ? tree.replicate(o.describe(born.born), length) : length;
}

export const mkdir: Handler = (tree, parent) => {
  const mode = tree.request.u32(40);
  return makeNew(tree, parent, {
    name: tree.request.name(48),
    umask: tree.request.u32(44),
    make: (directory, name) => mkdirat(directory, name, mode),
    describe: (born) => ({ kind: "mkdir", ...born }),
  });
};

export const mknod: Handler = (tree, parent) => {
  const mode = tree.request.u32(40);
  const rdev = tree.request.u32(44);
  return makeNew(tree, parent, {
    name: tree.request.name(56),
    umask: tree.request.u32(48),
    make: (directory, name) => mknodat(directory, name, mode, rdev),
    describe: (born) => ({ kind: "create", ...born, rdev }),
  });
};

export const symlink: Handler = (tree, parent) => {
  const name = tree.request.name(40);
  const target = tree.request.name(40 + name.length + 1);
  return makeNew(tree, parent, {
    name,
    umask: 0,
    make: (directory, link) => symlinkat(target, directory, link),
    describe: (born) => ({ kind: "symlink", ...born, target: target.slice() }),
  });
};

export const link: Handler = (tree, parent) => {
  const node = tree.nodes.get(tree.request.u64(40));
  if (node === undefined) return -ERRNO.ESTALE;
  const name = tree.request.name(48);
  if (node.isLocal !== tree.isLocalPlace(parent, name)) return -ERRNO.EXDEV;
  const place = tree.placeOf(parent, name);
  const id = tree.bindings.idOf(node);
  if (place < 0 || id < 0) return tree.fault("bind", Math.min(place, id));
  const directory = tree.nodes.descriptor(parent);
  const fd = tree.nodes.descriptor(node);
  if (directory < 0 || fd < 0) return Math.min(directory, fd);
  // By its descriptor's path: AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH.
  const made = linkat(AT_FDCWD, descriptorPath(fd), directory, name, AT_SYMLINK_FOLLOW);
  if (made < 0) return made;
  tree.reports.namesChanged();
  if (node.isAnonymous) nameAnonymous(node, parent, openPath(directory, name));
  // Wholly: what is written by the new name while it lasts is found by the old one later.
  tree.reports.file(node);
  const linked = tree.adopt(parent, directory, name);
  if (linked !== node) return tree.fault("link", "leads to another file");
  tree.times.mark(parent);
  tree.reports.added(parent, name);
  const length = putEntryOut(tree.reply, 0, node.id, tree.stat, tree.validity);
  if (place === 0 || id === 0) return length;
  return tree.replicate({ kind: "link", id, parent: place, name: name.slice() }, length);
};

/** Its first name: from here on its descriptor must lead there, or it could never be found. */
function nameAnonymous(node: Node, parent: Node, fd: number): void {
  node.isAnonymous = false;
  node.parentId = parent.id;
  if (fd < 0) return;
  if (node.fd >= 0) close(node.fd);
  node.fd = fd;
}

export const unlink: Handler = (tree, parent) => remove(tree, parent, false);
export const rmdir: Handler = (tree, parent) => remove(tree, parent, true);

function remove(tree: TreeContext, parent: Node, isDirectory: boolean): number {
  const name = tree.request.name(40);
  const place = tree.placeOf(parent, name);
  if (place < 0) return tree.fault("bind", place);
  const directory = tree.nodes.descriptor(parent);
  if (directory < 0) return directory;
  const loss = foresee(tree, directory, name);
  if (typeof loss === "number") return loss;
  const removed = unlinkat(directory, name, isDirectory ? AT_REMOVEDIR : 0);
  if (removed < 0) return removed;
  loss?.happen();
  tree.reports.namesChanged();
  tree.times.mark(parent);
  tree.reports.removed(parent);
  if (place === 0) return 0;
  const kind = isDirectory ? "rmdir" : "unlink";
  return tree.replicate({ kind, parent: place, name: name.slice() }, 0);
}

/**
 * Before `name` is taken from a file: one that lives on under other names must get its id while
 * its own name still leads to it, and one that does not must be held by a descriptor, or its inode
 * number would go to another file while the kernel still knows this one. The result says what to
 * note once it happened; -errno: it must not happen.
 */
function foresee(
  tree: TreeContext,
  directory: number,
  name: Uint8Array,
): { readonly node: Node; happen(): void } | null | number {
  if (tree.stat.at(directory, name) < 0) return null;
  const node = tree.nodes.find(tree.stat.inodeKey);
  if (node === undefined) return null;
  const isLast = node.type === S_IFDIR || tree.stat.linkCount <= 1;
  if (!isLast) tree.bindings.idOf(node);
  const held = isLast ? tree.nodes.descriptor(node) : 0;
  if (held < 0) return held;
  return {
    node,
    happen() {
      node.isUnlinked = isLast;
      node.hasLostName = true;
    },
  };
}

export const rename: Handler = (tree, parent) => move(tree, parent, 48, 0);
export const rename2: Handler = (tree, parent) => move(tree, parent, 56, tree.request.u32(48));

function move(tree: TreeContext, parent: Node, nameAt: number, flags: number): number {
  // What it leaves behind is for overlay file systems, which cannot lie on FUSE anyway.
  if ((flags & RENAME_WHITEOUT) !== 0) return -ERRNO.EINVAL;
  const newParent = tree.nodes.get(tree.request.u64(40));
  if (newParent === undefined) return -ERRNO.ESTALE;
  const name = tree.request.name(nameAt);
  const newName = tree.request.name(nameAt + name.length + 1);
  const isLocal = tree.isLocalPlace(parent, name);
  // As between two file systems: the caller copies instead (rename(2), EXDEV).
  if (isLocal !== tree.isLocalPlace(newParent, newName)) return -ERRNO.EXDEV;
  const place = tree.placeOf(parent, name);
  const newPlace = tree.placeOf(newParent, newName);
  if (place < 0 || newPlace < 0) return tree.fault("bind", Math.min(place, newPlace));
  const directory = tree.nodes.descriptor(parent);
  const newDirectory = tree.nodes.descriptor(newParent);
  if (directory < 0 || newDirectory < 0) return Math.min(directory, newDirectory);

  const moving = foresee(tree, directory, name);
  const loss = foresee(tree, newDirectory, newName);
  if (typeof moving === "number") return moving;
  if (typeof loss === "number") return loss;
  const moved = moving?.node;
  const renamed = renameat2(directory, name, newDirectory, newName, flags);
  if (renamed < 0) return renamed;
  tree.reports.namesChanged();
  const isExchange = (flags & RENAME_EXCHANGE) !== 0;
  if (moved !== undefined) noteMove(moved, newParent);
  if (isExchange && loss !== null) noteMove(loss.node, parent);
  // Two names of one file: rename(2) then does nothing at all.
  if (!isExchange && loss !== null && loss.node !== moved) loss.happen();
  reportMove(tree, { parent, name, newParent, newName, isExchange });
  if (place === 0 || newPlace === 0) return 0;
  return tree.replicate(
    {
      kind: "rename",
      parent: place,
      name: name.slice(),
      newParent: newPlace,
      newName: newName.slice(),
      flags,
    },
    0,
  );
}

function noteMove(node: Node, parent: Node): void {
  node.parentId = parent.id;
  node.name = null;
}

function reportMove(
  tree: TreeContext,
  o: {
    readonly parent: Node;
    readonly name: Uint8Array;
    readonly newParent: Node;
    readonly newName: Uint8Array;
    readonly isExchange: boolean;
  },
): void {
  tree.times.mark(o.parent);
  tree.times.mark(o.newParent);
  if (o.isExchange) tree.reports.added(o.parent, o.name);
  else {
    tree.reports.removed(o.parent);
    tree.reports.renamed(o.parent, o.name, o.newParent, o.newName);
  }
  tree.reports.added(o.newParent, o.newName);
}
