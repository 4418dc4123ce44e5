/** A `RecordChannel` between two threads of one process: the twin of the sealed socket. */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { ChannelClosed, RECORD_BYTES_MAX, type RecordChannel } from "../resync.ts";

/** Records sent to a side so far, per side, then the flag "closed". */
export const newSignals = (): Int32Array<SharedArrayBuffer> =>
  new Int32Array(new SharedArrayBuffer(12));
const CLOSED = 2;

/** One end; `side` 0 or 1. Waits on shared memory, because no event loop runs meanwhile. */
export class PortChannel implements RecordChannel {
  readonly #port: MessagePort;
  readonly #signals: Int32Array<SharedArrayBuffer>;
  readonly #side: 0 | 1;

  constructor(port: MessagePort, signals: Int32Array<SharedArrayBuffer>, side: 0 | 1) {
    this.#port = port;
    this.#signals = signals;
    this.#side = side;
  }

  send(record: Uint8Array): void {
    if (Atomics.load(this.#signals, CLOSED) !== 0) throw new ChannelClosed();
    if (record.length > RECORD_BYTES_MAX) throw new Error("a record too long for its channel");
    const other = 1 - this.#side;
    this.#port.postMessage(Uint8Array.from(record));
    Atomics.add(this.#signals, other, 1);
    Atomics.notify(this.#signals, other);
  }

  receive(timeoutMs: number): Uint8Array | null {
    const untilMs = performance.now() + timeoutMs;
    let received = receiveMessageOnPort(this.#port);
    while (received === undefined) {
      // Looked at before the port, so that a record that comes in between wakes us at once.
      const sent = Atomics.load(this.#signals, this.#side);
      const isClosed = Atomics.load(this.#signals, CLOSED) !== 0;
      received = receiveMessageOnPort(this.#port);
      if (received !== undefined) break;
      if (isClosed) throw new ChannelClosed();
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) return null;
      Atomics.wait(this.#signals, this.#side, sent, Math.min(leftMs, 20));
    }
    const record: unknown = received.message;
    if (!(record instanceof Uint8Array)) throw new Error("not a record");
    return record;
  }

  close(): void {
    Atomics.store(this.#signals, CLOSED, 1);
    Atomics.notify(this.#signals, 0);
    Atomics.notify(this.#signals, 1);
  }
}
