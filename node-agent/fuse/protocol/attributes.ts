/** `fuse_attr`, `fuse_attr_out`, `fuse_entry_out` and `fuse_kstatfs`, from what statx(2) found. */
import type { Stat } from "../../adapters/linux/stat.ts";
import { OUT_HEADER_BYTES } from "./opcodes.ts";
import type { Reply } from "./request.ts";

export const ATTR_OUT_BYTES = 104;
export const ENTRY_OUT_BYTES = 128;
export const OPEN_OUT_BYTES = 16;
export const STATFS_OUT_BYTES = 80;

/** For how long the kernel may answer from its own memory, in whole seconds. */
export type Validity = { readonly entrySeconds: number; readonly attributeSeconds: number };

/** Struct statx's words in the order of struct fuse_attr's: a plain copy of words. */
const ATTR_FROM_STATX = [
  8, 9, 10, 11, 12, 13, 16, 17, 28, 29, 24, 25, 18, 30, 26, -1, 4, 5, 6, -1, 1,
];
const MODE_WORD = 15;
const RDEV_WORD = 19;
const FLAGS_WORD = 21;

function putAttributes(reply: Reply, at: number, stat: Stat): void {
  const base = (OUT_HEADER_BYTES + at) >>> 2;
  for (let word = 0; word < FLAGS_WORD; word += 1) {
    reply.words[base + word] = stat.words[ATTR_FROM_STATX[word] ?? 0] ?? 0;
  }
  reply.words[base + MODE_WORD] = stat.mode;
  reply.words[base + RDEV_WORD] = stat.rdev;
  reply.words[base + FLAGS_WORD] = 0;
}

/** `fuse_attr_out`; its length. */
export function putAttrOut(reply: Reply, stat: Stat, validity: Validity): number {
  reply.setU64(0, validity.attributeSeconds);
  reply.setU64(8, 0);
  putAttributes(reply, 16, stat);
  return ATTR_OUT_BYTES;
}

/** `fuse_entry_out` at `at`; the generation is always 0, because node ids are never reused. */
export function putEntryOut(
  reply: Reply,
  at: number,
  nodeId: number,
  stat: Stat,
  validity: Validity,
): number {
  reply.setU64(at, nodeId);
  reply.setU64(at + 8, 0);
  reply.setU64(at + 16, validity.entrySeconds);
  reply.setU64(at + 24, validity.attributeSeconds);
  reply.setU64(at + 32, 0);
  putAttributes(reply, at + 40, stat);
  return ENTRY_OUT_BYTES;
}

/** "There is no such name, and you may remember that": a `fuse_entry_out` with node id 0. */
export function putNegativeEntryOut(reply: Reply, validity: Validity): number {
  reply.clear(0, ENTRY_OUT_BYTES);
  reply.setU64(16, validity.entrySeconds);
  return ENTRY_OUT_BYTES;
}

/** `fuse_open_out` at `at`; its length. */
export function putOpenOut(reply: Reply, at: number, handle: number, flags: number): number {
  reply.setU64(at, handle);
  reply.setU32(at + 8, flags);
  reply.setU32(at + 12, 0);
  return OPEN_OUT_BYTES;
}

/** `fuse_kstatfs` from the 120 bytes of a 64-bit `struct statfs`. */
export function putStatfsOut(reply: Reply, statfs: Uint32Array): number {
  const base = OUT_HEADER_BYTES >>> 2;
  reply.clear(0, STATFS_OUT_BYTES);
  // blocks, bfree, bavail, files, ffree: five u64 from offset 16 on.
  for (let word = 0; word < 10; word += 1) reply.words[base + word] = statfs[4 + word] ?? 0;
  reply.words[base + 10] = statfs[2] ?? 0; // f_bsize
  reply.words[base + 11] = statfs[16] ?? 0; // f_namelen
  reply.words[base + 12] = statfs[18] ?? 0; // f_frsize
  return STATFS_OUT_BYTES;
}
