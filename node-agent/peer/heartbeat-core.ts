import {
  type Ack,
  type Beat,
  type Datagram,
  PLAIN_BYTES_MAX,
  packModules,
  parseDatagram,
  STATE_BYTES_MAX,
} from "#model/heartbeat/datagram.ts";
import {
  type GrantCounter,
  NOTHING_HELD,
  noteAcknowledged,
  noteSent,
  seek,
} from "#model/heartbeat/grant-counter.ts";
import {
  lossRatio,
  type NetworkHealth,
  noteAnswer,
  noteBeat,
  UNKNOWN_HEALTH,
} from "#model/heartbeat/network-health.ts";
import {
  closePromise,
  EMPTY_BOOK,
  entryOf,
  openPromise,
  type PromiseBook,
  renewPromises,
} from "#model/heartbeat/promise-book.ts";
import { assert, assertNever } from "#model/shared/assert.ts";
import type { BootMs, Epoch, ModuleId } from "#model/shared/ids.ts";
import { err } from "#model/shared/result.ts";
import type { FenceTargets, GuardReport } from "../guard/fence-order.ts";
import { HangWatch } from "./hang-watch.ts";
import type { PromiseAnswer, PromiseTerms } from "./heartbeats.ts";
import { LeaseCell, MainProgress } from "./lease-cell.ts";
import { isSameMemory, type ModuleMemory } from "./module-memory.ts";
import type { DatagramSealer } from "./sealed-datagram.ts";
import type { ThreadCommand, ThreadEvent, ThreadOptions } from "./thread-messages.ts";

/**
 * The heartbeat thread's mind: what it sends, promises and counts. It owns no socket and no timer,
 * so a test drives it step by step; heartbeat-thread.ts gives it both.
 *
 * Order matters in two places. A promise is noted in the book before its acknowledgement leaves,
 * and a heartbeat's time is taken before it is handed to the socket: either way round would let
 * the holder's view of a promise outlive the giver's.
 */
export type CorePorts = {
  bootMs(): BootMs;
  /** Sends to the peer on one network; a failure is silence, as on any network. */
  send(networkIndex: number, datagram: Buffer): void;
  post(event: ThreadEvent): void;
  readonly sealer: Sealer;
};

/** Seals and opens datagrams (sealed-datagram.ts). */
type Sealer = Pick<DatagramSealer, "addSession" | "seal" | "open">;

/** A module as the thread keeps it. */
type Member = {
  readonly cell: LeaseCell;
  state: unknown;
  readonly watch: HangWatch;
  /** undefined: the main thread has not said yet what runs here. */
  targets: FenceTargets | null | undefined;
  listedAtBootMs: BootMs | null;
  /** The number of the peer's heartbeat whose state was posted last: later ones only. */
  peerStateNumber: number;
};

/** Ended agents of the peer that are remembered: their last session may still be readable. */
const PAST_INSTANCES_MAX = 8;

export class HeartbeatCore {
  readonly #options: ThreadOptions;
  readonly #ports: CorePorts;
  readonly #sealer: Sealer;
  readonly #mainProgress: MainProgress;
  readonly #mainWatch: HangWatch;
  readonly #members = new Map<ModuleId, Member>();
  readonly #health: NetworkHealth[];
  readonly #dropped = { malformed: 0, unknownSession: 0, unauthentic: 0, replayed: 0 };
  #promises: PromiseBook = EMPTY_BOOK;
  #grants: GrantCounter = NOTHING_HELD;
  #number = 0;
  #pastInstances: string[] = [];
  #peer: { instanceId: string; bootId: string } | null = null;
  #lastHeardBootMs: BootMs | null = null;
  #lastAnsweredBootMs: BootMs | null = null;

  constructor(options: ThreadOptions, ports: CorePorts) {
    this.#options = options;
    this.#ports = ports;
    this.#sealer = ports.sealer;
    this.#mainProgress = new MainProgress(options.mainProgress);
    this.#mainWatch = new HangWatch(options.hangAfterMs, ports.bootMs());
    this.#health = options.networks.map(() => UNKNOWN_HEALTH);
  }

  /** Takes one command of the main thread. True: what we say has changed, say it soon. */
  take(command: Exclude<ThreadCommand, { kind: "close" }>): boolean {
    switch (command.kind) {
      case "setModule":
        return this.#setModule(command.moduleId, command.cell);
      case "removeModule":
        return this.#removeModule(command.moduleId);
      case "publish":
        assert(command.stateJson.length <= STATE_BYTES_MAX, "a published state is too long");
        this.#member(command.moduleId).state = JSON.parse(command.stateJson);
        return true;
      case "seekGrant":
        return this.#seekGrant(command.moduleId, command.epoch);
      case "promise": {
        const answer = this.#promise(command.moduleId, command.terms);
        this.#ports.post({ kind: "promiseTaken", requestId: command.requestId, answer });
        return false;
      }
      case "addSession":
        this.#sealer.addSession(command.keys);
        return true;
      case "guard":
        this.#member(command.moduleId).targets = command.targets;
        return false;
      default:
        return assertNever(command);
    }
  }

  /** Sends a heartbeat on every network, unless this node's main thread stands still. */
  beat(): void {
    const nowBootMs = this.#ports.bootMs();
    if (!this.#isMainHung(nowBootMs)) {
      const modules = [...this.#members]
        .filter(([, member]) => !this.#isModuleHung(member, nowBootMs))
        .map(([moduleId, { state }]) => ({
          moduleId,
          asks: this.#grants.held[moduleId]?.epoch ?? null,
          state,
        }));
      for (const pack of packModules(modules)) {
        for (const index of this.#options.networks.keys()) this.#sendBeat(index, pack);
      }
    }
    this.#postView();
  }

  /** A datagram arrived on one of our sockets. */
  receive(networkIndex: number, datagram: Buffer): void {
    const nowBootMs = this.#ports.bootMs();
    const said = this.#unseal(datagram);
    if (said === null) return;
    const wasSilent = nowBootMs - (this.#lastHeardBootMs ?? 0) > 2 * this.#options.heartbeatMs;
    this.#lastHeardBootMs = nowBootMs;
    const health = this.#health[networkIndex];
    if (health !== undefined) {
      this.#health[networkIndex] = { ...health, lastHeardBootMs: nowBootMs };
    }
    if (said.kind === "beat") this.#takeBeat(networkIndex, said, nowBootMs);
    const hasBegun = said.kind === "ack" && this.#takeAck(networkIndex, said, nowBootMs);
    if (wasSilent || hasBegun) this.#postView();
  }

  /** What the guard must know right now. A module that nobody spoke of is left as the guard has it. */
  guardReport(): GuardReport {
    const isMainHung = this.#isMainHung(this.#ports.bootMs());
    const modules = [...this.#members].flatMap(([moduleId, { cell, targets }]) => {
      if (targets === undefined) return [];
      const untilMs = cell.leaseUntilBootMs();
      // JSON has no Infinity: a standing vote has no end that matters here.
      const leaseUntilBootMs = untilMs === null ? null : Math.min(untilMs, Number.MAX_SAFE_INTEGER);
      // A hung main thread cannot watch over its fence.
      return [
        { moduleId, leaseUntilBootMs, isFencedByAgent: cell.isFenced && !isMainHung, targets },
      ];
    });
    return { isMainHung, modules };
  }

  #member(moduleId: ModuleId): Member {
    const member = this.#members.get(moduleId);
    assert(member !== undefined, `module ${moduleId} was not set`);
    return member;
  }

  #setModule(moduleId: ModuleId, buffer: ModuleMemory): boolean {
    const was = this.#members.get(moduleId);
    if (was !== undefined && isSameMemory(was.cell.buffer, buffer)) return false;
    this.#members.set(moduleId, {
      cell: new LeaseCell(buffer),
      state: undefined,
      watch: new HangWatch(this.#options.hangAfterMs, this.#ports.bootMs()),
      targets: undefined,
      listedAtBootMs: null,
      peerStateNumber: 0,
    });
    return false;
  }

  #removeModule(moduleId: ModuleId): boolean {
    this.#seekGrant(moduleId, null);
    // The entry stays: what was promised stays promised.
    this.#promises = closePromise(this.#promises, moduleId);
    return this.#members.delete(moduleId);
  }

  #seekGrant(moduleId: ModuleId, epoch: Epoch | null): boolean {
    const was = this.#grants;
    this.#grants = seek(was, moduleId, epoch);
    if (this.#grants === was) return false;
    this.#members.get(moduleId)?.cell.setPeerGrant(null);
    return true;
  }

  #promise(moduleId: ModuleId, terms: PromiseTerms | null): PromiseAnswer {
    this.#promises =
      terms === null
        ? closePromise(this.#promises, moduleId)
        : openPromise(this.#promises, moduleId, terms.epoch, terms.peerLeaseMs);
    const { lastPromiseEndsBootMs, longestPromiseMs } = entryOf(this.#promises, moduleId);
    return { lastPromiseEndsBootMs, longestPromiseMs };
  }

  #sendBeat(networkIndex: number, modules: readonly Beat["modules"][number][]): void {
    const { instanceId, bootId } = this.#options;
    this.#number += 1;
    const number = this.#number;
    const beat: Beat = { kind: "beat", number, instanceId, bootId, modules: [...modules] };
    const datagram = this.#sealer.seal(JSON.stringify(beat));
    if (datagram === null) return;
    this.#grants = noteSent(this.#grants, number, this.#ports.bootMs());
    const health = this.#health[networkIndex] ?? UNKNOWN_HEALTH;
    this.#health[networkIndex] = noteBeat(health, number);
    this.#ports.send(networkIndex, datagram);
  }

  #takeBeat(networkIndex: number, beat: Beat, nowBootMs: BootMs): void {
    // Silence is the only honest answer of a node whose main thread cannot act on what it says.
    if (this.#isMainHung(nowBootMs)) return;
    const asks = beat.modules.flatMap(({ moduleId, asks: epoch }) => {
      const member = this.#members.get(moduleId);
      if (epoch === null || member === undefined) return [];
      return this.#isModuleHung(member, nowBootMs) ? [] : [{ moduleId, epoch }];
    });
    const { book, given } = renewPromises(this.#promises, asks, nowBootMs);
    this.#promises = book;
    const { instanceId, bootId } = this.#options;
    const ack: Ack = { kind: "ack", number: beat.number, instanceId, bootId, given: [...given] };
    const datagram = this.#sealer.seal(JSON.stringify(ack));
    if (datagram !== null) this.#ports.send(networkIndex, datagram);
    this.#postStates(beat, nowBootMs);
  }

  #postStates(beat: Beat, nowBootMs: BootMs): void {
    const { number, instanceId: peerInstanceId, bootId: peerBootId } = beat;
    for (const { moduleId, state } of beat.modules) {
      const member = this.#members.get(moduleId);
      if (member !== undefined) member.listedAtBootMs = nowBootMs;
      if (member === undefined || state === undefined) continue;
      // Reordered by the network: an older state must not undo a newer one.
      if (number <= member.peerStateNumber) continue;
      member.peerStateNumber = number;
      const peer = { peerInstanceId, peerBootId };
      this.#ports.post({
        kind: "peerState",
        moduleId,
        state,
        ...peer,
        receivedAtBootMs: nowBootMs,
      });
    }
  }

  /** True when a grant that was not held before has begun. */
  #takeAck(networkIndex: number, ack: Ack, nowBootMs: BootMs): boolean {
    const before = this.#grants;
    const { counter, sentAtBootMs } = noteAcknowledged(before, ack.number, ack.given);
    if (sentAtBootMs === null) return false;
    this.#grants = counter;
    this.#lastAnsweredBootMs = nowBootMs;
    const health = this.#health[networkIndex] ?? UNKNOWN_HEALTH;
    this.#health[networkIndex] = noteAnswer(health, ack.number, nowBootMs - sentAtBootMs);
    let hasBegun = false;
    for (const [moduleId, held] of Object.entries(counter.held)) {
      const was = before.held[moduleId];
      if (was === undefined || was.untilBootMs === held.untilBootMs) continue;
      this.#members.get(moduleId)?.cell.setPeerGrant(held);
      if (was.untilBootMs <= nowBootMs) hasBegun = true;
    }
    return hasBegun;
  }

  #isMainHung(nowBootMs: BootMs): boolean {
    return this.#mainWatch.isHung(this.#mainProgress.turns, nowBootMs);
  }

  #isModuleHung({ cell, watch }: Member, nowBootMs: BootMs): boolean {
    const isHung = watch.isHung(cell.dataProgress, nowBootMs);
    return isHung && cell.isDataThreadWatched;
  }

  /** What an authentic datagram of the peer's present agent says; others are counted. */
  #unseal(datagram: Buffer): Datagram | null {
    const opened =
      datagram.length <= PLAIN_BYTES_MAX ? this.#sealer.open(datagram) : err("malformed" as const);
    const said = opened.ok ? parseDatagram(opened.value) : opened;
    if (!said.ok) {
      this.#dropped[said.error] += 1;
      return null;
    }
    const { instanceId, bootId } = said.value;
    if (instanceId === this.#peer?.instanceId) return said.value;
    // A late datagram of an agent that has been followed by another one.
    if (this.#pastInstances.includes(instanceId)) {
      this.#dropped.replayed += 1;
      return null;
    }
    this.#followInstance({ instanceId, bootId });
    return said.value;
  }

  /** The peer's agent was started anew: its numbers begin again. */
  #followInstance(peer: { instanceId: string; bootId: string }): void {
    if (this.#peer !== null) this.#pastInstances.push(this.#peer.instanceId);
    this.#pastInstances = this.#pastInstances.slice(-PAST_INSTANCES_MAX);
    this.#peer = peer;
    for (const member of this.#members.values()) member.peerStateNumber = 0;
  }

  #postView(): void {
    const atBootMs = this.#ports.bootMs();
    const held = Object.entries(this.#grants.held).filter(([, grant]) => grant.untilBootMs > 0);
    const listed = [...this.#members].flatMap(([moduleId, { listedAtBootMs }]) =>
      listedAtBootMs === null ? [] : [[moduleId, listedAtBootMs] as const],
    );
    const hung = [...this.#members].filter(([, member]) => this.#isModuleHung(member, atBootMs));
    this.#ports.post({
      kind: "view",
      view: {
        atBootMs,
        lastHeardBootMs: this.#lastHeardBootMs,
        lastListedBootMs: Object.fromEntries(listed),
        lastAnsweredBootMs: this.#lastAnsweredBootMs,
        peerInstanceId: this.#peer?.instanceId ?? null,
        peerBootId: this.#peer?.bootId ?? null,
        grants: Object.fromEntries(
          held.map(([id, { epoch, untilBootMs }]) => [id, { epoch, untilBootMs }]),
        ),
        networks: this.#options.networks.map(({ name }, index) => {
          const health = this.#health[index] ?? UNKNOWN_HEALTH;
          const { lastHeardBootMs, roundTripMs } = health;
          return { name, lastHeardBootMs, roundTripMs, lossRatio: lossRatio(health) };
        }),
        dropped: { ...this.#dropped },
        hungModules: hung.map(([moduleId]) => moduleId),
        hasHungMainThread: this.#isMainHung(atBootMs),
      },
    });
  }
}
