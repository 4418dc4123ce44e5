import { err, ok, type Result } from "#model/shared/result.ts";

/** Bytes of one message on the link. */
const FRAME_BYTES_MAX = 65_536;
const LENGTH_BYTES = 4;

/** One message as it crosses the link: its length in 4 bytes, big-endian, then JSON. Null: too long. */
export function encodeFrame(message: unknown): Buffer | null {
  const body = Buffer.from(JSON.stringify(message), "utf8");
  if (body.length > FRAME_BYTES_MAX) return null;
  const frame = Buffer.alloc(LENGTH_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, LENGTH_BYTES);
  return frame;
}

/** Cuts a stream into messages. After the first error the stream has no meaning any more. */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);

  /** The messages that `chunk` completes, in order. */
  read(chunk: Buffer): Result<readonly unknown[], "malformed"> {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const messages: unknown[] = [];
    while (this.#held.length >= LENGTH_BYTES) {
      const length = this.#held.readUInt32BE(0);
      // Judged before the body is awaited: a length must not make us hold a gigabyte.
      if (length > FRAME_BYTES_MAX) return err("malformed");
      const end = LENGTH_BYTES + length;
      if (this.#held.length < end) break;
      try {
        messages.push(JSON.parse(this.#held.toString("utf8", LENGTH_BYTES, end)));
      } catch {
        return err("malformed");
      }
      this.#held = this.#held.subarray(end);
    }
    return ok(messages);
  }
}
