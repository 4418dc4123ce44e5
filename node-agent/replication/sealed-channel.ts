/** A `RecordChannel` of a resync thread over a sealed connection; here every call may block. */

import { linuxNetwork } from "../adapters/linux/network.ts";
import { POLLIN, POLLOUT, PollSet } from "../adapters/linux/poll.ts";
import { ChannelClosed, type RecordChannel } from "../resync/resync.ts";
import { Connector, type ConnectorOptions } from "./connector.ts";
import type { Established } from "./pollable.ts";
import { SealedConnection } from "./sealed-connection.ts";

/** A peer that takes nothing for so long is gone. */
const SEND_MS_MAX = 30_000;
const CONNECT_MS_MAX = 10_000;
/** How often a blocked call looks whether the run has been cancelled. */
const LOOK_MS = 100;

export class SealedChannel implements RecordChannel {
  readonly #connection: SealedConnection;
  readonly #poll = new PollSet(1);
  readonly #isCancelled: () => boolean;
  readonly #records: Buffer[] = [];
  #isClosed = false;

  constructor(established: Established, isCancelled: () => boolean) {
    const { fd, sendKey, receiveKey } = established;
    this.#connection = new SealedConnection(linuxNetwork, fd, sendKey, receiveKey);
    this.#isCancelled = isCancelled;
  }

  send(record: Uint8Array): void {
    let result = this.#open().send(record);
    for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
      if (!result.ok) this.#fail(result.error.reason);
      if (!this.#connection.wantsWrite) return;
      if (waitedMs > SEND_MS_MAX) this.#fail("the peer takes nothing");
      this.#wait(POLLOUT, LOOK_MS);
      result = this.#connection.flush();
    }
  }

  receive(timeoutMs: number): Uint8Array | null {
    let leftMs = timeoutMs;
    while (this.#records.length === 0) {
      const connection = this.#open();
      const waitMs = Math.min(leftMs, LOOK_MS);
      if (this.#wait(POLLIN, waitMs)) {
        const read = connection.read((record) => {
          this.#records.push(record);
          return true;
        });
        if (!read.ok && this.#records.length === 0) this.#fail(read.error.reason);
      } else if (leftMs <= waitMs) {
        return null;
      } else {
        leftMs -= waitMs;
      }
    }
    return this.#records.shift() ?? null;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
  }

  #open(): SealedConnection {
    if (this.#isClosed) throw new ChannelClosed("closed");
    if (this.#isCancelled()) this.#fail("cancelled");
    return this.#connection;
  }

  #wait(events: number, timeoutMs: number): boolean {
    this.#poll.set(0, this.#connection.fd, events);
    return this.#poll.wait(timeoutMs) > 0;
  }

  #fail(reason: string): never {
    this.close();
    throw new ChannelClosed(reason);
  }
}

/** Connects within a bound; or says why it could not. */
export function connectBlocking(
  options: Omit<ConnectorOptions, "onConnected" | "network">,
  nowMs: () => number,
): Established | string {
  const poll = new PollSet(1);
  let established: Established | null = null;
  const connector = new Connector({
    ...options,
    network: linuxNetwork,
    onConnected: (found) => {
      established = found;
    },
  });
  const deadlineMs = nowMs() + CONNECT_MS_MAX;
  while (nowMs() < deadlineMs) {
    connector.tick(nowMs());
    poll.set(0, connector.fd, connector.events);
    if (poll.wait(LOOK_MS / 4) > 0) connector.onReady();
    if (established !== null) return established;
  }
  connector.close();
  return connector.lastFailure;
}
