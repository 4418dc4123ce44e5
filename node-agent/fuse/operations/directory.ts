/** READDIR and READDIRPLUS. */
import { getdents64 } from "../../adapters/linux/directory.ts";
import { ERRNO } from "../../adapters/linux/errno.ts";
import { lseek } from "../../adapters/linux/file.ts";
import { type Handle, Listing } from "../handle-table.ts";
import type { Node } from "../inode-table.ts";
import { ENTRY_OUT_BYTES, putEntryOut } from "../protocol/attributes.ts";
import {
  direntBytes,
  direntPlusBytes,
  putDirent,
  type RawEntry,
} from "../protocol/directory-entries.ts";
import type { Handler, TreeContext } from "../tree-context.ts";

const DOT = 46;
const SEEK_SET = 0;

export const readdir: Handler = (tree, node) => list(tree, node, false);
export const readdirplus: Handler = (tree, node) => list(tree, node, true);

function list(tree: TreeContext, node: Node, isPlus: boolean): number {
  const { request } = tree;
  const handle = tree.handles.get(request.u64(40));
  if (handle === undefined) return -ERRNO.EBADF;
  handle.listing ??= new Listing();
  const sought = seek(handle, handle.listing, request.u32(48), request.u32(52));
  if (sought < 0) return sought;
  const { reader } = handle.listing;
  const sizeMax = Math.min(request.u32(56), tree.dataBytesMax);
  let filled = 0;
  for (;;) {
    if (!reader.peek()) {
      const read = getdents64(handle.fd, handle.listing.buffer, handle.listing.buffer.length);
      if (read < 0) return filled > 0 ? filled : read;
      if (read === 0) return filled;
      reader.reset(read);
      continue;
    }
    const { entry } = reader;
    const { length } = entry.name;
    if (filled + (isPlus ? direntPlusBytes(length) : direntBytes(length)) > sizeMax) return filled;
    if (isPlus) filled += putEntry(tree, node, { entry, at: filled, directory: handle.fd });
    filled += putDirent(tree.reply, filled, entry);
    handle.listing.nextLow = entry.cookieLow;
    handle.listing.nextHigh = entry.cookieHigh;
    reader.advance();
  }
}

/**
 * Goes where the kernel wants to read on: nearly always where it stopped. Cookies are 64 opaque
 * bits (ext4's are hashes), and 0, the beginning, also means "look again" (rewinddir(3)).
 */
function seek(handle: Handle, listing: Listing, low: number, high: number): number {
  const isNext = low === listing.nextLow && high === listing.nextHigh;
  if (isNext && (low !== 0 || high !== 0)) return 0;
  listing.reader.reset(0);
  listing.nextLow = low;
  listing.nextHigh = high;
  return lseek(handle.fd, BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)), SEEK_SET);
}

/** The attributes of one entry; node id 0 (for `.`, `..` and what has just gone) tells nothing. */
function putEntry(
  tree: TreeContext,
  parent: Node,
  o: { readonly entry: RawEntry; readonly at: number; readonly directory: number },
): number {
  const { name } = o.entry;
  const isDots = name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
  const node = isDots ? 0 : tree.adopt(parent, o.directory, name);
  if (typeof node !== "number") {
    return putEntryOut(tree.reply, o.at, node.id, tree.stat, tree.validity);
  }
  tree.reply.clear(o.at, ENTRY_OUT_BYTES);
  return ENTRY_OUT_BYTES;
}
