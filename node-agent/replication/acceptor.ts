/**
 * The listening side of the replication port: accepts connections, reads the hello of each within
 * a bound of time and number, and hands over those whose session is known. Whoever connects
 * without a session key gets no further than this file.
 */

import { timingSafeEqual } from "node:crypto";
import type { BootMs, ModuleId, NodeId } from "#model/shared/ids.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import { POLLIN } from "../adapters/linux/poll.ts";
import {
  CLIENT_HELLO_BYTES,
  CLIENT_PROOF_BYTES,
  type ConnectionKeys,
  commonVersion,
  connectionKeys,
  decodeClientHello,
  encodeRefusal,
  encodeServerHello,
  FEATURES,
  type Purpose,
} from "./hello.ts";
import type { Network } from "./network.ts";
import type { Established, Pollable } from "./pollable.ts";
import type { Sessions } from "./sessions.ts";

/** Connections without a whole hello; one more pushes the oldest out. */
const HALF_OPEN_MAX = 8;
const HELLO_MS_MAX = 3000;
const ACCEPTS_PER_TURN_MAX = 16;

export type AcceptorOptions = {
  readonly listener: number;
  readonly moduleId: ModuleId;
  readonly nodeId: NodeId;
  readonly sessions: Sessions;
  readonly userTimeoutMs: number;
  readonly network: Network;
  readonly onAccepted: (purpose: Purpose, established: Established) => void;
};

export class Acceptor implements Pollable {
  readonly fd: number;
  readonly events = POLLIN;
  readonly #options: AcceptorOptions;
  readonly #halfOpen = new Set<HalfOpen>();
  #nowMs: BootMs = 0;

  constructor(options: AcceptorOptions) {
    this.fd = options.listener;
    this.#options = options;
  }

  /** The listener and every connection whose hello is awaited. */
  *pollables(): Generator<Pollable> {
    yield this;
    yield* this.#halfOpen;
  }

  onReady(): void {
    for (let count = 0; count < ACCEPTS_PER_TURN_MAX; count += 1) {
      const { network, userTimeoutMs } = this.#options;
      const fd = network.acceptFrom(this.fd);
      if (fd < 0) return;
      network.tune(fd, userTimeoutMs);
      const deadlineMs = this.#nowMs + HELLO_MS_MAX;
      const onPart: OnPart = (one, part) => this.#onPart(one, part);
      this.#halfOpen.add(new HalfOpen(network, fd, deadlineMs, onPart));
      if (this.#halfOpen.size > HALF_OPEN_MAX) {
        for (const oldest of this.#halfOpen) {
          this.#drop(oldest);
          break;
        }
      }
    }
  }

  tick(nowMs: BootMs): void {
    this.#nowMs = nowMs;
    for (const one of this.#halfOpen) {
      if (nowMs > one.deadlineMs) this.#drop(one);
    }
  }

  close(): void {
    for (const one of this.#halfOpen) this.#drop(one);
    this.#options.network.close(this.fd);
  }

  #drop(one: HalfOpen): void {
    this.#halfOpen.delete(one);
    one.close();
  }

  /** A part of the handshake is whole, or (null) the connection ended. */
  #onPart(one: HalfOpen, bytes: Buffer | null): void {
    if (bytes === null) this.#drop(one);
    else if (one.promised === null) this.#onHello(one, bytes);
    else this.#onProof(one, one.promised, bytes);
  }

  #onHello(one: HalfOpen, bytes: Buffer): void {
    const decoded = decodeClientHello(bytes);
    if (!decoded.ok) {
      this.#drop(one);
      return;
    }
    const { moduleId, nodeId, sessions, network } = this.#options;
    const hello = decoded.value;
    const session = sessions.find(hello.sessionId);
    const version = commonVersion(hello);
    if (session === null || version === null) {
      network.send(one.fd, encodeRefusal(session === null ? "unknownSession" : "noCommonVersion"));
      this.#drop(one);
      return;
    }
    const answer = encodeServerHello(version, hello.features & FEATURES, network.randomBytes(32));
    // A fresh socket has room for 44 bytes; one that has not is broken.
    if (network.send(one.fd, answer) !== answer.length) {
      this.#drop(one);
      return;
    }
    const context = {
      sessionKey: session.replicationKey,
      moduleId,
      clientId: session.peerId,
      serverId: nodeId,
    };
    one.expectProof({
      purpose: hello.purpose,
      keys: connectionKeys(context, bytes, answer),
    });
  }

  #onProof(one: HalfOpen, promised: Promised, proof: Buffer): void {
    const { keys, purpose } = promised;
    if (!timingSafeEqual(proof, keys.clientProof)) {
      this.#drop(one);
      return;
    }
    this.#halfOpen.delete(one);
    const { toClient: sendKey, toServer: receiveKey } = keys;
    this.#options.onAccepted(purpose, { fd: one.fd, sendKey, receiveKey });
  }
}

/** What the connection will be, once its client has shown that it has the keys. */
type Promised = { readonly purpose: Purpose; readonly keys: ConnectionKeys };
type OnPart = (one: HalfOpen, part: Buffer | null) => void;

/** One accepted connection until its handshake is whole. */
class HalfOpen implements Pollable {
  fd: number;
  readonly events = POLLIN;
  readonly deadlineMs: BootMs;
  readonly #network: Network;
  promised: Promised | null = null;
  #part = Buffer.alloc(CLIENT_HELLO_BYTES);
  readonly #onPart: OnPart;
  #length = 0;

  constructor(network: Network, fd: number, deadlineMs: BootMs, onPart: OnPart) {
    this.#network = network;
    this.fd = fd;
    this.deadlineMs = deadlineMs;
    this.#onPart = onPart;
  }

  expectProof(promised: Promised): void {
    this.promised = promised;
    this.#part = Buffer.alloc(CLIENT_PROOF_BYTES);
    this.#length = 0;
  }

  /** Its number may be another connection's in the very same turn: it must not be read again. */
  close(): void {
    this.#network.close(this.fd);
    this.fd = -1;
  }

  onReady(): void {
    if (this.fd < 0) return;
    // No more than this part: what follows the proof is sealed and belongs to the connection.
    const rest = this.#part.subarray(this.#length);
    const got = this.#network.receive(this.fd, rest, rest.length);
    if (got === -ERRNO.EAGAIN || got === -ERRNO.EINTR) return;
    if (got <= 0) {
      this.#onPart(this, null);
      return;
    }
    this.#length += got;
    if (this.#length === this.#part.length) this.#onPart(this, this.#part);
  }
}
