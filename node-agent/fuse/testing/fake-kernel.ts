/** The kernel's end of a device, for tests: packets over a socket in place of /dev/fuse. */
import { socketPair } from "../../adapters/linux/descriptor-passing.ts";
import { close, read, write } from "../../adapters/linux/file.ts";
import { setNonBlocking } from "../../adapters/linux/poll.ts";
import { IN_HEADER_BYTES, OPCODE, OUT_HEADER_BYTES } from "../protocol/opcodes.ts";

const REPLY_BYTES_MAX = 2 * 1024 * 1024;

export type FakeReply = {
  readonly unique: number;
  /** 0 or -errno. */
  readonly error: number;
  readonly payload: Buffer;
};

export class FakeKernel {
  /** The server's end. */
  readonly device: number;
  readonly #own: number;
  #unique = 0;
  readonly #buffer = Buffer.alloc(REPLY_BYTES_MAX);

  constructor() {
    const { ends } = socketPair({ packets: true });
    [this.#own, this.device] = ends;
    setNonBlocking(this.#own);
    setNonBlocking(this.device);
  }

  /** Sends a request; its number. */
  ask(opcode: number, nodeId: number, body: Uint8Array): number {
    this.#unique += 1;
    const request = Buffer.alloc(IN_HEADER_BYTES + body.length);
    request.writeUInt32LE(request.length, 0);
    request.writeUInt32LE(opcode, 4);
    request.writeUInt32LE(this.#unique, 8);
    request.writeUInt32LE(nodeId, 16);
    request.set(body, IN_HEADER_BYTES);
    write(this.#own, request, request.length);
    return this.#unique;
  }

  /** INIT as Linux 6.18 sends it. */
  askInit(): number {
    const body = Buffer.alloc(64);
    body.writeUInt32LE(7, 0);
    body.writeUInt32LE(45, 4);
    body.writeUInt32LE(131_072, 8);
    body.writeUInt32LE(0x73fffffb, 12);
    body.writeUInt32LE(0x5fd, 16);
    return this.ask(OPCODE.INIT, 0, body);
  }

  /** The next reply, or null when there is none now. */
  reply(): FakeReply | null {
    const length = read(this.#own, this.#buffer, this.#buffer.length);
    if (length <= 0) return null;
    return {
      unique: this.#buffer.readUInt32LE(8),
      error: this.#buffer.readInt32LE(4),
      payload: Buffer.from(this.#buffer.subarray(OUT_HEADER_BYTES, length)),
    };
  }

  close(): void {
    close(this.#own);
  }
}

/** A request's body: numbers are u32 words, strings are names with their NUL. */
export function body(...parts: (number | bigint | string)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === "string") return Buffer.from(`${part}\0`, "latin1");
      const word = Buffer.alloc(typeof part === "bigint" ? 8 : 4);
      if (typeof part === "bigint") word.writeBigUInt64LE(part);
      else word.writeUInt32LE(part);
      return word;
    }),
  );
}
