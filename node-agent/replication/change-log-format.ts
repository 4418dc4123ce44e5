/**
 * How a node's change record lies on its disk: batches, one after the other. Each has a number, a
 * length and a checksum; the first says since which point, and of which role and boot of the OS.
 *
 * | bytes | of a batch                                  |
 * | ----- | ------------------------------------------- |
 * | 0-3   | mark                                        |
 * | 4-7   | number: 0 for the first, then one more each |
 * | 8-11  | length of what follows                      |
 * | 12-15 | CRC-32 of bytes 4-11 and of what follows    |
 *
 * After each flush the next batch begins a new block of 4 KiB, so that a write which the power cuts
 * in two never touches a block that had been flushed. A batch that is not whole is the end of the
 * log, if nothing follows it: what it would have covered has not been done yet. If anything does, a
 * part in the middle is damaged or missing, and the whole record is in doubt.
 */

import { crc32 } from "node:zlib";
import { RECORD_LIMITS } from "#model/replication/change-record.ts";
import {
  type ByteRange,
  type DirtyEntry,
  DirtySet,
  type DirtySnapshot,
  type InodeKey,
  NOTHING,
} from "#model/replication/dirty-set.ts";
import { WireReader, WireWriter } from "./wire.ts";

export const LOG_BLOCK_BYTES = 4096;
const VERSION = 1;
const MARK = 0x474c_434d;
const HEAD_BYTES = 16;
const BATCH_BYTES_MAX = 64 * 1024 * 1024;
const TEXT_BYTES_MAX = 256;
const PATH_BYTES_MAX = 64 * 1024;
/** Infinity on the disk: no file is as long. */
const END_BYTES = Number.MAX_SAFE_INTEGER;
const RECORD = { begin: 1, entry: 2, sought: 3, everything: 4, point: 5, mode: 6 } as const;
const FLAG = { listing: 1, subtree: 2 } as const;
const ROLES = ["secondary", "primary"] as const;

/** A secondary's record says its point only: what it misses, its primary knows. */
export type RecordRole = (typeof ROLES)[number];

export type LogStart = {
  readonly role: RecordRole;
  /** Points since which `changes` covers everything, oldest first. */
  readonly points: readonly string[];
  /** Everything in it is durable before it is done (hot-places.ts). */
  readonly isStrict: boolean;
  readonly changes: DirtySnapshot;
};

/** What is appended later. */
export type LogAppend = {
  readonly changes?: DirtySnapshot;
  /** A further point, which the other node may have taken when this one has not. */
  readonly point?: string;
  readonly isStrict?: boolean;
};

export type StoredRecord = LogStart & { readonly bootId: string };
export type DecodedLog =
  | { readonly kind: "record"; readonly record: StoredRecord; readonly endBytes: number }
  | { readonly kind: "doubtful"; readonly why: string };

/** The first batch. */
export function encodeStart(start: LogStart, bootId: string): Buffer {
  const to = new WireWriter();
  to.u8(RECORD.begin);
  to.u16(VERSION);
  to.u8(ROLES.indexOf(start.role));
  to.short(Buffer.from(bootId));
  to.u8(start.points.length);
  for (const point of start.points) to.short(Buffer.from(point));
  putAppend(to, start);
  return batchOf(0, to.written);
}

/** Batch `number`. */
export function encodeAppend(append: LogAppend, number: number): Buffer {
  const to = new WireWriter(1024);
  putAppend(to, append);
  return batchOf(number, to.written);
}

function batchOf(number: number, body: Buffer): Buffer {
  const batch = Buffer.alloc(HEAD_BYTES + body.length);
  batch.writeUInt32LE(MARK, 0);
  batch.writeUInt32LE(number, 4);
  batch.writeUInt32LE(body.length, 8);
  body.copy(batch, HEAD_BYTES);
  batch.writeUInt32LE(checksum(batch, 0, body.length), 12);
  return batch;
}

const checksum = (bytes: Buffer, at: number, length: number): number =>
  crc32(
    bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length),
    crc32(bytes.subarray(at + 4, at + 12)),
  );

function putAppend(to: WireWriter, { changes, point, isStrict }: LogAppend): void {
  if (point !== undefined) {
    to.u8(RECORD.point);
    to.short(Buffer.from(point));
  }
  if (isStrict !== undefined) {
    to.u8(RECORD.mode);
    to.u8(isStrict ? 1 : 0);
  }
  if (changes?.everything === true) to.u8(RECORD.everything);
  for (const entry of changes?.entries ?? []) {
    to.u8(RECORD.entry);
    putEntry(to, entry);
  }
  for (const { tree, inode } of changes?.sought ?? []) {
    to.u8(RECORD.sought);
    to.u8(tree);
    putInode(to, inode);
  }
}

export function putEntry(to: Pick<WireWriter, "u8" | "u16" | "u64" | "long">, o: DirtyEntry): void {
  to.u8(o.tree);
  to.u8((o.listing ? FLAG.listing : 0) | (o.subtree ? FLAG.subtree : 0));
  to.long(o.path);
  to.u16(o.ranges.length);
  for (const { startBytes, endBytes } of o.ranges) {
    to.u64(startBytes);
    to.u64(Math.min(endBytes, END_BYTES));
  }
  to.u16(o.inodes.length);
  for (const inode of o.inodes) putInode(to, inode);
}

function putInode(to: Pick<WireWriter, "u64">, inode: InodeKey): void {
  // A number above 2^53 travels in two halves.
  const wide = BigInt(inode);
  to.u64(Number(wide >> 32n));
  to.u64(Number(wide & 0xffff_ffffn));
}

/** What a log holds; `bytes` is the whole file. */
export function decodeLog(bytes: Buffer): DecodedLog {
  const log = new LogReader();
  let [at, number] = [0, 0];
  while (at < bytes.length) {
    const length = batchAt(bytes, at, number);
    if (length !== null) {
      if (!log.take(new WireReader(bytes, at + HEAD_BYTES, at + HEAD_BYTES + length), number)) {
        return { kind: "doubtful", why: "holds what no version of it knows" };
      }
      at += HEAD_BYTES + length;
      number += 1;
      continue;
    }
    const next = Math.floor(at / LOG_BLOCK_BYTES + 1) * LOG_BLOCK_BYTES;
    if (
      at % LOG_BLOCK_BYTES !== 0 &&
      next < bytes.length &&
      batchAt(bytes, next, number) !== null
    ) {
      at = next;
      continue;
    }
    if (followsAnything(bytes, next, number)) {
      return { kind: "doubtful", why: "is damaged in its middle" };
    }
    break;
  }
  return log.ended(at);
}

/** The length of batch `number` at `at`, or null when it is not there whole. */
function batchAt(bytes: Buffer, at: number, number: number): number | null {
  if (at + HEAD_BYTES > bytes.length || bytes.readUInt32LE(at) !== MARK) return null;
  const length = bytes.readUInt32LE(at + 8);
  if (length > BATCH_BYTES_MAX || at + HEAD_BYTES + length > bytes.length) return null;
  if (bytes.readUInt32LE(at + 4) !== number) return null;
  return bytes.readUInt32LE(at + 12) === checksum(bytes, at, length) ? length : null;
}

/** Whether a later batch begins in any block from `at` on. */
function followsAnything(bytes: Buffer, at: number, number: number): boolean {
  for (let block = at; block + HEAD_BYTES <= bytes.length; block += LOG_BLOCK_BYTES) {
    const later = bytes.readUInt32LE(block) === MARK ? bytes.readUInt32LE(block + 4) : 0;
    if (later > number && batchAt(bytes, block, later) !== null) return true;
  }
  return false;
}

class LogReader {
  readonly #set = new DirtySet(RECORD_LIMITS);
  #start: { role: RecordRole; bootId: string } | null = null;
  readonly #points: string[] = [];
  #isStrict = false;

  /** False when the batch says what it must not. */
  take(from: WireReader, number: number): boolean {
    while (!from.isAtEnd && from.isSound) {
      const kind = from.u8();
      if ((kind === RECORD.begin) !== (number === 0 && this.#start === null)) return false;
      if (!this.#record(from, kind)) return false;
    }
    return from.isSound;
  }

  ended(endBytes: number): DecodedLog {
    const start = this.#start;
    if (start === null) return { kind: "doubtful", why: "has no beginning" };
    const changes = this.#set.snapshot();
    const record = { ...start, points: this.#points, isStrict: this.#isStrict, changes };
    return { kind: "record", record, endBytes };
  }

  #record(from: WireReader, kind: number): boolean {
    switch (kind) {
      case RECORD.begin:
        return this.#begin(from);
      case RECORD.entry: {
        const entry = takeEntry(from);
        if (entry !== null) this.#set.add({ ...NOTHING, entries: [entry] });
        return entry !== null;
      }
      case RECORD.sought:
        this.#set.changedInode(from.u8(), takeInode(from));
        return true;
      case RECORD.everything:
        this.#set.changedEverything();
        return true;
      case RECORD.point:
        this.#points.push(takeText(from));
        return true;
      case RECORD.mode:
        this.#isStrict = from.u8() === 1;
        return true;
      default:
        return false;
    }
  }

  #begin(from: WireReader): boolean {
    if (from.u16() !== VERSION) return false;
    const role = ROLES[from.u8()];
    const bootId = takeText(from);
    for (let left = from.u8(); left > 0; left -= 1) this.#points.push(takeText(from));
    if (role === undefined || this.#points.length === 0) return false;
    this.#start = { role, bootId };
    return true;
  }
}

const takeText = (from: WireReader): string => from.short(0, TEXT_BYTES_MAX).toString("utf8");

/** Null when it is none. */
export function takeEntry(from: WireReader): DirtyEntry | null {
  const [tree, flags] = [from.u8(), from.u8()];
  const path = Uint8Array.from(from.long(0, PATH_BYTES_MAX));
  const ranges: ByteRange[] = [];
  for (let left = from.u16(); left > 0 && from.isSound; left -= 1) {
    const [startBytes, endBytes] = [from.u64(), from.u64()];
    if (startBytes > endBytes) return null;
    ranges.push({
      startBytes,
      endBytes: endBytes === END_BYTES ? Number.POSITIVE_INFINITY : endBytes,
    });
  }
  const inodes: InodeKey[] = [];
  for (let left = from.u16(); left > 0 && from.isSound; left -= 1) inodes.push(takeInode(from));
  if (!from.isSound || flags > 3) return null;
  return {
    tree,
    path,
    listing: (flags & FLAG.listing) !== 0,
    subtree: (flags & FLAG.subtree) !== 0,
    ranges,
    inodes,
  };
}

function takeInode(from: WireReader): InodeKey {
  const [high, low] = [from.u64(), from.u64()];
  const wide = (BigInt(high) << 32n) | BigInt(low);
  return wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : wide;
}
