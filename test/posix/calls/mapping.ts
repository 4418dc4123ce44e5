/** mmap(2) and what goes with it. */
import koffi from "koffi";
import { systemCall } from "../../../node-agent/adapters/linux/library.ts";

const mmap = systemCall<
  [at: null, length: number, protection: number, flags: number, fd: number, offset: number]
>("long mmap(void *, ulong, int, int, int, int64)");
const munmap = systemCall<[address: bigint, length: number]>("int munmap(intptr_t, ulong)");
const msync = systemCall<[address: bigint, length: number, flags: number]>(
  "int msync(intptr_t, ulong, int)",
);

export class Mapping {
  readonly #address: bigint;
  readonly bytes: Buffer;

  private constructor(address: number, length: number) {
    this.#address = BigInt(address);
    this.bytes = Buffer.from(koffi.view(this.#address, length));
  }

  /** A mapping, or -errno. */
  static of(
    fd: number,
    o: { length: number; protection: number; flags: number; offset: number },
  ): Mapping | number {
    const address = mmap(null, o.length, o.protection, o.flags, fd, o.offset);
    return address < 0 ? address : new Mapping(address, o.length);
  }

  sync(flags: number): number {
    return msync(this.#address, this.bytes.length, flags);
  }

  unmap(): number {
    return munmap(this.#address, this.bytes.length);
  }
}
