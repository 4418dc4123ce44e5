/**
 * One sealed, non-blocking connection on a raw socket. It knows records, not frames: whoever polls
 * tells it when the socket can be read or written.
 *
 * What is queued to be sent is bounded by the caller (the sender's window); what has been received
 * and not taken is bounded here by one record.
 */

import type { Result } from "#model/shared/result.ts";
import { err, ok } from "#model/shared/result.ts";
import { ERRNO, errnoName } from "../adapters/linux/errno.ts";
import type { Network } from "./network.ts";
import { Opener, RECORD_BYTES_MAX, RECORD_OVERHEAD_BYTES, Sealer } from "./sealed-stream.ts";

const RECEIVE_BYTES = RECORD_BYTES_MAX + RECORD_OVERHEAD_BYTES;
/** One recv(2) asks for no more, so that a small record costs no large copy. */
const RECEIVE_BYTES_AT_ONCE = 256 * 1024;
/** Below this a record's three parts are joined and sent in one system call. */
const JOIN_BYTES_MAX = 64 * 1024;

export type ConnectionLost = { readonly kind: "connectionLost"; readonly reason: string };

export class SealedConnection {
  readonly fd: number;
  readonly #network: Network;
  readonly #sealer: Sealer;
  readonly #opener: Opener;
  #unsent: Buffer[] = [];
  #received = Buffer.allocUnsafeSlow(64 * 1024);
  #start = 0;
  #end = 0;
  #isClosed = false;
  /** Bytes on the wire, for figures. */
  bytesSent = 0;
  bytesReceived = 0;

  constructor(network: Network, fd: number, sendKey: Uint8Array, receiveKey: Uint8Array) {
    this.#network = network;
    this.fd = fd;
    this.#sealer = new Sealer(sendKey);
    this.#opener = new Opener(receiveKey);
  }

  /** True while the socket had no room for everything: poll for POLLOUT. */
  get wantsWrite(): boolean {
    return this.#unsent.length > 0;
  }

  /** Seals one record and sends what the socket takes; the rest waits for `flush`. */
  send(plaintext: Uint8Array): Result<void, ConnectionLost> {
    const parts = this.#sealer.seal(plaintext);
    if (plaintext.length <= JOIN_BYTES_MAX) this.#unsent.push(Buffer.concat(parts));
    else this.#unsent.push(...parts);
    return this.flush();
  }

  /** Sends what waits, as far as the socket has room. */
  flush(): Result<void, ConnectionLost> {
    let sentParts = 0;
    for (const [index, part] of this.#unsent.entries()) {
      const sent = this.#network.send(this.fd, part);
      if (sent === -ERRNO.EAGAIN) break;
      if (sent === -ERRNO.EINTR) break;
      if (sent < 0) return lost(`send: ${errnoName(sent)}`);
      this.bytesSent += sent;
      if (sent < part.length) {
        this.#unsent[index] = part.subarray(sent);
        break;
      }
      sentParts += 1;
    }
    if (sentParts > 0) this.#unsent = this.#unsent.slice(sentParts);
    return ok(undefined);
  }

  /**
   * Reads once and hands over every whole record, until `take` returns false; what follows stays
   * for `takeBuffered`. An error means that the connection is over and must be closed.
   */
  read(take: (record: Buffer) => boolean): Result<void, ConnectionLost> {
    this.#makeRoom();
    const length = Math.min(this.#received.length - this.#end, RECEIVE_BYTES_AT_ONCE);
    const into = this.#received.subarray(this.#end, this.#end + length);
    const got = this.#network.receive(this.fd, into, length);
    if (got === -ERRNO.EAGAIN || got === -ERRNO.EINTR) return ok(undefined);
    if (got < 0) return lost(`recv: ${errnoName(got)}`);
    if (got === 0) return lost("the peer closed the connection");
    this.#end += got;
    this.bytesReceived += got;
    return this.takeBuffered(take);
  }

  /** Hands over records that have been received but not taken yet. */
  takeBuffered(take: (record: Buffer) => boolean): Result<void, ConnectionLost> {
    while (!this.#isClosed) {
      const opened = this.#opener.open(this.#received, this.#start, this.#end);
      if (!opened.ok) return lost(opened.error.reason);
      if (opened.value === null) break;
      this.#start = opened.value.next;
      if (!take(opened.value.plaintext)) break;
    }
    return ok(undefined);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#network.close(this.fd);
  }

  /** Moves what is left to the front, and grows to a whole large record when one is arriving. */
  #makeRoom(): void {
    const pending = this.#end - this.#start;
    if (pending === 0) {
      this.#start = 0;
      this.#end = 0;
      return;
    }
    if (this.#received.length - this.#end >= RECEIVE_BYTES_AT_ONCE / 8) return;
    const isSmall = this.#received.length < RECEIVE_BYTES;
    const room = isSmall && pending > this.#received.length / 2 ? RECEIVE_BYTES : null;
    const into = room === null ? this.#received : Buffer.allocUnsafeSlow(room);
    this.#received.copy(into, 0, this.#start, this.#end);
    this.#received = into;
    this.#start = 0;
    this.#end = pending;
  }
}

const lost = (reason: string): Result<never, ConnectionLost> =>
  err({ kind: "connectionLost", reason });
