import { Buffer } from "node:buffer";
import type { LinkMessage, PeerLink, SessionUpListener } from "../../node-agent/peer/link.ts";
import type { SessionKeys } from "../../node-agent/peer/session-keys.ts";
import type { Life, Machine } from "./machine.ts";
import type { Prng } from "./prng.ts";
import type { SimNet } from "./sim-net.ts";

const RETRANSMIT_MS = 200;

/** One agent's end of the mutual-TLS link. */
export class SimLink implements PeerLink {
  readonly machine: Machine;
  readonly life: Life;
  readonly #net: SimNet;
  readonly #onUp: SessionUpListener[] = [];
  readonly #onMessage: ((message: LinkMessage) => void)[] = [];
  other: SimLink | null = null;
  isClosed = false;

  constructor(machine: Machine, life: Life, net: SimNet) {
    this.machine = machine;
    this.life = life;
    this.#net = net;
  }

  get isUp(): boolean {
    return this.other !== null;
  }

  get isThere(): boolean {
    return this.life.isAlive && !this.isClosed && !this.machine.isStill("main");
  }

  send(topic: string, body: unknown): boolean {
    const { other } = this;
    if (other === null) return false;
    this.#carry(other, JSON.stringify({ topic, body }));
    return true;
  }

  /** Over TCP: sent again until it has arrived, or the session is over. */
  #carry(other: SimLink, text: string): void {
    const { machine } = this;
    const again = (): void => {
      machine.clock.after("work", RETRANSMIT_MS, () => {
        if (this.other === other) this.#carry(other, text);
      });
    };
    const arrive = (isRepeat: boolean): void => {
      if (isRepeat || this.other !== other) return;
      other.machine.run(other.life, "main", () => {
        for (const listener of other.#onMessage) listener(JSON.parse(text));
      });
    };
    if (!this.#net.carry(machine.id, other.machine.id, arrive, false, again)) again();
  }

  onMessage(listener: (message: LinkMessage) => void): void {
    this.#onMessage.push(listener);
  }

  onSessionUp(listener: SessionUpListener): void {
    this.#onUp.push(listener);
  }

  onSessionDown(): void {}
  onDuplicatePeer(): void {}
  replaceIdentity(): void {}

  async close(): Promise<void> {
    this.isClosed = true;
  }

  up(keys: SessionKeys, other: SimLink): void {
    this.other = other;
    const hello = { nodeId: other.machine.id, instanceId: "", bootId: "", agentVersion: "1" };
    this.machine.after(this.life, "main", "work", 0, () => {
      for (const listener of this.#onUp) listener(keys, hello, "");
    });
  }
}

const LOOK_MS = 600;
const LOST_MS = 5000;

/** Brings two agents together whenever they can reach each other, with fresh keys each time. */
export class LinkBroker {
  readonly #net: SimNet;
  readonly #prng: Prng;
  readonly #current: () => readonly [SimLink | null, SimLink | null];
  #session: readonly [SimLink, SimLink] | null = null;
  #lostMs = 0;

  constructor(net: SimNet, prng: Prng, current: () => readonly [SimLink | null, SimLink | null]) {
    this.#net = net;
    this.#prng = prng;
    this.#current = current;
  }

  /** Called every half second of the world. */
  look(): number {
    const [a, b] = this.#current();
    const canMeet = a !== null && b !== null && a.isThere && b.isThere && this.#isReachable(a, b);
    const session = this.#session;
    if (session !== null) {
      const isSame = session[0] === a && session[1] === b;
      this.#lostMs = canMeet ? 0 : this.#lostMs + LOOK_MS;
      const isOver = !isSame || !session[0].life.isAlive || !session[1].life.isAlive;
      if (!isOver && this.#lostMs < LOST_MS) return LOOK_MS;
      for (const end of session) end.other = null;
      this.#session = null;
    }
    if (canMeet) this.#meet(a, b);
    return LOOK_MS;
  }

  #isReachable(a: SimLink, b: SimLink): boolean {
    const [one, two] = [a.machine.id, b.machine.id];
    return !this.#net.wire(one, two).isCut && !this.#net.wire(two, one).isCut;
  }

  #meet(a: SimLink, b: SimLink): void {
    this.#session = [a, b];
    this.#lostMs = 0;
    const bytes = (count: number) =>
      Uint8Array.from({ length: count }, () => this.#prng.int(0, 255));
    // Whoever shows a key to people shows this word (checkers/s12-secrets.ts).
    const secret = () => Uint8Array.from(Buffer.concat([Buffer.from("CANARY-key-"), bytes(21)]));
    const shared = { sessionId: bytes(16), heartbeatKey: secret(), replicationKey: secret() };
    a.up({ ...shared, peerId: b.machine.id }, b);
    b.up({ ...shared, peerId: a.machine.id }, a);
  }
}
