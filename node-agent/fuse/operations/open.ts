/** Opening, creating and releasing files and directories. */
import { ERRNO } from "../../adapters/linux/errno.ts";
import {
  AT_FDCWD,
  close,
  descriptorPath,
  ftruncate,
  O_ACCMODE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOATIME,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  openat,
} from "../../adapters/linux/file.ts";
import { cString } from "../../adapters/linux/library.ts";
import type { FileId } from "../../replication/operation.ts";
import type { Node } from "../inode-table.ts";
import { ENTRY_OUT_BYTES, putEntryOut, putOpenOut } from "../protocol/attributes.ts";
import type { Handler, TreeContext } from "../tree-context.ts";
import { forget } from "./lookup.ts";
import { bear } from "./namespace.ts";

const isWriting = (flags: number): boolean => (flags & O_ACCMODE) !== O_RDONLY;

/**
 * Opens the real file. Of the caller's flags only the access mode goes along: O_APPEND would make
 * pwrite(2) ignore offsets (the kernel sends right ones), O_DIRECT would want aligned buffers, and
 * O_SYNC would make this node alone durable, twice (see data.ts). A writer may read, because a copied
 * range is read back to be replicated.
 */
function openReal(fd: number, flags: number): number {
  const noAccessTime = flags & O_NOATIME;
  const common = O_CLOEXEC | noAccessTime;
  if (!isWriting(flags)) return openat(AT_FDCWD, descriptorPath(fd), O_RDONLY | common, 0);
  const opened = openat(AT_FDCWD, descriptorPath(fd), O_RDWR | common, 0);
  // Without root: a file that its owner may write but not read.
  if (opened !== -ERRNO.EACCES) return opened;
  return openat(AT_FDCWD, descriptorPath(fd), O_WRONLY | common, 0);
}

export const open: Handler = (tree, node) => {
  const flags = tree.request.u32(40);
  if (isWriting(flags)) {
    if (tree.role === "secondary") return -ERRNO.EROFS;
    // Now, while the file has a name: it may be written long after that is gone.
    const id = tree.bindings.idOf(node);
    if (id < 0) return tree.fault("bind", id);
  }
  const fd = tree.nodes.descriptor(node);
  const opened = fd < 0 ? fd : openReal(fd, flags);
  if (opened < 0) return opened;
  return putOpenOut(tree.reply, 0, tree.handles.add(opened, node), tree.openFlags(node));
};

const CURRENT = cString(".");

export const opendir: Handler = (tree, node) => {
  const fd = tree.nodes.descriptor(node);
  const opened = fd < 0 ? fd : openat(fd, CURRENT, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (opened < 0) return opened;
  return putOpenOut(tree.reply, 0, tree.handles.add(opened, node), 0);
};

/** RELEASE and RELEASEDIR. */
export const release: Handler = (tree, node) => {
  const handle = tree.handles.take(tree.request.u64(40));
  if (handle === undefined) return -ERRNO.EBADF;
  if (handle.busy > 0) return 0;
  if (!node.isUnlinked || !tree.blocking.submit("close", handle.fd, () => undefined)) {
    close(handle.fd);
  }
  return 0;
};

function putEntryAndOpen(tree: TreeContext, node: Node, fd: number): number {
  putEntryOut(tree.reply, 0, node.id, tree.stat, tree.validity);
  const handle = tree.handles.add(fd, node);
  return ENTRY_OUT_BYTES + putOpenOut(tree.reply, ENTRY_OUT_BYTES, handle, tree.openFlags(node));
}

/** open(2) with O_CREAT of a name that the kernel does not know. */
export const create: Handler = (tree, parent) => {
  const { request } = tree;
  const flags = request.u32(40);
  const name = request.name(56);
  const place = tree.placeOf(parent, name);
  if (place < 0) return tree.fault("bind", place);
  const directory = tree.nodes.descriptor(parent);
  if (directory < 0) return directory;
  tree.caller.become(request.uid, request.gid, request.u32(48));
  const opening = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const fd = openat(directory, name, opening, request.u32(44));
  tree.caller.restore(request.uid, request.gid, request.u32(48));
  if (fd === -ERRNO.EEXIST && (flags & O_EXCL) === 0) return createExisting(tree, parent, name);
  if (fd < 0) return fd;
  const born = bear(tree, parent, place, name);
  if (typeof born === "number") {
    close(fd);
    return born;
  }
  const length = putEntryAndOpen(tree, born.node, fd);
  if (place === 0) return length;
  return tree.replicate({ kind: "create", ...born.born, rdev: 0 }, length);
};

/** The name was there after all: then it is an ordinary open, with O_TRUNC if that was asked. */
function createExisting(tree: TreeContext, parent: Node, name: Uint8Array): number {
  const flags = tree.request.u32(40);
  const directory = tree.nodes.descriptor(parent);
  const node = directory < 0 ? directory : tree.adopt(parent, directory, name);
  if (typeof node === "number") return node;
  const id = tree.bindings.idOf(node);
  const fd = id < 0 ? tree.fault("bind", id) : openReal(tree.nodes.descriptor(node), flags);
  const hasTruncated = fd >= 0 && (flags & O_TRUNC) !== 0;
  const truncated = hasTruncated ? ftruncate(fd, 0) : 0;
  if (fd < 0 || truncated < 0) {
    // The kernel is not told of it, so it will never forget it.
    forget(tree, node.id, 1);
    if (fd >= 0) close(fd);
    return Math.min(fd, truncated);
  }
  tree.stat.of(fd);
  const length = putEntryAndOpen(tree, node, fd);
  if (!hasTruncated) return length;
  tree.times.mark(node);
  tree.reports.file(node);
  return id > 0 ? tree.replicate({ kind: "truncate", id, sizeBytes: 0 }, length) : length;
}

/** open(2) with O_TMPFILE (Linux 6.1 sends it): a file without a name, which link(2) may give it. */
export const tmpfile: Handler = (tree, parent) => {
  const { request } = tree;
  const place = tree.bindings.idOf(parent);
  if (place < 0) return tree.fault("bind", place);
  const directory = tree.nodes.descriptor(parent);
  if (directory < 0) return directory;
  tree.caller.become(request.uid, request.gid, request.u32(48));
  const flags = O_TMPFILE | O_RDWR | O_CLOEXEC | (request.u32(40) & O_EXCL);
  const fd = openat(directory, CURRENT, flags, request.u32(44));
  tree.caller.restore(request.uid, request.gid, request.u32(48));
  if (fd < 0) return fd;
  const path = openat(AT_FDCWD, descriptorPath(fd), O_PATH | O_CLOEXEC, 0);
  if (path < 0 || tree.stat.of(path) < 0) {
    close(fd);
    if (path >= 0) close(path);
    return -ERRNO.EIO;
  }
  const node = tree.nodes.remember(path, tree.stat, parent, parent.isLocal);
  node.isAnonymous = true;
  const id: FileId = place > 0 ? tree.bindings.born(node) : 0;
  const { mode, uid, gid } = tree.stat;
  const length = putEntryAndOpen(tree, node, fd);
  if (id === 0) return length;
  return tree.replicate({ kind: "orphan", id, birth: { mode, uid, gid } }, length);
};
