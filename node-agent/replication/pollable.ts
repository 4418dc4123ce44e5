/** Something that a loop polls: a descriptor, what it waits for, and what to do then. */
export interface Pollable {
  readonly fd: number;
  /** Bits of POLLIN and POLLOUT; 0 for not now. */
  readonly events: number;
  /** Its end is looked for also while it waits for nothing. */
  readonly isAlwaysWatched?: boolean;
  onReady(ready: number): void;
}

/** What a finished handshake leaves: an open socket and the keys of its two directions. */
export type Established = {
  readonly fd: number;
  readonly sendKey: Buffer;
  readonly receiveKey: Buffer;
};
