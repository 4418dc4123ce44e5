/**
 * One request from /dev/fuse, read in place: the buffer is allocated once, fields are read from
 * fixed offsets of typed arrays, nothing is copied and no object is made.
 */
import { OUT_HEADER_BYTES, REQUEST_BYTES_MAX } from "./opcodes.ts";

const TWO_32 = 2 ** 32;

/** A reusable request. Valid until the next one is read into `bytes`. */
export class Request {
  readonly bytes = new Uint8Array(REQUEST_BYTES_MAX);
  readonly #words = new Uint32Array(this.bytes.buffer);
  readonly #signed = new Int32Array(this.bytes.buffer);

  /** Total bytes, header included. */
  get length(): number {
    return this.#words[0] ?? 0;
  }
  get opcode(): number {
    return this.#words[1] ?? 0;
  }
  /** The kernel's number of this request, in two halves: bit 63 marks a request sent again. */
  get uniqueLow(): number {
    return this.#words[2] ?? 0;
  }
  get uniqueHigh(): number {
    return this.#words[3] ?? 0;
  }
  get nodeId(): number {
    return this.u64(16);
  }
  get uid(): number {
    return this.#words[6] ?? 0;
  }
  get gid(): number {
    return this.#words[7] ?? 0;
  }

  u32(at: number): number {
    return this.#words[at >>> 2] ?? 0;
  }
  /** Exact below 2^53; larger values come out rounded, and are refused where that would matter. */
  u64(at: number): number {
    const index = at >>> 2;
    return (this.#words[index] ?? 0) + (this.#words[index + 1] ?? 0) * TWO_32;
  }
  s64(at: number): number {
    const index = at >>> 2;
    return (this.#words[index] ?? 0) + (this.#signed[index + 1] ?? 0) * TWO_32;
  }
  /**
   * The NUL-terminated name at `at`, without its NUL. A view into the request, where the NUL
   * follows: so it can be passed to a system call as it is.
   */
  name(at: number): Uint8Array {
    const end = this.bytes.indexOf(0, at);
    // Bounded by the request, though the kernel always ends names.
    return this.bytes.subarray(at, end < 0 || end > this.length ? this.length : end);
  }
  data(at: number, length: number): Uint8Array {
    return this.bytes.subarray(at, at + length);
  }
}

/** A reply under construction: the header is written last, by `seal`. */
export class Reply {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly #signed: Int32Array;

  constructor(payloadBytesMax: number) {
    this.bytes = new Uint8Array(OUT_HEADER_BYTES + payloadBytesMax);
    this.words = new Uint32Array(this.bytes.buffer, 0, this.bytes.length >>> 2);
    this.#signed = new Int32Array(this.bytes.buffer, 0, this.bytes.length >>> 2);
  }

  /** Offsets count from the start of the payload. */
  setU32(at: number, value: number): void {
    this.words[(OUT_HEADER_BYTES + at) >>> 2] = value;
  }
  setU64(at: number, value: number): void {
    const index = (OUT_HEADER_BYTES + at) >>> 2;
    this.words[index] = value % TWO_32;
    this.words[index + 1] = Math.trunc(value / TWO_32);
  }
  clear(at: number, length: number): void {
    this.bytes.fill(0, OUT_HEADER_BYTES + at, OUT_HEADER_BYTES + at + length);
  }
  payload(at: number, length: number): Uint8Array {
    return this.bytes.subarray(OUT_HEADER_BYTES + at, OUT_HEADER_BYTES + at + length);
  }

  /** Writes the header; `error` is 0 or -errno. Returns the bytes to write to the device. */
  seal(uniqueLow: number, uniqueHigh: number, error: number, payloadLength: number): Uint8Array {
    const length = OUT_HEADER_BYTES + payloadLength;
    this.words[0] = length;
    this.#signed[1] = error;
    this.words[2] = uniqueLow;
    this.words[3] = uniqueHigh;
    return this.bytes.subarray(0, length);
  }
}
