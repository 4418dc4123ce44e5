/** A file's content: read and hash it in blocks, and tell data from holes. */
import { hash } from "node:crypto";
import { ERRNO } from "../adapters/linux/errno.ts";
import * as file from "../adapters/linux/file.ts";
import type { ResyncPlace } from "./resync.ts";
import { check } from "./tree.ts";
import { BLOCK_BYTES } from "./wire.ts";

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** SHA-256, one shot: no hash object per block. */
export const hashOf = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");

/** Reads up to `buffer.length` bytes at `offset`; fewer only at the end of the file. */
export function readAt(
  fd: number,
  buffer: Uint8Array,
  offsetBytes: number,
  place: ResyncPlace,
): number {
  let filled = 0;
  while (filled < buffer.length) {
    const rest = filled === 0 ? buffer : buffer.subarray(filled);
    const count = file.pread(fd, rest, rest.length, offsetBytes + filled);
    if (count === -ERRNO.EINTR) continue;
    if (check(count, "read", place) === 0) break;
    filled += count;
  }
  return filled;
}

/** Writes all of `bytes` at `offset`. */
export function writeAt(
  fd: number,
  bytes: Uint8Array,
  offsetBytes: number,
  place: ResyncPlace,
): void {
  for (let written = 0; written < bytes.length; ) {
    const rest = bytes.subarray(written);
    const count = file.pwrite(fd, rest, rest.length, offsetBytes + written);
    if (count === -ERRNO.EINTR) continue;
    written += check(count, "write", place);
  }
}

export type Extent = {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly isHole: boolean;
};

/**
 * The parts of `[startBytes, endBytes)`, data and holes in order, as lseek(2) tells them
 * (SEEK_DATA, SEEK_HOLE). Data is cut at multiples of `BLOCK_BYTES`. On a file system that cannot
 * tell, all is data. The file may change meanwhile: then it is dirty and is looked at again.
 */
export function* extentsOf(
  fd: number,
  startBytes: number,
  endBytes: number,
  place: ResyncPlace,
): Generator<Extent> {
  let at = startBytes;
  while (at < endBytes) {
    const seekData = file.lseek(fd, at, SEEK_DATA);
    if (seekData === -ERRNO.EINVAL || seekData === -ERRNO.EOPNOTSUPP) {
      yield* blocks(at, endBytes);
      return;
    }
    // ENXIO: nothing but a hole up to the end.
    const isRestHole = seekData === -ERRNO.ENXIO;
    const data = isRestHole ? endBytes : check(seekData, "lseek", place);
    const dataStart = Math.min(data, endBytes);
    if (dataStart > at) {
      yield { offsetBytes: at, lengthBytes: dataStart - at, isHole: true };
    }
    if (dataStart >= endBytes) return;
    const hole = file.lseek(fd, dataStart, SEEK_HOLE);
    const dataEnd = hole < 0 ? endBytes : Math.min(hole, endBytes);
    yield* blocks(dataStart, dataEnd);
    // A file cut short between the two calls could otherwise keep us here for ever.
    at = Math.max(dataEnd, dataStart + 1);
  }
}

function* blocks(startBytes: number, endBytes: number): Generator<Extent> {
  for (let at = startBytes; at < endBytes; ) {
    const next = Math.min((Math.floor(at / BLOCK_BYTES) + 1) * BLOCK_BYTES, endBytes);
    yield { offsetBytes: at, lengthBytes: next - at, isHole: false };
    at = next;
  }
}

const FALLOC_KEEP_SIZE = 1;
const FALLOC_PUNCH_HOLE = 2;

/** True when some of `[offset, offset + length)` holds data: allocated, even if it reads as zeros. */
export function hasData(fd: number, offsetBytes: number, lengthBytes: number): boolean {
  const data = file.lseek(fd, offsetBytes, SEEK_DATA);
  // Nothing but a hole (ENXIO), or nobody can tell: then it must be taken for data.
  if (data === -ERRNO.ENXIO) return false;
  return data < 0 || data < offsetBytes + lengthBytes;
}

/** Makes the range a hole; writes zeros where the file system has none. Never changes the size. */
export function punchHole(
  fd: number,
  offsetBytes: number,
  lengthBytes: number,
  sizeBytes: number,
  place: ResyncPlace,
): void {
  let end = Math.min(offsetBytes + lengthBytes, sizeBytes);
  if (end <= offsetBytes) return;
  const mode = FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE;
  // Only whole blocks of the file system become holes, also the one that the file ends in.
  if (end === sizeBytes) end = Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES;
  const punched = file.fallocate(fd, mode, offsetBytes, end - offsetBytes);
  if (punched !== -ERRNO.EOPNOTSUPP) {
    check(punched, "fallocate", place);
    return;
  }
  const zeros = new Uint8Array(BLOCK_BYTES);
  end = Math.min(end, sizeBytes);
  for (let at = offsetBytes; at < end; at += BLOCK_BYTES) {
    writeAt(fd, zeros.subarray(0, Math.min(BLOCK_BYTES, end - at)), at, place);
  }
}
