/**
 * The one live connection of a side, which comes and goes: reads frames from it, and says when it
 * is over. Neither side acts on a connection that was replaced while it was being read.
 */

import { ok, type Result } from "#model/shared/result.ts";
import { POLLIN, POLLOUT } from "../adapters/linux/poll.ts";
import { type DecodedFrame, decodeFrames } from "./frame.ts";
import type { Network } from "./network.ts";
import type { Established, Pollable } from "./pollable.ts";
import { type ConnectionLost, SealedConnection } from "./sealed-connection.ts";
import type { RecordSink } from "./sender.ts";

export type LiveConnectionOptions = {
  readonly network: Network;
  /** Null, or why the connection must be closed. Nothing that follows is taken then. */
  readonly take: (decoded: DecodedFrame) => string | null;
  /** Everything that one read brought has been taken. */
  readonly onBatch?: () => void;
  /** It broke, or what came over it cannot be trusted; to be closed by whoever is told. */
  readonly onLost: (reason: string) => void;
};

export class LiveConnection implements Pollable, RecordSink {
  readonly #options: LiveConnectionOptions;
  #connection: SealedConnection | null = null;
  readonly #past = { sent: 0, received: 0 };

  constructor(options: LiveConnectionOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#connection !== null;
  }
  get fd(): number {
    return this.#connection?.fd ?? -1;
  }
  get events(): number {
    return this.#connection?.wantsWrite === true ? POLLIN | POLLOUT : POLLIN;
  }
  /** On the wire of all live connections so far. */
  get bytesSent(): number {
    return this.#past.sent + (this.#connection?.bytesSent ?? 0);
  }
  get bytesReceived(): number {
    return this.#past.received + (this.#connection?.bytesReceived ?? 0);
  }

  /** In place of the one before. */
  open({ fd, sendKey, receiveKey }: Established): void {
    this.close();
    this.#connection = new SealedConnection(this.#options.network, fd, sendKey, receiveKey);
  }

  close(): void {
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) return;
    this.#past.sent += connection.bytesSent;
    this.#past.received += connection.bytesReceived;
    connection.close();
  }

  /** Without a connection there is nobody to tell, which is no error. */
  send(plaintext: Uint8Array): Result<void, ConnectionLost> {
    return this.#connection?.send(plaintext) ?? ok(undefined);
  }

  onReady(ready: number): void {
    const connection = this.#connection;
    if (connection === null) return;
    const { take, onBatch, onLost } = this.#options;
    let broken: string | null = null;
    if ((ready & POLLOUT) !== 0) {
      const flushed = connection.flush();
      if (!flushed.ok) broken = flushed.error.reason;
    }
    const goesOn = (): boolean => broken === null && this.#connection === connection;
    if ((ready & ~POLLOUT) !== 0 && goesOn()) {
      const read = connection.read((record) => {
        const decoded = decodeFrames(record, (frame) => {
          broken = take(frame);
          return goesOn();
        });
        if (!decoded.ok) broken ??= decoded.error.reason;
        return goesOn();
      });
      // What was taken is acknowledged even if what came after it is not understood.
      if (this.#connection === connection) onBatch?.();
      if (!read.ok) broken ??= read.error.reason;
    }
    if (broken !== null && this.#connection === connection) onLost(broken);
  }
}
