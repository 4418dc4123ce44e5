/** Reading what the kernel has in memory, without ever waiting for a disk (preadv2(2), RWF_NOWAIT). */
import { ERRNO } from "./errno.ts";
import { pread } from "./file.ts";
import { addressOf, systemCall } from "./library.ts";

const preadv2Call = systemCall<
  [fd: number, vector: Uint8Array, count: number, offset: number, flags: number]
>("long preadv64v2(int, const void *, int, int64, int)");

const RWF_NOWAIT = 0x8;

const TWO_32 = 2 ** 32;

/** Reads into one buffer that it is made with, whose address is looked up once. */
export class CachedReader {
  readonly #data: Uint8Array;
  readonly #address: number;
  readonly #vector = new Uint32Array(4);
  readonly #vectorBytes = new Uint8Array(this.#vector.buffer);
  #isSupported = true;

  constructor(data: Uint8Array) {
    this.#data = data;
    // User space ends below 2^53 on the processors we run on, so the number is exact.
    this.#address = Number(addressOf(data));
  }

  /**
   * Fills the buffer from `offset`: bytes read (fewer at the end of the file), -EAGAIN when some
   * of it is not in memory (what the buffer holds then means nothing), or another -errno. File
   * systems that cannot tell (EOPNOTSUPP; tmpfs among them) are read in the ordinary way.
   */
  read(fd: number, offset: number, length: number): number {
    for (let filled = 0; this.#isSupported; ) {
      const found = this.#peek(fd, offset, { filled, length });
      if (found === -ERRNO.EOPNOTSUPP) this.#isSupported = false;
      else if (found < 0) return found;
      filled += Math.max(0, found);
      if (found === 0 || filled === length) return filled;
    }
    return pread(fd, this.#data, length, offset);
  }

  #peek(fd: number, offset: number, o: { readonly filled: number; length: number }): number {
    const target = this.#address + o.filled;
    this.#vector[0] = target % TWO_32;
    this.#vector[1] = Math.trunc(target / TWO_32);
    this.#vector[2] = o.length - o.filled;
    return preadv2Call(fd, this.#vectorBytes, 1, offset + o.filled, RWF_NOWAIT);
  }
}
