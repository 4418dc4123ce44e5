/**
 * A file without a name cannot be found by a secondary that has just been attached, and may still
 * get a name (linkat(2)): so it is sent as it is, contents, attributes and time.
 */
import { ERRNO } from "../adapters/linux/errno.ts";
import {
  AT_FDCWD,
  close,
  descriptorPath,
  getxattr,
  listxattr,
  lseek,
  O_CLOEXEC,
  O_RDONLY,
  openat,
  pread,
} from "../adapters/linux/file.ts";
import { withNul } from "../adapters/linux/library.ts";
import type { Stat } from "../adapters/linux/stat.ts";
import type { FileId, OperationSink } from "../replication/operation.ts";

const CHUNK_BYTES = 256 * 1024;
/** XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h. */
const XATTR_BYTES_MAX = 65_536;
const SEEK_DATA = 3;

/** Describes the file of the O_PATH descriptor `path`, which `stat` is of, as `id`. 0 or -errno. */
export function sendWhole(sink: OperationSink, id: FileId, path: number, stat: Stat): number {
  const { mode, uid, gid, sizeBytes, mtime } = stat;
  const fd = openat(AT_FDCWD, descriptorPath(path), O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  sink.submit({ kind: "orphan", id, birth: { mode, uid, gid } });
  const sent = sendContents(sink, id, fd, sizeBytes);
  close(fd);
  if (sent < 0) return sent;
  sink.submit({ kind: "truncate", id, sizeBytes });
  const described = sendAttributes(sink, id, path);
  if (described < 0) return described;
  // An ACL changes the mode, so that comes after it; and all that was done moved the time on.
  sink.submit({ kind: "setattr", id, mode: mode & 0o7777, mtime });
  return 0;
}

/** Holes are left out: such a file may be far larger than what is in it. */
function sendContents(sink: OperationSink, id: FileId, fd: number, sizeBytes: number): number {
  const bytes = new Uint8Array(CHUNK_BYTES);
  for (let at = 0; at < sizeBytes; ) {
    const found = lseek(fd, at, SEEK_DATA);
    if (found === -ERRNO.ENXIO) return 0;
    // A file system that does not tell has no holes.
    const offsetBytes = found < 0 ? at : found;
    const length = pread(fd, bytes, bytes.length, offsetBytes);
    if (length <= 0) return length;
    sink.submit({ kind: "write", id, offsetBytes, data: bytes.subarray(0, length) });
    at = offsetBytes + length;
  }
  return 0;
}

function sendAttributes(sink: OperationSink, id: FileId, path: number): number {
  const list = Buffer.alloc(XATTR_BYTES_MAX);
  const length = listxattr(descriptorPath(path), list, list.length);
  if (length === -ERRNO.EOPNOTSUPP) return 0;
  if (length < 0) return length;
  const value = new Uint8Array(XATTR_BYTES_MAX);
  for (let at = 0; at < length; ) {
    const end = list.indexOf(0, at);
    const name = list.subarray(at, end);
    at = end + 1;
    const size = getxattr(descriptorPath(path), withNul(name), value, value.length);
    if (size < 0) return size;
    const [copied, bytes] = [name.slice(), value.slice(0, size)];
    sink.submit({ kind: "setxattr", id, name: copied, value: bytes, flags: 0 });
  }
  return 0;
}
