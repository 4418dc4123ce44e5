import { Buffer } from "node:buffer";
import { ERRNO } from "../../node-agent/adapters/linux/errno.ts";
import type { Machine } from "./machine.ts";
import type { SimNet } from "./sim-net.ts";

/**
 * Stream sockets between two machines as TCP makes them: in order, sent again after a loss, given
 * up after the user timeout, reset by a machine that no longer knows the connection. They outlive
 * nothing: a process that dies closes them, a machine that dies forgets them without a word.
 */

export const POLLIN = 1;
export const POLLOUT = 4;
export const POLLERR = 8;
const [ECONNRESET, ETIMEDOUT, ECONNREFUSED] = [104, 110, 111];
const RETRANSMIT_MS = 200;
const CONNECT_RETRY_MS = 1000;
const UNSENT_BYTES_MAX = 4 * 1024 * 1024;
const KEEPALIVE_MS = 6700;
const KEEPALIVE_LOST_MS = 11_000;

/** Anything with a descriptor: it says what it is ready for. */
export interface Readable {
  readiness(): number;
}

export type Stream = Readable & {
  readonly kind: "stream";
  readonly machine: Machine;
  readonly bootNumber: number;
  readonly onChange: () => void;
  peer: Stream | null;
  isConnected: boolean;
  isClosed: boolean;
  error: number;
  hasEnd: boolean;
  readonly inbox: Buffer[];
  outbox: Buffer[];
  outboxBytes: number;
  isPumping: boolean;
  failingSinceMs: number | null;
  userTimeoutMs: number;
};

export type Listener = Readable & {
  readonly kind: "listener";
  readonly machine: Machine;
  readonly bootNumber: number;
  readonly port: number;
  readonly onChange: () => void;
  readonly backlog: Stream[];
  isClosed: boolean;
};

/** The kernels' side: who listens where. */
export class SimSockets {
  readonly net: SimNet;
  readonly #listeners: Listener[] = [];
  #nextPort = 7410;
  /** A firewall drops the streams, and lets heartbeats pass. */
  isBlocked = false;

  constructor(net: SimNet) {
    this.net = net;
  }

  /** A packet of a connection. */
  #carry(from: string, to: string, deliver: () => void, onLost: () => void): void {
    const arrive = (isRepeat: boolean): void => {
      if (isRepeat) return;
      if (this.isBlocked) onLost();
      else deliver();
    };
    const isSent = !this.isBlocked && this.net.carry(from, to, arrive, false, onLost);
    if (!isSent) onLost();
  }

  listen(machine: Machine, onChange: () => void): Listener {
    this.#nextPort += 1;
    const listener: Listener = {
      ...{ kind: "listener", machine, bootNumber: machine.bootNumber, port: this.#nextPort },
      ...{ onChange, backlog: [], isClosed: false },
      readiness: () => (listener.backlog.length > 0 ? POLLIN : 0),
    };
    this.#listeners.push(listener);
    return listener;
  }

  find(host: string, port: number): Listener | null {
    const found = this.#listeners.find((l) => l.machine.id === host && l.port === port);
    if (found === undefined || found.isClosed || !found.machine.isOn) return null;
    return found.bootNumber === found.machine.bootNumber ? found : null;
  }

  drop(listener: Listener): void {
    listener.isClosed = true;
    for (const stream of listener.backlog.splice(0)) this.close(stream);
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  connect(machine: Machine, host: string, port: number, onChange: () => void): Stream {
    const stream = newStream(machine, onChange);
    this.#attempt(stream, host, port);
    return stream;
  }

  send(stream: Stream, data: Uint8Array): number {
    if (stream.error !== 0) return -stream.error;
    if (!stream.isConnected || stream.hasEnd) return -ERRNO.EPIPE;
    if (stream.outboxBytes > UNSENT_BYTES_MAX) return -ERRNO.EAGAIN;
    stream.outbox.push(Buffer.from(data));
    stream.outboxBytes += data.length;
    this.#pump(stream);
    return data.length;
  }

  close(stream: Stream): void {
    if (stream.isClosed) return;
    stream.isClosed = true;
    this.#pump(stream);
  }

  isReachable(from: Machine, to: Machine): boolean {
    const { net } = this;
    const isWired =
      !this.isBlocked && !net.wire(from.id, to.id).isCut && !net.wire(to.id, from.id).isCut;
    return isWired && to.isOn && to.freeze !== "paused";
  }

  #attempt(stream: Stream, host: string, port: number): void {
    const { machine } = stream;
    const again = (): void => {
      machine.clock.after("work", CONNECT_RETRY_MS, () => {
        if (!stream.isClosed && !stream.isConnected) this.#attempt(stream, host, port);
      });
    };
    const arrive = (): void => {
      if (stream.isClosed || stream.isConnected) return;
      const listener = this.find(host, port);
      if (listener?.machine.freeze === "paused") {
        again();
        return;
      }
      this.#carry(
        host,
        machine.id,
        () => {
          if (stream.isClosed || stream.isConnected) return;
          if (listener === null || listener.isClosed) this.#fail(stream, ECONNREFUSED);
          else this.#establish(stream, listener);
        },
        again,
      );
    };
    this.#carry(machine.id, host, arrive, again);
  }

  #establish(stream: Stream, listener: Listener): void {
    const other = newStream(listener.machine, listener.onChange);
    other.isConnected = true;
    other.peer = stream;
    stream.peer = other;
    stream.isConnected = true;
    listener.backlog.push(other);
    listener.onChange();
    stream.onChange();
    this.#keepAlive(stream, null);
    this.#keepAlive(other, null);
  }

  /** A connection over which nothing comes is probed, as tcp(7) has it. */
  #keepAlive(stream: Stream, sinceMs: number | null): void {
    const { clock } = stream.machine;
    const isWell = sinceMs === null;
    clock.after(isWell ? "routine" : "work", isWell ? KEEPALIVE_MS : RETRANSMIT_MS * 10, () => {
      const { peer } = stream;
      if (stream.isClosed || stream.error !== 0 || peer === null || !this.#isKnown(stream)) return;
      if (this.isReachable(stream.machine, peer.machine)) {
        if (!this.#isKnown(peer)) this.#fail(stream, ECONNRESET);
        else this.#keepAlive(stream, null);
        return;
      }
      const lostSinceMs = sinceMs ?? clock.nowMs - KEEPALIVE_MS;
      if (clock.nowMs - lostSinceMs > KEEPALIVE_LOST_MS) this.#fail(stream, ETIMEDOUT);
      else this.#keepAlive(stream, lostSinceMs);
    });
  }

  /** Does its machine's kernel still know it? */
  #isKnown(stream: Stream): boolean {
    return stream.machine.isOn && stream.machine.bootNumber === stream.bootNumber;
  }

  #pump(stream: Stream): void {
    const { peer } = stream;
    const hasWork = stream.outbox.length > 0 || (stream.isClosed && !stream.hasEnd);
    if (stream.isPumping || !hasWork || peer === null || stream.error !== 0) return;
    stream.isPumping = true;
    const { machine } = stream;
    const arrive = (): void => {
      stream.isPumping = false;
      if (!this.#isKnown(stream)) return;
      if (!peer.machine.isOn || peer.machine.freeze === "paused") this.#retry(stream);
      else this.#arrive(stream, peer);
    };
    this.#carry(machine.id, peer.machine.id, arrive, () => this.#retry(stream));
  }

  #arrive(stream: Stream, peer: Stream): void {
    stream.failingSinceMs = null;
    if (!this.#isKnown(peer) || (peer.isClosed && stream.outbox.length > 0)) {
      this.#fail(stream, ECONNRESET);
      return;
    }
    const chunks = stream.outbox;
    stream.outbox = [];
    stream.outboxBytes = 0;
    if (!peer.isClosed) peer.inbox.push(...chunks);
    if (stream.isClosed) {
      stream.hasEnd = true;
      peer.hasEnd = true;
    }
    if (!peer.isClosed) peer.onChange();
    stream.onChange();
  }

  #retry(stream: Stream): void {
    const { clock } = stream.machine;
    stream.failingSinceMs ??= clock.nowMs;
    stream.isPumping = true;
    clock.after("work", RETRANSMIT_MS, () => {
      stream.isPumping = false;
      if (!this.#isKnown(stream)) return;
      const failedMs = clock.nowMs - (stream.failingSinceMs ?? clock.nowMs);
      if (failedMs > stream.userTimeoutMs) this.#fail(stream, ETIMEDOUT);
      else this.#pump(stream);
    });
  }

  #fail(stream: Stream, error: number): void {
    if (stream.error !== 0) return;
    stream.error = error;
    stream.outbox = [];
    if (!stream.isClosed) stream.onChange();
  }
}

function newStream(machine: Machine, onChange: () => void): Stream {
  const stream: Stream = {
    ...{ kind: "stream", machine, bootNumber: machine.bootNumber, onChange, peer: null },
    ...{ isConnected: false, isClosed: false, error: 0, hasEnd: false, inbox: [], outbox: [] },
    ...{ outboxBytes: 0, isPumping: false, failingSinceMs: null, userTimeoutMs: 15_000 },
    readiness: () => {
      if (stream.error !== 0) return POLLIN | POLLOUT | POLLERR;
      const canRead = stream.inbox.length > 0 || stream.hasEnd ? POLLIN : 0;
      return canRead | (stream.isConnected ? POLLOUT : 0);
    },
  };
  return stream;
}
