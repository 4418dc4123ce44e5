/**
 * What the main thread may tell a data thread, carried out between two requests, and what the
 * data thread reports by itself: a stall, and its end.
 */

import { assertNever } from "#model/shared/assert.ts";
import type { BootMs, Epoch } from "#model/shared/ids.ts";
import { err, ok } from "#model/shared/result.ts";
import { ERRNO, errnoName } from "../adapters/linux/errno.ts";
import type { BlockingCalls, FuseService } from "../fuse/ports.ts";
import type { Acceptor } from "./acceptor.ts";
import type { Command, CommandResult, ToCore } from "./core-messages.ts";
import type { EngineError, EngineEvent, EngineMetrics, PeerAddress, Standing } from "./engine.ts";
import type { LeaseGate } from "./lease-gate.ts";
import type { PrimarySide } from "./primary-side.ts";
import type { SecondarySide } from "./secondary-side.ts";
import type { Sender } from "./sender.ts";
import type { Sessions } from "./sessions.ts";

/** A `stalled` event is repeated this often while the stall lasts. */
const STALLED_AGAIN_MS = 500;
const REQUIRE_MS_MAX = 10_000;
const DRAIN_MS_MAX = 10_000;
const FLUSH_MS_MAX = 60_000;

export type CommandParts = {
  readonly sender: Sender;
  readonly primary: PrimarySide;
  readonly secondary: SecondarySide;
  readonly gate: LeaseGate;
  readonly blocking: BlockingCalls;
  readonly servers: readonly FuseService[];
  readonly rootFds: readonly number[];
  readonly sessions: Sessions;
  readonly acceptor: Acceptor;
  readonly replTimeoutMs: number;
  readonly nowMs: () => BootMs;
  readonly setAddresses: (addresses: readonly PeerAddress[]) => void;
  readonly emit: (event: EngineEvent) => void;
  readonly reply: (id: number, result: CommandResult) => void;
};

/** A command whose end has yet to come; looked at in every tick. */
type Waiter = {
  readonly id: number;
  readonly deadlineMs: BootMs;
  /** Null: not yet. */
  readonly outcome: () => CommandResult | null;
};

export class CoreCommands {
  readonly #parts: CommandParts;
  #role: "primary" | "secondary" = "secondary";
  #epoch: Epoch = 0;
  #waiters: Waiter[] = [];
  #stalledAtMs: BootMs | null = null;
  isClosed = false;

  constructor(parts: CommandParts) {
    this.#parts = parts;
  }

  take(message: ToCore): void {
    const { sessions, primary, secondary } = this.#parts;
    switch (message.kind) {
      case "command":
        this.#command(message.id, message.command);
        return;
      case "addSession":
        sessions.add(message.session);
        return;
      case "dropSession":
        sessions.drop(message.sessionId);
        return;
      case "setPeer":
        this.#parts.setAddresses(message.addresses);
        return;
      case "admitResync":
        secondary.admit(message.attachmentId);
        return;
      case "cancelResync":
        primary.cancelResync();
        return;
      case "resyncDied": {
        const side = message.role === "source" ? primary : secondary;
        side.onCopied({ reason: message.reason, errno: null });
        return;
      }
      default:
        assertNever(message);
    }
  }

  tick(nowMs: BootMs): void {
    this.#lookForStall(nowMs);
    if (this.#waiters.length === 0) return;
    const waiting = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiting) {
      const outcome = waiter.outcome() ?? (nowMs > waiter.deadlineMs ? TIMED_OUT : null);
      if (outcome === null) this.#waiters.push(waiter);
      else this.#parts.reply(waiter.id, outcome);
    }
  }

  /** A mount was taken away by somebody else: this node can no longer serve. */
  onDeviceGone(): void {
    const detail = "a replicated directory was unmounted";
    this.#parts.emit({ kind: "localFault", errno: ERRNO.ENODEV, detail });
  }

  #command(id: number, command: Command): void {
    switch (command.kind) {
      case "drain":
        this.#drain(id);
        return;
      case "flush":
        this.#flush(id);
        return;
      case "metrics":
        this.#parts.reply(id, ok(this.#metrics()));
        return;
      case "standing":
        this.#parts.reply(id, ok(this.#standing()));
        return;
      case "close":
        this.#close(id);
        return;
      default:
        if (command.epoch < this.#epoch) {
          this.#parts.reply(id, err(stale(command.epoch, this.#epoch)));
        } else {
          this.#epochCommand(id, command);
        }
    }
  }

  #epochCommand(id: number, command: Extract<Command, { readonly epoch: Epoch }>): void {
    const { reply, sender, primary, secondary } = this.#parts;
    const { epoch } = command;
    switch (command.kind) {
      case "serve":
        reply(id, this.#serve(epoch, command.ackBy));
        return;
      case "follow":
        reply(id, this.#follow(epoch));
        return;
      case "refuseBelow":
        this.#epoch = epoch;
        secondary.refuseBelow(epoch);
        reply(id, ok(undefined));
        return;
      case "acknowledgeAlone":
        if (this.#isPrimaryOf(id, epoch)) {
          if (primary.isStreaming) primary.end();
          sender.window.stopRequiring();
          reply(id, ok(undefined));
        }
        return;
      case "requirePeer":
        if (this.#isPrimaryOf(id, epoch)) this.#requirePeer(id);
        return;
      case "startResync":
        if (this.#isPrimaryOf(id, epoch)) {
          primary.start(epoch);
          reply(id, ok(undefined));
        }
        return;
      default:
        assertNever(command);
    }
  }

  #isPrimaryOf(id: number, epoch: Epoch): boolean {
    if (this.#role === "primary" && this.#epoch === epoch) return true;
    this.#parts.reply(id, err(wrong(`this node is not primary of epoch ${epoch}`)));
    return false;
  }

  #serve(epoch: Epoch, ackBy: "peer" | "none"): CommandResult {
    const { sender, primary, secondary, servers } = this.#parts;
    secondary.refuseBelow(epoch);
    secondary.stop();
    if (epoch > this.#epoch) primary.end();
    this.#epoch = epoch;
    sender.lead(epoch);
    if (ackBy === "peer") sender.window.requirePeer();
    else sender.window.stopRequiring();
    if (this.#role === "secondary") for (const server of servers) server.setRole("primary");
    this.#role = "primary";
    return ok(undefined);
  }

  #follow(epoch: Epoch): CommandResult {
    if (this.#role === "primary") return err(wrong("a primary is closed and opened again"));
    this.#epoch = epoch;
    const followed = this.#parts.secondary.follow(epoch);
    return followed ? ok(undefined) : err(stale(epoch, this.#parts.secondary.order.known));
  }

  /** Resolves when what was answered without the peer has reached it as well. */
  #requirePeer(id: number): void {
    const { sender, primary, reply } = this.#parts;
    const { window } = sender;
    const wasRequired = window.isPeerRequired;
    window.requirePeer();
    if (!primary.isAttached) {
      const missing: EngineError = { kind: "detached", detail: "no peer is attached" };
      reply(id, wasRequired ? ok(undefined) : err(missing));
      return;
    }
    const { lastSequence } = window;
    this.#wait(id, REQUIRE_MS_MAX, () => {
      if (!primary.isAttached) return err({ kind: "detached", detail: "the peer was lost" });
      const isDurable = window.undurableSequences().every((sequence) => sequence > lastSequence);
      return window.appliedSequence >= lastSequence && isDurable ? ok(undefined) : null;
    });
  }

  #drain(id: number): void {
    const { secondary } = this.#parts;
    const appliedSequence = secondary.stop();
    // A thread that still writes into this copy must end first; it has been told to.
    this.#wait(id, DRAIN_MS_MAX, () => (secondary.isCopying ? null : ok(appliedSequence)));
  }

  #flush(id: number): void {
    const { sender, servers, rootFds, blocking, primary } = this.#parts;
    if (this.#role !== "primary") {
      this.#parts.reply(id, err(wrong("only a primary flushes")));
      return;
    }
    for (const server of servers) server.flushTimes();
    let left = 2 * rootFds.length;
    let failed = 0;
    rootFds.forEach((rootFd, index) => {
      sender.submit({ kind: "syncfs", id: index + 1 }, () => {
        left -= 1;
      });
      const isTaken = blocking.submit("syncfs", rootFd, (result) => {
        left -= 1;
        if (result < 0) failed = result;
      });
      if (isTaken) return;
      left -= 1;
      failed = -ERRNO.EAGAIN;
    });
    this.#wait(id, FLUSH_MS_MAX, () => {
      // A disk that fails must be able to hand over: the peer's copy is what counts then.
      const isNeeded = !sender.window.isPeerRequired;
      if (failed < 0 && isNeeded) return err(wrong(`sync: ${errnoName(failed)}`));
      if (left === 0) return ok(undefined);
      if (sender.window.isPeerRequired && !primary.isAttached) {
        return err({ kind: "detached", detail: "no peer is attached" });
      }
      return null;
    });
  }

  #close(id: number): void {
    const { primary, secondary, servers, gate, acceptor } = this.#parts;
    acceptor.close();
    primary.end();
    secondary.stop();
    gate.drop();
    for (const server of servers) {
      server.failPending(ERRNO.EIO);
      server.close();
    }
    this.isClosed = true;
    this.#parts.reply(id, ok(undefined));
  }

  #wait(id: number, boundMs: number, outcome: () => CommandResult | null): void {
    const at = outcome();
    if (at !== null) this.#parts.reply(id, at);
    else this.#waiters.push({ id, deadlineMs: this.#parts.nowMs() + boundMs, outcome });
  }

  #lookForStall(nowMs: BootMs): void {
    const { sender, emit, replTimeoutMs } = this.#parts;
    const { window } = sender;
    const oldestMs = window.isPeerRequired ? window.oldestSubmittedAtMs() : null;
    const ageMs = oldestMs === null ? 0 : nowMs - oldestMs;
    if (ageMs > replTimeoutMs) {
      if (this.#stalledAtMs !== null && nowMs - this.#stalledAtMs < STALLED_AGAIN_MS) return;
      this.#stalledAtMs = nowMs;
      emit({ kind: "stalled", epoch: this.#epoch, oldestUnacknowledgedMs: ageMs });
    } else if (this.#stalledAtMs !== null) {
      this.#stalledAtMs = null;
      emit({ kind: "caughtUp", epoch: this.#epoch });
    }
  }

  #standing(): Standing {
    const { sender, primary, secondary } = this.#parts;
    const isPrimary = this.#role === "primary";
    return {
      role: this.#role,
      epoch: this.#epoch,
      isAttached: isPrimary ? primary.isAttached : secondary.isAttachedIn(this.#epoch),
      isPeerRequired: isPrimary && sender.window.isPeerRequired,
    };
  }

  #metrics(): EngineMetrics {
    const { sender, secondary, primary, gate, servers } = this.#parts;
    const oldestMs = sender.window.oldestSubmittedAtMs();
    return {
      operationsSubmitted: sender.operationsSubmitted,
      bytesSubmitted: sender.bytesSubmitted,
      bytesUnacknowledged: sender.window.unacknowledgedBytes,
      latencies: sender.latencies.counts,
      changesAlone: sender.alone.changes,
      bytesAlone: sender.alone.bytes,
      operationsApplied: secondary.operationsApplied,
      bytesSent: primary.bytesSent + secondary.bytesSent,
      bytesReceived: primary.bytesReceived + secondary.bytesReceived,
      operationsUnacknowledged: sender.window.unacknowledgedCount,
      oldestUnacknowledgedMs: oldestMs === null ? 0 : this.#parts.nowMs() - oldestMs,
      repliesHeld: gate.heldCount,
      requestsPending: servers.reduce((sum, server) => sum + server.pendingCount, 0),
    };
  }
}

const TIMED_OUT: CommandResult = err({ kind: "detached", detail: "it took too long" });
const stale = (epoch: Epoch, known: Epoch): EngineError => ({ kind: "staleEpoch", epoch, known });
const wrong = (detail: string): EngineError => ({ kind: "wrongState", detail });
