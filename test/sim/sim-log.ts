import { Buffer } from "node:buffer";
import type { Prng } from "./prng.ts";

/** A file of the state folder that is appended to: what was not flushed is lost with the power. */
export class SimLog {
  #parts: Buffer[] | null = null;
  #durable = 0;

  /** Null: there is no such file. */
  get bytes(): Buffer | null {
    return this.#parts === null ? null : Buffer.concat(this.#parts);
  }

  /** What a flush that begins now will have made durable when it ends. */
  mark(): number {
    return this.#parts?.length ?? 0;
  }

  append(bytes: Buffer): void {
    this.#parts?.push(bytes);
  }

  flush(mark: number): void {
    this.#durable = Math.max(this.#durable, Math.min(mark, this.mark()));
  }

  /** Atomically and durably in place of what was there; null: gone. */
  replace(bytes: Buffer | null): void {
    this.#parts = bytes === null ? null : [bytes];
    this.#durable = this.mark();
  }

  losePower(prng: Prng): void {
    if (this.#parts === null) return;
    const kept = prng.int(this.#durable, this.#parts.length);
    const torn = this.#parts[kept];
    this.#parts = this.#parts.slice(0, kept);
    // The last one is half there.
    if (torn !== undefined && prng.chance(0.5)) {
      this.#parts.push(torn.subarray(0, Math.floor(torn.length / 2)));
    }
    this.#durable = this.mark();
  }
}
