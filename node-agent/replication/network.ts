/**
 * Stream sockets as a data thread uses them: by descriptor, never blocking, results and errors as
 * the system calls have them (-errno). A port, because the same loop runs in simulation, where the
 * network between two nodes is part of the simulated world.
 */
export interface Network {
  /** A socket that is connecting; `connectError` tells how it went once it can be written to. */
  connectTo(host: string, port: number): number;
  connectError(fd: number): number;
  acceptFrom(listener: number): number;
  /** Bytes taken, perhaps fewer than all; or -EAGAIN. */
  send(fd: number, data: Uint8Array): number;
  /** Bytes received, 0 when the peer has closed, or -EAGAIN. */
  receive(fd: number, into: Uint8Array, length: number): number;
  /** Small answers leave at once, and a peer that vanished is given up after `userTimeoutMs`. */
  tune(fd: number, userTimeoutMs: number): void;
  close(fd: number): void;
  /** Unpredictable bytes, for handshakes and names that must never come twice. */
  randomBytes(count: number): Buffer;
}

/** What a loop waits in: slots of descriptors with the events that each waits for. */
export interface Poller {
  set(slot: number, fd: number, events: number): void;
  /** How many are ready; waits up to `timeoutMs`. */
  wait(timeoutMs: number): number;
  ready(slot: number): number;
}
