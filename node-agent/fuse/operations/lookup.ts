/** Finding files, and forgetting them. */
import { ERRNO } from "../../adapters/linux/errno.ts";
import { close, EMPTY_PATH, readlinkat } from "../../adapters/linux/file.ts";
import type { Node } from "../inode-table.ts";
import { putEntryOut, putNegativeEntryOut } from "../protocol/attributes.ts";
import { type Handler, NO_REPLY, type TreeContext } from "../tree-context.ts";

export const lookup: Handler = (tree, parent) => {
  const directory = tree.nodes.descriptor(parent);
  if (directory < 0) return directory;
  const node = tree.adopt(parent, directory, tree.request.name(40));
  if (typeof node !== "number") {
    return putEntryOut(tree.reply, 0, node.id, tree.stat, tree.validity);
  }
  const mayRemember = node === -ERRNO.ENOENT && tree.role === "primary";
  return mayRemember ? putNegativeEntryOut(tree.reply, tree.validity) : node;
};

export const readlink: Handler = (tree, node) => {
  const fd = tree.nodes.descriptor(node);
  if (fd < 0) return fd;
  const target = tree.reply.payload(0, 4096);
  return readlinkat(fd, EMPTY_PATH, target, target.length);
};

/** The kernel drops its last reference to a file. No reply is expected. */
export function forget(tree: TreeContext, nodeId: number, count: number): number {
  const node = tree.nodes.get(nodeId);
  if (node !== undefined && tree.nodes.forget(node, count)) remove(tree, node);
  return NO_REPLY;
}

export function batchForget(tree: TreeContext): number {
  const { request } = tree;
  const count = request.u32(40);
  for (let at = 48; at < 48 + count * 16 && at + 16 <= request.length; at += 16) {
    forget(tree, request.u64(at), request.u64(at + 8));
  }
  return NO_REPLY;
}

function remove(tree: TreeContext, node: Node): void {
  tree.times.forget(node);
  tree.bindings.forget(node);
  const fd = tree.nodes.remove(node);
  if (fd < 0) return;
  // Closing the last descriptor of a removed file frees its blocks, which may take long.
  if (!node.isUnlinked || !tree.blocking.submit("close", fd, () => undefined)) close(fd);
}
