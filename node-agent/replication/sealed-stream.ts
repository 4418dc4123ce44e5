/**
 * The encrypted record layer of a replication connection. Node's TLS would cost a hop through its
 * event loop for every record (12-16 us, more than the network's own round trip on a LAN), so the
 * data thread seals records itself on the raw socket: AES-256-GCM with a key per connection and
 * direction, derived from the mutual-TLS session of the two agents (hello.ts).
 *
 * A record is a 32-bit length of what follows, the ciphertext, the 16-byte tag. The nonce is the
 * record's number in its direction, counted by both ends and never sent: a record that is
 * repeated, left out, moved, cut short or changed fails its tag (NIST SP 800-38D), and the
 * connection is closed with nothing of it used. The length is authenticated as associated data.
 */

import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import { assert } from "#model/shared/assert.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { FRAME_BYTES_MAX } from "./frame.ts";

const LENGTH_BYTES = 4;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const HIGH = 0x1_0000_0000;
const ALGORITHM = "aes-256-gcm";

/** What one record adds to its plaintext on the wire. */
export const RECORD_OVERHEAD_BYTES = LENGTH_BYTES + TAG_BYTES;
/** The largest plaintext: one batch of small frames and one of the largest after it. */
export const RECORD_BYTES_MAX = 2 * FRAME_BYTES_MAX;

export type SealError = { readonly kind: "badRecord"; readonly reason: string };

/** Counts the records of one direction: number n is used once, as nonce and as sequence check. */
class Nonces {
  readonly #nonce = Buffer.alloc(NONCE_BYTES);
  #count = 0;

  next(): Buffer {
    assert(this.#count < Number.MAX_SAFE_INTEGER, "a connection never lives for 2^53 records");
    this.#nonce.writeUInt32LE(this.#count % HIGH, 4);
    this.#nonce.writeUInt32LE(Math.floor(this.#count / HIGH), 8);
    this.#count += 1;
    return this.#nonce;
  }
}

/** Seals the records of one direction, in order. */
export class Sealer {
  readonly #key: KeyObject;
  readonly #nonces = new Nonces();

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /** The record as the parts that go on the wire one after the other. */
  seal(plaintext: Uint8Array): readonly [length: Buffer, ciphertext: Buffer, tag: Buffer] {
    assert(plaintext.length <= RECORD_BYTES_MAX, "a record stays within its limit");
    const length = Buffer.allocUnsafe(LENGTH_BYTES);
    length.writeUInt32LE(plaintext.length + TAG_BYTES, 0);
    const cipher = createCipheriv(ALGORITHM, this.#key, this.#nonces.next(), {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(length);
    const ciphertext = cipher.update(plaintext);
    cipher.final();
    return [length, ciphertext, cipher.getAuthTag()];
  }
}

/** Opens the records of one direction, in order. */
export class Opener {
  readonly #key: KeyObject;
  readonly #nonces = new Nonces();

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /**
   * Opens the record at `at` in `received`, of which `end` bytes have arrived: null when it is not
   * there as a whole yet. After an error nothing more may be opened.
   */
  open(
    received: Buffer,
    at: number,
    end: number,
  ): Result<{ readonly plaintext: Buffer; readonly next: number } | null, SealError> {
    if (end - at < LENGTH_BYTES) return ok(null);
    const length = received.readUInt32LE(at);
    if (length < TAG_BYTES || length > RECORD_BYTES_MAX + TAG_BYTES) {
      return err({ kind: "badRecord", reason: `a record of ${length} bytes` });
    }
    const body = at + LENGTH_BYTES;
    const next = body + length;
    if (end < next) return ok(null);
    const decipher = createDecipheriv(ALGORITHM, this.#key, this.#nonces.next(), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(received.subarray(at, body));
    decipher.setAuthTag(received.subarray(next - TAG_BYTES, next));
    const plaintext = decipher.update(received.subarray(body, next - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      // OpenSSL says only that the tag is wrong; there is nothing more to know.
      return err({ kind: "badRecord", reason: "a record failed its authentication" });
    }
    return ok({ plaintext, next });
  }
}
