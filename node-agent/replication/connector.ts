/**
 * The connecting side: tries the peer's addresses one after the other, with a bounded wait for
 * each and a pause between rounds, until a connection stands and both ends have its keys.
 */

import type { BootMs, ModuleId, NodeId } from "#model/shared/ids.ts";
import { ERRNO, errnoName } from "../adapters/linux/errno.ts";
import { POLLIN, POLLOUT } from "../adapters/linux/poll.ts";
import type { PeerAddress, SessionKey } from "./engine.ts";
import {
  connectionKeys,
  decodeServerHello,
  encodeClientHello,
  type Purpose,
  SERVER_HELLO_BYTES,
} from "./hello.ts";
import type { Network } from "./network.ts";
import type { Established, Pollable } from "./pollable.ts";

/** One address gets this long for its connection and its hello. */
const ATTEMPT_MS_MAX = 1000;
/** After a failed attempt, so that a refusing peer is not hammered. */
const PAUSE_MS = 50;

export type ConnectorOptions = {
  readonly purpose: Purpose;
  readonly moduleId: ModuleId;
  readonly nodeId: NodeId;
  readonly userTimeoutMs: number;
  readonly network: Network;
  /** No attempt is made before. @default at once */
  readonly notBeforeMs?: BootMs;
  /** Looked at before each attempt: both may change meanwhile. */
  readonly session: () => SessionKey | null;
  readonly addresses: () => readonly PeerAddress[];
  readonly onConnected: (established: Established, address: PeerAddress) => void;
};

type Attempt = {
  readonly fd: number;
  readonly session: SessionKey;
  readonly address: PeerAddress;
  readonly hello: Buffer;
  readonly answer: Buffer;
  answered: number;
  isGreeted: boolean;
  readonly deadlineMs: BootMs;
};

export class Connector implements Pollable {
  readonly #options: ConnectorOptions;
  #attempt: Attempt | null = null;
  #next = 0;
  #notBeforeMs: BootMs;
  #nowMs: BootMs = 0;
  #isDone = false;
  /** Why the last attempt failed; for people. */
  lastFailure = "no address of the peer is known";

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#notBeforeMs = options.notBeforeMs ?? 0;
  }

  get fd(): number {
    return this.#attempt?.fd ?? -1;
  }
  get events(): number {
    if (this.#attempt === null) return 0;
    return this.#attempt.isGreeted ? POLLIN : POLLOUT;
  }

  tick(nowMs: BootMs): void {
    this.#nowMs = nowMs;
    if (this.#isDone) return;
    if (this.#attempt !== null && nowMs > this.#attempt.deadlineMs) this.#fail("timed out");
    if (this.#attempt === null && nowMs >= this.#notBeforeMs) this.#start();
  }

  onReady(): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    if (!attempt.isGreeted) {
      this.#greet(attempt);
      return;
    }
    const rest = attempt.answer.subarray(attempt.answered);
    const got = this.#options.network.receive(attempt.fd, rest, rest.length);
    if (got === -ERRNO.EAGAIN || got === -ERRNO.EINTR) return;
    if (got <= 0) {
      this.#fail(got === 0 ? "closed by the peer" : errnoName(got));
      return;
    }
    attempt.answered += got;
    if (attempt.answered === attempt.answer.length) this.#finish(attempt);
  }

  close(): void {
    this.#isDone = true;
    if (this.#attempt !== null) this.#options.network.close(this.#attempt.fd);
    this.#attempt = null;
  }

  #start(): void {
    const { addresses, session, purpose, userTimeoutMs, network } = this.#options;
    const known = addresses();
    const address = known[this.#next % Math.max(known.length, 1)];
    const key = session();
    this.#next += 1;
    if (address === undefined) {
      this.#fail("no address of the peer is known");
      return;
    }
    if (key === null) {
      this.#fail("there is no session with the peer");
      return;
    }
    const fd = network.connectTo(address.host, address.port);
    if (fd < 0) {
      this.#fail(errnoName(fd));
      return;
    }
    network.tune(fd, userTimeoutMs);
    this.#attempt = {
      fd,
      session: key,
      address,
      hello: encodeClientHello(purpose, key.sessionId, network.randomBytes(32)),
      answer: Buffer.alloc(SERVER_HELLO_BYTES),
      answered: 0,
      isGreeted: false,
      deadlineMs: this.#nowMs + ATTEMPT_MS_MAX,
    };
  }

  #greet(attempt: Attempt): void {
    const { network } = this.#options;
    const error = network.connectError(attempt.fd);
    if (error < 0) {
      this.#fail(errnoName(error));
      return;
    }
    if (network.send(attempt.fd, attempt.hello) !== attempt.hello.length) {
      this.#fail("cannot send");
      return;
    }
    attempt.isGreeted = true;
  }

  #finish(attempt: Attempt): void {
    const decoded = decodeServerHello(attempt.answer);
    if (!decoded.ok) {
      this.#fail(decoded.error.kind);
      return;
    }
    const { moduleId, nodeId, network, onConnected } = this.#options;
    const context = {
      sessionKey: attempt.session.replicationKey,
      moduleId,
      clientId: nodeId,
      serverId: attempt.session.peerId,
    };
    const keys = connectionKeys(context, attempt.hello, attempt.answer);
    if (network.send(attempt.fd, keys.clientProof) !== keys.clientProof.length) {
      this.#fail("cannot send");
      return;
    }
    this.#attempt = null;
    this.#isDone = true;
    const established = { fd: attempt.fd, sendKey: keys.toServer, receiveKey: keys.toClient };
    onConnected(established, attempt.address);
  }

  #fail(reason: string): void {
    this.lastFailure = reason;
    if (this.#attempt !== null) this.#options.network.close(this.#attempt.fd);
    this.#attempt = null;
    this.#notBeforeMs = this.#nowMs + PAUSE_MS;
  }
}
