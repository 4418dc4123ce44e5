/**
 * Numbers and byte strings on the wire, little-endian. The writer grows within a stated limit; the
 * reader never throws: a read past the end, or of a value out of bounds, marks it failed, and the
 * caller looks at `isSound` once at the end instead of after each field.
 */

import { assert } from "#model/shared/assert.ts";

const HIGH = 0x1_0000_0000;
const FRESH_BYTES = 64 * 1024;

/** Appends to one growing buffer that is used again and again. */
export class WireWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(bytes = FRESH_BYTES) {
    this.#buffer = Buffer.allocUnsafeSlow(bytes);
  }

  get length(): number {
    return this.#length;
  }
  /** What has been written, without a copy: valid until the next write or `clear`. */
  get written(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
  clear(): void {
    this.#length = 0;
  }
  /** Hands the bytes over: a copy of a few, the buffer itself when it is well filled. */
  take(): Buffer {
    const taken = this.written;
    this.#length = 0;
    // Many small batches may be kept for long; none may hold a large buffer for it.
    if (taken.length < this.#buffer.length / 2) return Buffer.from(taken);
    this.#buffer = Buffer.allocUnsafeSlow(FRESH_BYTES);
    return taken;
  }

  u8(value: number): void {
    this.#room(1);
    this.#buffer[this.#length] = value;
    this.#length += 1;
  }
  u16(value: number): void {
    this.#room(2);
    this.#length = this.#buffer.writeUInt16LE(value, this.#length);
  }
  u32(value: number): void {
    this.#room(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
  }
  /** A safe integer >= 0 in eight bytes. */
  u64(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "an unsigned 64-bit field is a safe integer");
    this.#room(8);
    this.#length = this.#buffer.writeUInt32LE(value % HIGH, this.#length);
    this.#length = this.#buffer.writeUInt32LE(Math.floor(value / HIGH), this.#length);
  }
  /** A safe integer of either sign, as a 64-bit two's complement. */
  i64(value: number): void {
    assert(Number.isSafeInteger(value), "a signed 64-bit field is a safe integer");
    this.#room(8);
    const high = Math.floor(value / HIGH);
    this.#length = this.#buffer.writeUInt32LE(value - high * HIGH, this.#length);
    this.#length = this.#buffer.writeInt32LE(high, this.#length);
  }
  /** Bytes as they are, their length known to the reader from elsewhere. */
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }
  /** A 16-bit length, then the bytes. */
  short(bytes: Uint8Array): void {
    this.u16(bytes.length);
    this.raw(bytes);
  }
  /** A 32-bit length, then the bytes. */
  long(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }
  /** Overwrites four bytes written before: a length known only at the end. */
  patchU32(at: number, value: number): void {
    assert(at + 4 <= this.#length, "only what was written can be patched");
    this.#buffer.writeUInt32LE(value, at);
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

const NOTHING = Buffer.alloc(0);

/** Reads `bytes` from `at` to `end`; views, no copies. */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  #isSound = true;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** False once anything was read that was not there or not allowed. */
  get isSound(): boolean {
    return this.#isSound;
  }
  get isAtEnd(): boolean {
    return this.#at === this.#end;
  }
  get remaining(): number {
    return this.#end - this.#at;
  }
  fail(): void {
    this.#isSound = false;
  }

  u8(): number {
    return this.#has(1) ? this.#bytes.readUInt8(this.#step(1)) : 0;
  }
  u16(): number {
    return this.#has(2) ? this.#bytes.readUInt16LE(this.#step(2)) : 0;
  }
  u32(): number {
    return this.#has(4) ? this.#bytes.readUInt32LE(this.#step(4)) : 0;
  }
  /** Fails above 2^53 - 1, so that no number is ever rounded. */
  u64(): number {
    if (!this.#has(8)) return 0;
    const at = this.#step(8);
    const value = this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * HIGH;
    return this.#safe(value);
  }
  i64(): number {
    if (!this.#has(8)) return 0;
    const at = this.#step(8);
    const value = this.#bytes.readUInt32LE(at) + this.#bytes.readInt32LE(at + 4) * HIGH;
    return this.#safe(value);
  }
  raw(length: number): Buffer {
    if (!this.#has(length)) return NOTHING;
    const at = this.#step(length);
    return this.#bytes.subarray(at, at + length);
  }
  /** Bytes with a 16-bit length before them, between `min` and `max`. */
  short(min: number, max: number): Buffer {
    return this.#bounded(this.u16(), min, max);
  }
  /** Bytes with a 32-bit length before them. */
  long(min: number, max: number): Buffer {
    return this.#bounded(this.u32(), min, max);
  }

  #bounded(length: number, min: number, max: number): Buffer {
    if (length < min || length > max) {
      this.fail();
      return NOTHING;
    }
    return this.raw(length);
  }
  #has(bytes: number): boolean {
    if (this.#isSound && this.#end - this.#at >= bytes) return true;
    this.#isSound = false;
    return false;
  }
  #step(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }
  #safe(value: number): number {
    if (Number.isSafeInteger(value)) return value;
    this.#isSound = false;
    return 0;
  }
}
