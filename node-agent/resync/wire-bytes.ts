/**
 * Numbers and bytes in a record: little-endian, every length checked against a limit before a byte
 * is looked at. A reader that meets anything else throws `Malformed`, which wire.ts turns into a
 * Result once per record: nothing of a malformed record is ever applied.
 */
import { assert } from "#model/shared/assert.ts";

/** Not what the protocol allows. Thrown by `RecordReader` only, and caught in wire.ts. */
export class Malformed extends Error {
  override readonly name = "Malformed";
}

/** Fills one preallocated record. Overrunning it is a bug: callers keep messages within bounds. */
export class RecordWriter {
  readonly #buffer: Buffer;
  #length = 0;

  constructor(sizeMax: number) {
    this.#buffer = Buffer.allocUnsafe(sizeMax);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written since the last call; valid until the next write. */
  take(): Uint8Array {
    const record = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return record;
  }

  #advance(count: number): number {
    const at = this.#length;
    assert(at + count <= this.#buffer.length, "a resync message exceeds its record");
    this.#length += count;
    return at;
  }

  u8(value: number): void {
    this.#buffer[this.#advance(1)] = value;
  }
  u16(value: number): void {
    this.#buffer.writeUInt16LE(value, this.#advance(2));
  }
  u32(value: number): void {
    this.#buffer.writeUInt32LE(value, this.#advance(4));
  }
  /** Any safe integer, as a double: exact, and cheaper than a BigInt. */
  integer(value: number): void {
    assert(Number.isSafeInteger(value), "a resync number is not a safe integer");
    this.#buffer.writeDoubleLE(value, this.#advance(8));
  }
  raw(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#advance(bytes.length));
  }
  /** Length, then bytes. */
  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }
}

/** Reads one record; views are into it, so they live as long as it does. */
export class RecordReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(record: Uint8Array) {
    this.#buffer = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#buffer.length;
  }

  #advance(count: number): number {
    const at = this.#at;
    if (count > this.#buffer.length - at) throw new Malformed("ends too early");
    this.#at += count;
    return at;
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#advance(1));
  }
  u16(): number {
    return this.#buffer.readUInt16LE(this.#advance(2));
  }
  u32(): number {
    return this.#buffer.readUInt32LE(this.#advance(4));
  }
  integer(minimum: number): number {
    const value = this.#buffer.readDoubleLE(this.#advance(8));
    if (!Number.isSafeInteger(value) || value < minimum) throw new Malformed("a bad number");
    return value;
  }
  /** Not a Buffer, whose `slice` would be one more view where a Uint8Array's is a copy. */
  raw(count: number): Uint8Array {
    const { buffer, byteOffset } = this.#buffer;
    return new Uint8Array(buffer, byteOffset + this.#advance(count), count);
  }
  bytes(lengthMax: number): Uint8Array {
    const length = this.u32();
    if (length > lengthMax) throw new Malformed("something too long");
    return this.raw(length);
  }
}
