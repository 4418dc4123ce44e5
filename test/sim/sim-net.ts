import { Buffer } from "node:buffer";
import type { Prng } from "./prng.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** What is wrong with one direction between two places. */
export type Wire = {
  isCut: boolean;
  /** Shares of datagrams, 0 to 1. */
  loss: number;
  duplicate: number;
  corrupt: number;
  /** On top of the constant delay of the wire; drawn anew for each, so that order changes. */
  jitterMs: number;
  delayMs: number;
};

const CALM = { isCut: false, loss: 0, duplicate: 0, corrupt: 0, jitterMs: 0, delayMs: 0 } as const;

/**
 * The network between all places of the world. A wire without a fault has one constant delay and
 * draws no chance; so a calm network behaves alike at every moment.
 */
export class SimNet {
  readonly #clock: VirtualClock;
  readonly #prng: Prng;
  readonly #wires = new Map<string, Wire>();
  readonly baseMs: number;
  /** Datagrams handed to the network, per sender: for the checker of storms. */
  readonly sent = new Map<string, number>();

  constructor(clock: VirtualClock, prng: Prng) {
    this.#clock = clock;
    this.#prng = prng;
    this.baseMs = prng.between(0.1, 2);
  }

  wire(from: string, to: string): Wire {
    const key = `${from}>${to}`;
    let wire = this.#wires.get(key);
    if (wire === undefined) {
      wire = { ...CALM };
      this.#wires.set(key, wire);
    }
    return wire;
  }

  /** Changes both directions between two places. */
  between(a: string, b: string, change: Partial<Wire>): void {
    Object.assign(this.wire(a, b), change);
    Object.assign(this.wire(b, a), change);
  }

  heal(): void {
    for (const wire of this.#wires.values()) Object.assign(wire, CALM);
  }

  get isCalm(): boolean {
    for (const w of this.#wires.values()) {
      if (w.isCut || w.loss + w.duplicate + w.corrupt + w.jitterMs + w.delayMs > 0) return false;
    }
    return true;
  }

  delayMs(wire: Wire): number {
    const jitterMs = wire.jitterMs > 0 ? this.#prng.between(0, wire.jitterMs) : 0;
    return this.baseMs + wire.delayMs + jitterMs;
  }

  /** One attempt to bring something over; false: it will not come. May come twice. */
  carry(
    from: string,
    to: string,
    deliver: (isRepeat: boolean) => void,
    isRoutine = false,
    onLost: () => void = () => undefined,
  ): boolean {
    this.sent.set(from, (this.sent.get(from) ?? 0) + 1);
    const wire = this.wire(from, to);
    if (wire.isCut || this.#prng.chance(wire.loss)) return false;
    const kind = isRoutine ? "routine" : "work";
    this.#clock.after(kind, this.delayMs(wire), () => {
      // What is on its way when the wire is cut does not arrive either.
      if (wire.isCut) onLost();
      else deliver(false);
    });
    if (this.#prng.chance(wire.duplicate)) {
      this.#clock.after("work", this.delayMs(wire) * 2 + 1, () => {
        if (!wire.isCut) deliver(true);
      });
    }
    return true;
  }

  /** A datagram's bytes as they arrive: perhaps with one bit wrong. */
  damaged(from: string, to: string, bytes: Buffer): Buffer {
    const wire = this.wire(from, to);
    if (!this.#prng.chance(wire.corrupt)) return bytes;
    const copy = Buffer.from(bytes);
    const at = this.#prng.int(0, copy.length - 1);
    copy[at] = (copy[at] ?? 0) ^ (1 << this.#prng.int(0, 7));
    DAMAGED.add(copy);
    return copy;
  }
}

const DAMAGED = new WeakSet<Buffer>();

/** What a real seal's tag tells: are these the bytes that were sent? */
export const isDamaged = (bytes: Buffer): boolean => DAMAGED.has(bytes);
