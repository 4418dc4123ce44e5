/**
 * Exactly one reply for every request, each in one write(2), and none past a shut gate.
 *
 * A reply that waits (for the peer's acknowledgement or a disk) is kept as bytes in a `Deferred`:
 * the request and reply buffers are used again at once. `failAll` answers everything that waits,
 * and what completes later is dropped.
 */
import { ERRNO, isDiskError } from "../adapters/linux/errno.ts";
import { write } from "../adapters/linux/file.ts";
import type { FuseServerOptions, ReplyGate, Role } from "./ports.ts";
import { DATA_BYTES_MAX, OUT_HEADER_BYTES, opcodeName } from "./protocol/opcodes.ts";
import { Reply, type Request } from "./protocol/request.ts";

/** A reply that cannot be given yet. */
export class Deferred {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly opcode: number;
  payload: Uint8Array;

  constructor(request: Request, payload: Uint8Array) {
    this.uniqueLow = request.uniqueLow;
    this.uniqueHigh = request.uniqueHigh;
    this.opcode = request.opcode;
    this.payload = payload;
  }
}

type ReplyOptions = Pick<FuseServerOptions, "device" | "gate" | "onDiskError">;

/** Everything but READ and READDIR replies fits: an entry and an open file. */
const SMALL_BYTES_MAX = 256;

export class Replies {
  readonly #device: number;
  readonly #gate: ReplyGate;
  readonly #request: Request;
  readonly #reply: Reply;
  readonly #small = new Reply(SMALL_BYTES_MAX);
  /** Not the request's own reply buffer: that one may be half filled while another completes. */
  #large: Reply | null = null;
  readonly #pending = new Set<Deferred>();
  readonly #onDiskError: (errno: number, operation: string) => void;
  /** The owner has been told that something failed here: what follows from it is no news. */
  isFaulted = false;
  role: Role = "secondary";

  constructor(options: ReplyOptions, request: Request, reply: Reply) {
    this.#device = options.device;
    this.#gate = options.gate;
    this.#onDiskError = options.onDiskError;
    this.#request = request;
    this.#reply = reply;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Answers the current request with what is in the reply buffer. */
  send(payloadLength: number): void {
    if (!this.#mayReply()) {
      this.#hold(this.defer(payloadLength), 0);
      return;
    }
    const { uniqueLow, uniqueHigh } = this.#request;
    this.#write(this.#reply.seal(uniqueLow, uniqueHigh, 0, payloadLength));
  }

  /** Answers the current request with an error, given as -errno. */
  fail(error: number): void {
    this.#lookForDiskError(error, this.#request.opcode);
    if (!this.#mayReply()) {
      this.#hold(this.defer(0), error);
      return;
    }
    const { uniqueLow, uniqueHigh } = this.#request;
    this.#write(this.#small.seal(uniqueLow, uniqueHigh, error, 0));
  }

  /** Keeps what is in the reply buffer as the current request's reply, for `complete`. */
  defer(payloadLength: number): Deferred {
    const payload = this.#reply.bytes.slice(OUT_HEADER_BYTES, OUT_HEADER_BYTES + payloadLength);
    const deferred = new Deferred(this.#request, payload);
    this.#pending.add(deferred);
    return deferred;
  }

  /** Takes a deferral back, to answer in the ordinary way after all; false: it was answered. */
  drop(deferred: Deferred): boolean {
    return this.#pending.delete(deferred);
  }

  /** Gives a deferred reply, or `error` (-errno) in its place. A second call does nothing. */
  complete(deferred: Deferred, error: number): void {
    if (!this.#pending.has(deferred)) return;
    this.#lookForDiskError(error, deferred.opcode);
    if (!this.#mayReply()) {
      this.#hold(deferred, error);
      return;
    }
    this.#pending.delete(deferred);
    this.#writeDeferred(deferred, error);
  }

  /** Gives a deferred reply with these bytes, which are copied if it must wait on. */
  completeWith(deferred: Deferred, data: Uint8Array): void {
    if (!this.#pending.has(deferred)) return;
    deferred.payload = this.#mayReply() ? data : data.slice();
    this.complete(deferred, 0);
  }

  failAll(error: number): void {
    for (const deferred of this.#pending) this.#writeDeferred(deferred, error);
    this.#pending.clear();
  }

  /** The application is told all the same: that a disk fails is no secret to keep from it. */
  #lookForDiskError(error: number, opcode: number): void {
    // On a secondary EROFS is our own word; on a primary the disk became read-only.
    const isReadOnly = error === -ERRNO.EROFS && this.role === "primary";
    if (this.isFaulted || (!isReadOnly && !isDiskError(error))) return;
    this.isFaulted = true;
    this.#onDiskError(-error, opcodeName(opcode));
  }

  /** A secondary promises nothing, so nothing of what it answers depends on a lease. */
  #mayReply(): boolean {
    return this.role === "secondary" || this.#gate.mayReply();
  }

  #hold(deferred: Deferred, error: number): void {
    this.#gate.hold(() => this.complete(deferred, error));
  }

  #writeDeferred(deferred: Deferred, error: number): void {
    const { uniqueLow, uniqueHigh, payload } = deferred;
    if (error < 0) {
      this.#write(this.#small.seal(uniqueLow, uniqueHigh, error, 0));
    } else if (payload.length <= SMALL_BYTES_MAX) {
      this.#small.payload(0, payload.length).set(payload);
      this.#write(this.#small.seal(uniqueLow, uniqueHigh, 0, payload.length));
    } else {
      this.#large ??= new Reply(DATA_BYTES_MAX);
      this.#large.payload(0, payload.length).set(payload);
      this.#write(this.#large.seal(uniqueLow, uniqueHigh, 0, payload.length));
    }
  }

  /** ENOENT: the request was interrupted or the mount aborted, so nobody waits any more. */
  #write(bytes: Uint8Array): void {
    while (write(this.#device, bytes, bytes.length) === -ERRNO.EINTR);
  }
}
