/**
 * Contents of files: reading, writing, space, and making them durable.
 *
 * O_SYNC, O_DSYNC, RWF_SYNC and the like need nothing here: after such a write, buffered or
 * direct, the kernel sends a FSYNC of its own (generic_write_sync() at the end of
 * fuse_cache_write_iter() in fs/fuse/file.c, 5.4 as well as 6.18), and the call waits for it.
 */
import { ERRNO } from "../../adapters/linux/errno.ts";
import {
  copyFileRange,
  fallocate as fallocateCall,
  ftruncate,
  lseek as lseekCall,
  pread,
  pwrite,
} from "../../adapters/linux/file.ts";
import type { FileId } from "../../replication/operation.ts";
import type { Handle } from "../handle-table.ts";
import type { Node } from "../inode-table.ts";
import type { BlockingRead } from "../ports.ts";
import { FSYNC_DATA_ONLY, WRITE_KILL_SUIDGID } from "../protocol/opcodes.ts";
import { type Handler, LATER, type TreeContext } from "../tree-context.ts";
import { stripPrivileges } from "./attributes.ts";

const WRITE_DATA_AT = 80;
const WRITE_OUT_BYTES = 8;
const FALLOC_FL_PUNCH_HOLE = 2;
const FALLOC_FL_ZERO_RANGE = 16;
/** One request copies no more, so that it does not keep others waiting; callers go on by themselves. */
const COPIED_BYTES_MAX = 4 * 1024 * 1024;

/**
 * What is in memory is answered at once; what must come from the disk is read on another thread,
 * since everybody else would wait for that disk too.
 */
export const read: Handler = (tree) => {
  const { request } = tree;
  const handle = tree.handles.get(request.u64(40));
  if (handle === undefined) return -ERRNO.EBADF;
  const length = Math.min(request.u32(56), tree.dataBytesMax);
  const offsetBytes = request.u64(48);
  const { fd } = handle;
  const found = tree.memory.read(fd, offsetBytes, length);
  return found === -ERRNO.EAGAIN ? readFromDisk(tree, handle, { fd, offsetBytes, length }) : found;
};

function readFromDisk(tree: TreeContext, handle: Handle, o: BlockingRead): number {
  const deferred = tree.replies.defer(0);
  const isTaken = tree.blocking.read(o, (result, data) => {
    tree.releaseHandle(handle);
    if (result < 0) tree.replies.complete(deferred, result);
    else tree.replies.completeWith(deferred, data);
  });
  if (isTaken) {
    handle.busy += 1;
    return LATER;
  }
  // Too many wait for the disk already.
  tree.replies.drop(deferred);
  return pread(o.fd, tree.reply.payload(0, o.length), o.length, o.offsetBytes);
}

export const write: Handler = (tree, node) => {
  const { request } = tree;
  const handle = tree.handles.get(request.u64(40));
  if (handle === undefined) return -ERRNO.EBADF;
  const offsetBytes = request.u64(48);
  const size = Math.min(request.u32(56), request.length - WRITE_DATA_AT);
  if (!Number.isSafeInteger(offsetBytes + size)) return -ERRNO.EFBIG;
  const id = tree.bindings.idOf(node);
  if (id < 0) return tree.fault("bind", id);
  const data = request.data(WRITE_DATA_AT, size);
  const written = pwrite(handle.fd, data, size, offsetBytes);
  if (written < 0) {
    // A full disk refuses the data, and has already moved the time on.
    tree.times.mark(node);
    return written;
  }
  noteChange(tree, node, offsetBytes, written);
  if (tree.mustStripPrivileges((request.u32(60) & WRITE_KILL_SUIDGID) !== 0)) {
    const stripped = stripPrivileges(tree, node, handle.fd, id);
    if (stripped < 0) return tree.fault("write", stripped);
  }
  tree.reply.setU32(0, written);
  tree.reply.setU32(4, 0);
  if (id === 0) return WRITE_OUT_BYTES;
  // What was written, not what was asked: a full disk cuts a write short.
  const stored = written === size ? data : data.subarray(0, written);
  return tree.replicate({ kind: "write", id, offsetBytes, data: stored }, WRITE_OUT_BYTES);
};

function noteChange(tree: TreeContext, node: Node, offsetBytes: number, length: number): void {
  tree.times.mark(node);
  tree.reports.file(node, offsetBytes, length);
}

/** FSYNC and FSYNCDIR: the times that changed go along, so that they too are durable. */
export const fsync: Handler = (tree, node) => {
  const dataOnly = (tree.request.u32(48) & FSYNC_DATA_ONLY) !== 0;
  if (tree.role === "secondary") {
    return tree.sync({ handle: tree.request.u64(40), id: 0, dataOnly }, 0);
  }
  const id = tree.bindings.idOf(node);
  if (id < 0) return tree.fault("bind", id);
  if (!dataOnly) tree.times.flushOne(node);
  return tree.sync({ handle: tree.request.u64(40), id, dataOnly }, 0);
};

export const fallocate: Handler = (tree, node) => {
  const { request } = tree;
  const handle = tree.handles.get(request.u64(40));
  if (handle === undefined) return -ERRNO.EBADF;
  const [offsetBytes, lengthBytes, mode] = [request.u64(48), request.u64(56), request.u32(64)];
  if (!Number.isSafeInteger(offsetBytes + lengthBytes)) return -ERRNO.EFBIG;
  const id = tree.bindings.idOf(node);
  if (id < 0) return tree.fault("bind", id);
  const described = tree.stat.of(handle.fd);
  if (described < 0) return described;
  const { sizeBytes } = tree.stat;
  const done = fallocateCall(handle.fd, mode, offsetBytes, lengthBytes);
  if (done < 0) return takeBack(tree, node, { fd: handle.fd, sizeBytes, mode, error: done });
  tree.times.mark(node);
  // Collapsing and inserting move everything behind, so no range would be the truth.
  tree.reports.file(node);
  const stripped = stripForWriter(tree, node, handle, id);
  if (stripped < 0) return tree.fault("fallocate", stripped);
  if (id === 0) return 0;
  return tree.replicate({ kind: "fallocate", id, mode, offsetBytes, lengthBytes }, 0);
};

const CLEARING = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;
/** Refused before anything was done (fallocate(2)). */
const REFUSALS: readonly number[] = [ERRNO.EOPNOTSUPP, ERRNO.EINVAL, ERRNO.ENODEV, ERRNO.EFBIG];

/**
 * ext4 may stop in the middle and leave the file longer than it was; neither the kernel nor the
 * secondary would know. What was cleared in the middle cannot be taken back.
 */
function takeBack(
  tree: TreeContext,
  node: Node,
  o: {
    readonly fd: number;
    readonly sizeBytes: number;
    readonly mode: number;
    readonly error: number;
  },
): number {
  if (REFUSALS.includes(-o.error)) return o.error;
  tree.times.mark(node);
  tree.reports.file(node);
  const described = tree.stat.of(o.fd);
  const isLonger = described === 0 && tree.stat.sizeBytes !== o.sizeBytes;
  const cut = isLonger ? ftruncate(o.fd, o.sizeBytes) : described;
  if (cut < 0 || (o.mode & CLEARING) !== 0) tree.fault("fallocate", o.error);
  return o.error;
}

/** The kernel leaves this to us and does not say whether it is due: it is for all but root. */
function stripForWriter(tree: TreeContext, node: Node, handle: Handle, id: FileId): number {
  return tree.request.uid === 0 ? 0 : stripPrivileges(tree, node, handle.fd, id);
}

export const lseek: Handler = (tree) => {
  const { request } = tree;
  const handle = tree.handles.get(request.u64(40));
  if (handle === undefined) return -ERRNO.EBADF;
  const found = lseekCall(handle.fd, request.u64(48), request.u32(56));
  if (found < 0) return found;
  tree.reply.setU64(0, found);
  return 8;
};

/** COPY_FILE_RANGE: replicated as writes of what came to be in the target. */
export const copyRange: Handler = (tree) => copy(tree, false);
/** The same with 64 bits in its answer (Linux 6.18). */
export const copyRange64: Handler = (tree) => copy(tree, true);

function copy(tree: TreeContext, isWide: boolean): number {
  const { request } = tree;
  const from = tree.handles.get(request.u64(40));
  const to = tree.handles.get(request.u64(64));
  if (from === undefined || to === undefined) return -ERRNO.EBADF;
  const fromOffset = request.u64(48);
  const offsetBytes = request.u64(72);
  const asked = Math.min(request.u64(80), COPIED_BYTES_MAX);
  if (!Number.isSafeInteger(Math.max(fromOffset, offsetBytes) + asked)) return -ERRNO.EFBIG;
  const id = tree.bindings.idOf(to.node);
  if (id < 0) return tree.fault("bind", id);
  const copied = copyFileRange(
    from.fd,
    offsetWord(fromOffset),
    to.fd,
    offsetWord(offsetBytes),
    asked,
    0,
  );
  if (copied < 0) {
    tree.times.mark(to.node);
    return copied;
  }
  if (copied > 0) noteChange(tree, to.node, offsetBytes, copied);
  const stripped = stripForWriter(tree, to.node, to, id);
  if (stripped < 0) return tree.fault("copy", stripped);
  return replicateCopy(tree, { id, fd: to.fd, offsetBytes, copied, isWide });
}

const offsetWord = (offset: number): Uint8Array =>
  new Uint8Array(new BigInt64Array([BigInt(offset)]).buffer);

function replicateCopy(
  tree: TreeContext,
  o: {
    readonly id: FileId;
    readonly fd: number;
    readonly offsetBytes: number;
    readonly copied: number;
    readonly isWide: boolean;
  },
): number {
  const pieceMax = tree.dataBytesMax;
  const data = new Uint8Array(Math.min(o.copied, pieceMax));
  for (let at = 0; o.id > 0 && at < o.copied; ) {
    const wanted = Math.min(pieceMax, o.copied - at);
    const length = pread(o.fd, data, wanted, o.offsetBytes + at);
    if (length <= 0) return tree.fault("copy", length);
    const operation = {
      kind: "write",
      id: o.id,
      offsetBytes: o.offsetBytes + at,
      data: data.subarray(0, length),
    } as const;
    at += length;
    if (at >= o.copied) return tree.replicate(operation, putCopied(tree, o.copied, o.isWide));
    tree.submit(operation);
  }
  return putCopied(tree, o.copied, o.isWide);
}

/** `fuse_write_out` has a u32 and padding, `fuse_copy_file_range_out` a u64: alike when small. */
function putCopied(tree: TreeContext, copied: number, isWide: boolean): number {
  tree.reply.setU64(0, copied);
  return isWide ? 8 : WRITE_OUT_BYTES;
}
