/**
 * Serves one file, `disk`, in a FUSE file system: the image behind it, with the faults that are
 * ordered. One thread, one request after the other, as a single disk would.
 *
 * What is written stays in memory until the file is flushed, like a disk's volatile cache. So a
 * power cut can lose exactly what nobody flushed.
 */
import { workerData } from "node:worker_threads";
import { ERRNO } from "../../../node-agent/adapters/linux/errno.ts";
import { fdatasync, pread, pwrite, read, write } from "../../../node-agent/adapters/linux/file.ts";
import { negotiate } from "../../../node-agent/fuse/protocol/negotiation.ts";
import {
  DATA_BYTES_MAX,
  FOPEN_DIRECT_IO,
  OPCODE,
  ROOT_NODE_ID,
} from "../../../node-agent/fuse/protocol/opcodes.ts";
import { Reply, Request } from "../../../node-agent/fuse/protocol/request.ts";
import { DISK_FAULTS, WORD } from "./fault.ts";

export type ServeDisk = {
  /** /dev/fuse, blocking. */
  readonly device: number;
  readonly image: number;
  readonly sizeBytes: number;
  readonly words: Int32Array;
};

const BLOCK_BYTES = 4096;
const DISK_NODE_ID = 2;
const FOREVER_SECONDS = 3600;
const [DIRECTORY_MODE, FILE_MODE] = [0o040_700, 0o100_600];
const [ATTR_OUT, ENTRY_OUT, OPEN_OUT, WRITE_OUT, STATFS_OUT] = [104, 128, 16, 8, 80];
const NO_ANSWER = -1_000_000;

class Disk {
  readonly #of: ServeDisk;
  readonly #request = new Request();
  readonly #reply = new Reply(DATA_BYTES_MAX);
  /** Blocks that were written and not flushed, by number. */
  #cache = new Map<number, Buffer>();

  constructor(of: ServeDisk) {
    this.#of = of;
  }

  /** Until the file system is unmounted. */
  run(): void {
    const { device } = this.#of;
    for (;;) {
      const got = read(device, this.#request.bytes, this.#request.bytes.length);
      if (got === -ERRNO.ENODEV) return;
      if (got <= 0) continue;
      const outcome = this.#handle();
      if (outcome === NO_ANSWER) continue;
      const { uniqueLow, uniqueHigh } = this.#request;
      const [error, length] = outcome < 0 ? [outcome, 0] : [0, outcome];
      const bytes = this.#reply.seal(uniqueLow, uniqueHigh, error, length);
      write(device, bytes, bytes.length);
    }
  }

  #handle(): number {
    const request = this.#request;
    switch (request.opcode) {
      case OPCODE.INIT:
        return negotiate(request, this.#reply)?.length ?? -ERRNO.EPROTO;
      case OPCODE.LOOKUP:
        return this.#lookup();
      case OPCODE.GETATTR:
      case OPCODE.SETATTR:
        return this.#attributes(0, FOREVER_SECONDS, request.nodeId, ATTR_OUT);
      case OPCODE.OPEN:
      case OPCODE.OPENDIR:
        this.#reply.clear(0, OPEN_OUT);
        this.#reply.setU32(8, FOPEN_DIRECT_IO);
        return OPEN_OUT;
      case OPCODE.READ:
        return this.#fault() || this.#read(request.u64(48), request.u32(56));
      case OPCODE.WRITE:
        return this.#fault() || this.#write(request.u64(48), request.u32(56));
      case OPCODE.FSYNC:
        return this.#fault() || this.#flush();
      case OPCODE.STATFS:
        this.#reply.clear(0, STATFS_OUT);
        return STATFS_OUT;
      case OPCODE.FLUSH:
      case OPCODE.RELEASE:
      case OPCODE.RELEASEDIR:
      case OPCODE.READDIR:
        return 0;
      case OPCODE.FORGET:
      case OPCODE.BATCH_FORGET:
      case OPCODE.INTERRUPT:
        return NO_ANSWER;
      default:
        return -ERRNO.ENOSYS;
    }
  }

  /** 0, or the error with which this call fails; waits as long as is ordered. */
  #fault(): number {
    const { words } = this.#of;
    this.#loseIfOrdered();
    for (;;) {
      const code = Atomics.load(words, WORD.fault);
      switch (DISK_FAULTS[code]) {
        case "eio":
          return -ERRNO.EIO;
        case "slow": {
          const delayMs = Atomics.load(words, WORD.delayMs);
          return Atomics.wait(words, WORD.fault, code, delayMs) === "ok" ? this.#fault() : 0;
        }
        case "hang":
          Atomics.wait(words, WORD.fault, code);
          this.#loseIfOrdered();
          continue;
        default:
          return 0;
      }
    }
  }

  #loseIfOrdered(): void {
    const { words } = this.#of;
    if (Atomics.exchange(words, WORD.lose, 0) === 0) return;
    Atomics.store(words, WORD.lost, this.#cache.size);
    this.#cache = new Map();
  }

  #lookup(): number {
    const name = Buffer.from(this.#request.name(40)).toString("latin1");
    if (this.#request.nodeId !== ROOT_NODE_ID || name !== "disk") return -ERRNO.ENOENT;
    this.#reply.clear(0, ENTRY_OUT);
    this.#reply.setU64(0, DISK_NODE_ID);
    this.#reply.setU64(16, FOREVER_SECONDS);
    return this.#attributes(24, FOREVER_SECONDS, DISK_NODE_ID, ENTRY_OUT);
  }

  /** `fuse_attr` after its validity (and, in an entry, the 16 bytes of the other one's). */
  #attributes(at: number, seconds: number, nodeId: number, length: number): number {
    const isDisk = nodeId === DISK_NODE_ID;
    const attributesAt = length - 88;
    if (at === 0) this.#reply.clear(0, length);
    this.#reply.setU64(at, seconds);
    this.#reply.setU64(attributesAt, nodeId);
    this.#reply.setU64(attributesAt + 8, isDisk ? this.#of.sizeBytes : 0);
    this.#reply.setU32(attributesAt + 60, isDisk ? FILE_MODE : DIRECTORY_MODE);
    this.#reply.setU32(attributesAt + 64, 1);
    return length;
  }

  #read(offsetBytes: number, asked: number): number {
    const length = Math.max(0, Math.min(asked, this.#of.sizeBytes - offsetBytes));
    const into = this.#reply.payload(0, length);
    const got = pread(this.#of.image, into, length, offsetBytes);
    if (got < 0) return got;
    for (let at = offsetBytes - (offsetBytes % BLOCK_BYTES); at < offsetBytes + length; ) {
      const block = this.#cache.get(at / BLOCK_BYTES);
      if (block !== undefined) {
        const from = Math.max(at, offsetBytes);
        const to = Math.min(at + BLOCK_BYTES, offsetBytes + length);
        into.set(block.subarray(from - at, to - at), from - offsetBytes);
      }
      at += BLOCK_BYTES;
    }
    return length;
  }

  #write(offsetBytes: number, length: number): number {
    const data = this.#request.data(80, length);
    for (let done = 0; done < length; ) {
      const at = offsetBytes + done;
      const inBlock = at % BLOCK_BYTES;
      const part = Math.min(BLOCK_BYTES - inBlock, length - done);
      this.#block((at - inBlock) / BLOCK_BYTES, part).set(
        data.subarray(done, done + part),
        inBlock,
      );
      done += part;
    }
    this.#reply.clear(0, WRITE_OUT);
    this.#reply.setU32(0, length);
    return WRITE_OUT;
  }

  /** The cached block `number`, with what is on the disk where it is not written as a whole. */
  #block(number: number, written: number): Buffer {
    let block = this.#cache.get(number);
    if (block === undefined) {
      block = Buffer.alloc(BLOCK_BYTES);
      if (written < BLOCK_BYTES) pread(this.#of.image, block, BLOCK_BYTES, number * BLOCK_BYTES);
      this.#cache.set(number, block);
    }
    return block;
  }

  #flush(): number {
    for (const [number, block] of this.#cache) {
      const written = pwrite(this.#of.image, block, BLOCK_BYTES, number * BLOCK_BYTES);
      if (written < 0) return written;
    }
    this.#cache = new Map();
    return fdatasync(this.#of.image);
  }
}

const served: ServeDisk = workerData;
new Disk(served).run();
