/**
 * The loop of a module's data thread. One turn: wait in poll(2); take commands; read what the peer
 * sent; take finished fsyncs; handle requests of the mounts; send what came of it; let held
 * replies go. Nothing in a turn waits for anything else than poll, so that no tree and no peer
 * holds up another.
 */

import type { BootMs } from "#model/shared/ids.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import { POLLERR, POLLIN } from "../adapters/linux/poll.ts";
import type { BlockingCalls, FuseService } from "../fuse/ports.ts";
import type { LeaseCell } from "../peer/lease-cell.ts";
import type { Acceptor } from "./acceptor.ts";
import type { CoreCommands } from "./core-commands.ts";
import type { ToCore } from "./core-messages.ts";
import type { LeaseGate } from "./lease-gate.ts";
import type { Poller } from "./network.ts";
import type { Pollable } from "./pollable.ts";
import type { PrimarySide } from "./primary-side.ts";
import type { SecondarySide } from "./secondary-side.ts";
import type { Sender } from "./sender.ts";

/** Descriptors polled beside the trees: listener, connections without a hello, streams, wake-ups. */
const OTHER_SLOTS = 24;
const IDLE_MS = 50;
/** The lease may come back at any moment, and nobody wakes this thread for it. */
const HELD_MS = 2;
const TICK_MS = 20;
const TIMES_MS = 100;
const REQUESTS_PER_TURN = 32;

/** Helper threads and how they wake the loop (BlockingPool). */
export interface BlockingWakeups extends BlockingCalls {
  readonly descriptor: number;
  handleReadable(): void;
}

/** What the agent's main thread says, and how it wakes the loop. */
export interface CoreInbox {
  /** Becomes readable when there is something to take, from the main thread or a resync's. */
  readonly wakeFd: number;
  /** Takes the wake-up back; what comes after it wakes anew. */
  clearWake(): void;
  take(): ToCore | null;
}

/** Everything that a turn works with, made by assemble-core.ts. */
export type CoreParts = {
  readonly inbox: CoreInbox;
  /** A set of that many slots. */
  readonly newPoller: (slots: number) => Poller;
  readonly cell: LeaseCell;
  readonly gate: LeaseGate;
  readonly blocking: BlockingWakeups;
  readonly servers: readonly FuseService[];
  readonly sender: Sender;
  readonly primary: PrimarySide;
  readonly secondary: SecondarySide;
  readonly acceptor: Acceptor;
  readonly commands: CoreCommands;
};

export class Core {
  readonly #parts: CoreParts;
  readonly #poll: Poller;
  readonly #slots: number;
  readonly #polled: (Pollable | null)[] = [];
  readonly #fixed: readonly Pollable[];
  readonly #devices: readonly Pollable[];
  #nowMs: BootMs;
  #tickedMs: BootMs = 0;
  #timesMs: BootMs = 0;
  #requestsNotBeforeMs: BootMs = 0;
  #wasWindowFull = false;
  /** Something that could be polled is not: what holds it back (a lease, a pause) may end. */
  #isHeldBack = false;
  #armed = 0;

  constructor(parts: CoreParts) {
    this.#parts = parts;
    this.#nowMs = parts.gate.look(Number.POSITIVE_INFINITY);
    const { blocking, inbox, servers, newPoller } = parts;
    this.#slots = OTHER_SLOTS + servers.length;
    this.#poll = newPoller(this.#slots);
    this.#fixed = [
      { fd: inbox.wakeFd, events: POLLIN, onReady: () => this.#takeMessages() },
      {
        fd: blocking.descriptor,
        events: POLLIN,
        onReady: () => blocking.handleReadable(),
      },
    ];
    this.#devices = servers.map((server) => this.#device(server));
  }

  get nowMs(): BootMs {
    return this.#nowMs;
  }

  /** Serves until the `close` command. */
  run(): void {
    const { cell, commands } = this.#parts;
    cell.watchDataThread(true);
    while (!commands.isClosed) {
      const timeoutMs = this.prepare();
      this.#poll.wait(timeoutMs);
      this.proceed(timeoutMs);
    }
    cell.watchDataThread(false);
  }

  /** The first half of a turn, up to the wait: says how long that may take. */
  prepare(): number {
    const { gate } = this.#parts;
    this.#armed = this.#arm();
    gate.look(0);
    return gate.heldCount > 0 || this.#isHeldBack ? HELD_MS : IDLE_MS;
  }

  /** The second half, after a wait of at most `timeoutMs`. */
  proceed(timeoutMs: number): void {
    const { cell, gate, sender, primary, secondary } = this.#parts;
    this.#nowMs = gate.look(timeoutMs);
    sender.nowMs = this.#nowMs;
    cell.countDataProgress();
    for (let slot = 0; slot < this.#armed; slot += 1) {
      const ready = this.#poll.ready(slot);
      if (ready !== 0) this.#polled[slot]?.onReady(ready);
    }
    if (this.#nowMs - this.#tickedMs >= TICK_MS) this.#tick();
    primary.flush();
    secondary.flush();
    gate.release();
    this.#openWindow();
  }

  /** Fills the poll set: wake-ups and the peer first, so that answers leave before new requests. */
  #arm(): number {
    const { primary, secondary, acceptor } = this.#parts;
    let slot = 0;
    this.#isHeldBack = false;
    const add = (one: Pollable): void => {
      if (slot >= this.#slots) return;
      const { events } = one;
      if (events === 0) this.#isHeldBack = true;
      const isWatched = events !== 0 || one.isAlwaysWatched === true;
      this.#poll.set(slot, isWatched ? one.fd : -1, events);
      this.#polled[slot] = one;
      slot += 1;
    };
    for (const one of this.#fixed) add(one);
    for (const one of primary.pollables()) add(one);
    for (const one of secondary.pollables()) add(one);
    for (const one of acceptor.pollables()) add(one);
    for (const one of this.#devices) add(one);
    for (let empty = slot; empty < this.#polled.length; empty += 1) this.#poll.set(empty, -1, 0);
    this.#polled.length = slot;
    return slot;
  }

  #device(server: FuseService): Pollable {
    const isWanted = (): boolean =>
      server.wantsRequests &&
      !this.#parts.primary.isPaused &&
      this.#nowMs >= this.#requestsNotBeforeMs;
    let isGone = false;
    return {
      get fd() {
        return isGone ? -1 : server.device;
      },
      isAlwaysWatched: true,
      get events() {
        return !isGone && isWanted() ? POLLIN : 0;
      },
      onReady: (ready) => {
        // The kernel says so of a mount that was taken away, also while no request is wanted.
        let isLost = (ready & POLLERR) !== 0;
        if (!isLost && isWanted()) {
          const { slowMs } = this.#parts.primary;
          const handled = server.handleReadable(slowMs > 0 ? 1 : REQUESTS_PER_TURN);
          if (slowMs > 0) this.#requestsNotBeforeMs = this.#nowMs + slowMs;
          isLost = handled === -ERRNO.ENODEV;
        }
        if (!isLost || isGone) return;
        isGone = true;
        this.#parts.commands.onDeviceGone();
      },
    };
  }

  #tick(): void {
    const { primary, secondary, acceptor, commands, servers } = this.#parts;
    this.#tickedMs = this.#nowMs;
    acceptor.tick(this.#nowMs);
    primary.tick(this.#nowMs);
    secondary.tick(this.#nowMs);
    commands.tick(this.#nowMs);
    if (this.#nowMs - this.#timesMs < TIMES_MS || primary.isPaused) return;
    this.#timesMs = this.#nowMs;
    for (const server of servers) server.flushTimes();
  }

  #openWindow(): void {
    const { sender, servers } = this.#parts;
    const isFull = sender.window.isFull;
    if (this.#wasWindowFull && !isFull) for (const server of servers) server.onWindowOpen();
    this.#wasWindowFull = isFull;
  }

  #takeMessages(): void {
    const { inbox, commands, primary, secondary } = this.#parts;
    inbox.clearWake();
    primary.drainWorker();
    secondary.drainWorker();
    for (let said = inbox.take(); said !== null; said = inbox.take()) commands.take(said);
  }
}
