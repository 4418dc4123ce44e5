/** getdents64(2): the entries of a directory, names as bytes. */
import { close, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, openat } from "./file.ts";
import { cString, systemCall } from "./library.ts";

/** Fills `entries` with `struct linux_dirent64`; bytes filled, 0 at the end, or -errno. */
export const getdents64 = systemCall<[fd: number, entries: Uint8Array, sizeMax: number]>(
  "long getdents64(int, void *, ulong)",
);

/** One entry; `name` is a view into the buffer that was read, without the NUL. */
export type DirectoryEntry = {
  readonly inode: number;
  /** As in `d_type`: `mode >> 12`, 0 when the file system does not tell. */
  readonly type: number;
  readonly name: Uint8Array;
};

const DOT = 46;
const ENTRIES_BYTES = 32 * 1024;

/** The entries in `buffer[0, filled)`, without `.` and `..`. */
export function* parseEntries(buffer: Uint8Array, filled: number): Generator<DirectoryEntry> {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  for (let at = 0; at < filled; ) {
    const length = view.getUint16(at + 16, true);
    const start = at + 19;
    const name = buffer.subarray(start, buffer.indexOf(0, start));
    const isDots = name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
    if (!isDots) {
      const inode = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
      yield { inode, type: view.getUint8(at + 18), name };
    }
    at += length;
  }
}

const CURRENT = cString(".");

/**
 * Every entry of the directory `fd` (O_PATH will do: it is opened anew), names copied. Returns
 * -errno when it cannot be read. Holds the whole listing in memory: for directories on the data
 * path read in pieces instead.
 */
export function listDirectory(fd: number): DirectoryEntry[] | number {
  const reading = openat(fd, CURRENT, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
  if (reading < 0) return reading;
  const buffer = new Uint8Array(ENTRIES_BYTES);
  const entries: DirectoryEntry[] = [];
  try {
    for (;;) {
      const filled = getdents64(reading, buffer, buffer.length);
      if (filled < 0) return filled;
      if (filled === 0) return entries;
      for (const entry of parseEntries(buffer, filled)) {
        entries.push({ ...entry, name: entry.name.slice() });
      }
    }
  } finally {
    close(reading);
  }
}
