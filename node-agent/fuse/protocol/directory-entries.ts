/** `fuse_dirent` and `fuse_direntplus`: packing the entries of a directory into a READDIR reply. */
import { ENTRY_OUT_BYTES } from "./attributes.ts";
import type { Reply } from "./request.ts";

const DIRENT_HEAD_BYTES = 24;

/** Bytes that an entry takes: head and name, padded to 8. */
export const direntBytes = (nameLength: number): number =>
  (DIRENT_HEAD_BYTES + nameLength + 7) & ~7;
export const direntPlusBytes = (nameLength: number): number =>
  ENTRY_OUT_BYTES + direntBytes(nameLength);

/** One entry as getdents64(2) gave it; 64-bit numbers in halves, since cookies use all their bits. */
export type RawEntry = {
  inodeLow: number;
  inodeHigh: number;
  /** Where to go on after this entry. */
  cookieLow: number;
  cookieHigh: number;
  type: number;
  name: Uint8Array;
};

/** Writes `struct fuse_dirent` at `at`; its padded length. */
export function putDirent(reply: Reply, at: number, entry: RawEntry): number {
  const length = direntBytes(entry.name.length);
  reply.setU32(at, entry.inodeLow);
  reply.setU32(at + 4, entry.inodeHigh);
  reply.setU32(at + 8, entry.cookieLow);
  reply.setU32(at + 12, entry.cookieHigh);
  reply.setU32(at + 16, entry.name.length);
  reply.setU32(at + 20, entry.type);
  const target = reply.payload(at + DIRENT_HEAD_BYTES, length - DIRENT_HEAD_BYTES);
  target.set(entry.name);
  target.fill(0, entry.name.length);
  return length;
}

/** Walks the `struct linux_dirent64` records of one getdents64(2) buffer, reusing one object. */
export class EntryReader {
  readonly entry: RawEntry = {
    inodeLow: 0,
    inodeHigh: 0,
    cookieLow: 0,
    cookieHigh: 0,
    type: 0,
    name: new Uint8Array(0),
  };
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #filled = 0;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Starts over with `filled` fresh bytes in the buffer. */
  reset(filled: number): void {
    this.#filled = filled;
    this.#at = 0;
  }

  /** Fills `entry` with the current record; false at the end of the buffer. `advance` moves on. */
  peek(): boolean {
    if (this.#at >= this.#filled) return false;
    const at = this.#at;
    this.entry.inodeLow = this.#view.getUint32(at, true);
    this.entry.inodeHigh = this.#view.getUint32(at + 4, true);
    this.entry.cookieLow = this.#view.getUint32(at + 8, true);
    this.entry.cookieHigh = this.#view.getUint32(at + 12, true);
    this.entry.type = this.#view.getUint8(at + 18);
    this.entry.name = this.#bytes.subarray(at + 19, this.#bytes.indexOf(0, at + 19));
    return true;
  }

  advance(): void {
    this.#at += this.#view.getUint16(this.#at + 16, true);
  }
}
