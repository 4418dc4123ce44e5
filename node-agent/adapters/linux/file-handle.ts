/**
 * File handles (open_by_handle_at(2)): a few bytes that name an inode for as long as it exists, so
 * that a file can be remembered without keeping it open. Opening one needs CAP_DAC_READ_SEARCH.
 */
import { systemCall } from "./library.ts";

const nameToHandleAt = systemCall<
  [directory: number, path: Uint8Array, handle: Uint8Array, mountId: Uint8Array, flags: number]
>("int name_to_handle_at(int, const void *, void *, void *, int)");
const openByHandleAt = systemCall<[mount: number, handle: Uint8Array, flags: number]>(
  "int open_by_handle_at(int, const void *, int)",
);

const HEAD_BYTES = 8;
/** MAX_HANDLE_SZ in linux/fs.h. */
const HANDLE_BYTES_MAX = 128;
const AT_EMPTY_PATH = 0x1000;
const EMPTY = new Uint8Array(1);

const scratch = new Uint8Array(HEAD_BYTES + HANDLE_BYTES_MAX);
const scratchWords = new Uint32Array(scratch.buffer);
const mountId = new Uint8Array(4);

/** The handle of a descriptor's file (O_PATH will do); null where the file system has none. */
export function handleOf(fd: number): Uint8Array | null {
  scratchWords[0] = HANDLE_BYTES_MAX;
  if (nameToHandleAt(fd, EMPTY, scratch, mountId, AT_EMPTY_PATH) < 0) return null;
  return scratch.slice(0, HEAD_BYTES + (scratchWords[0] ?? 0));
}

/** Opens a handle's file; `mount` is any descriptor of its file system. -ESTALE once it is gone. */
export const openHandle = (mount: number, handle: Uint8Array, flags: number): number =>
  openByHandleAt(mount, handle, flags);
