import { Buffer } from "node:buffer";
import { ERRNO } from "../../node-agent/adapters/linux/errno.ts";
import type { Network, Poller } from "../../node-agent/replication/network.ts";
import type { Machine } from "./machine.ts";
import type { Prng } from "./prng.ts";
import {
  type Listener,
  POLLERR,
  type Readable,
  type SimSockets,
  type Stream,
} from "./sim-sockets.ts";

/** The descriptors of one data thread: its sockets, and whatever else it polls. */
export class Descriptors implements Network {
  readonly #sockets: SimSockets;
  readonly #machine: Machine;
  readonly #prng: Prng;
  readonly #onChange: () => void;
  readonly #open = new Map<number, Readable | Stream | Listener>();
  #last = 100;

  constructor(sockets: SimSockets, machine: Machine, prng: Prng, onChange: () => void) {
    this.#sockets = sockets;
    this.#machine = machine;
    this.#prng = prng;
    this.#onChange = onChange;
  }

  add(readable: Readable | Stream | Listener): number {
    this.#last += 1;
    this.#open.set(this.#last, readable);
    return this.#last;
  }

  readiness(fd: number): number {
    return this.#open.get(fd)?.readiness() ?? 0;
  }

  listen(): { readonly fd: number; readonly port: number } {
    const listener = this.#sockets.listen(this.#machine, this.#onChange);
    return { fd: this.add(listener), port: listener.port };
  }

  connectTo(host: string, port: number): number {
    return this.add(this.#sockets.connect(this.#machine, host, port, this.#onChange));
  }

  connectError(fd: number): number {
    const stream = this.#stream(fd);
    return stream === null ? -ERRNO.EBADF : -stream.error;
  }

  acceptFrom(fd: number): number {
    const listener = this.#open.get(fd);
    if (listener === undefined || !("backlog" in listener)) return -ERRNO.EBADF;
    const stream = listener.backlog.shift();
    return stream === undefined ? -ERRNO.EAGAIN : this.add(stream);
  }

  send(fd: number, data: Uint8Array): number {
    const stream = this.#stream(fd);
    return stream === null ? -ERRNO.EBADF : this.#sockets.send(stream, data);
  }

  receive(fd: number, into: Uint8Array, length: number): number {
    const stream = this.#stream(fd);
    if (stream === null) return -ERRNO.EBADF;
    const first = stream.inbox[0];
    if (first === undefined) {
      if (stream.error !== 0) return -stream.error;
      return stream.hasEnd ? 0 : -ERRNO.EAGAIN;
    }
    const taken = Math.min(length, first.length);
    into.set(first.subarray(0, taken));
    if (taken === first.length) stream.inbox.shift();
    else stream.inbox[0] = first.subarray(taken);
    return taken;
  }

  tune(fd: number, userTimeoutMs: number): void {
    const stream = this.#stream(fd);
    if (stream !== null) stream.userTimeoutMs = userTimeoutMs;
  }

  close(fd: number): void {
    const one = this.#open.get(fd);
    this.#open.delete(fd);
    if (one === undefined || !("kind" in one)) return;
    if (one.kind === "stream") this.#sockets.close(one);
    else this.#sockets.drop(one);
  }

  /** The process has ended: its kernel closes everything. */
  closeAll(): void {
    for (const fd of [...this.#open.keys()]) this.close(fd);
  }

  randomBytes(count: number): Buffer {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at < count; at += 1) bytes[at] = this.#prng.int(0, 255);
    return bytes;
  }

  #stream(fd: number): Stream | null {
    const one = this.#open.get(fd);
    return one !== undefined && "kind" in one && one.kind === "stream" ? one : null;
  }
}

/** poll(2) over them: it never waits, as the loop's turns are planned by the clock. */
export class SimPoller implements Poller {
  readonly #descriptors: Descriptors;
  readonly #slots: { fd: number; events: number }[];

  constructor(descriptors: Descriptors, slots: number) {
    this.#descriptors = descriptors;
    this.#slots = Array.from({ length: slots }, () => ({ fd: -1, events: 0 }));
  }

  set(slot: number, fd: number, events: number): void {
    const one = this.#slots[slot];
    if (one === undefined) return;
    one.fd = fd;
    one.events = events;
  }

  wait(): number {
    let count = 0;
    for (let slot = 0; slot < this.#slots.length; slot += 1) if (this.ready(slot) !== 0) count += 1;
    return count;
  }

  ready(slot: number): number {
    const one = this.#slots[slot];
    if (one === undefined || one.fd < 0) return 0;
    return this.#descriptors.readiness(one.fd) & (one.events | POLLERR);
  }
}
