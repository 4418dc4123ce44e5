import { assert } from "../../shared/assert.ts";
import type { Epoch } from "../../shared/ids.ts";
import type { NodeEffect } from "../types.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

type Op = { readonly id: number; readonly epoch: Epoch; readonly sentMs: number };

/**
 * A data plane of numbered operations. An operation is applied here, sent to the peer if one is
 * attached, and acknowledged when the rules of `serve` allow it. What was applied stays applied,
 * also when it never was acknowledged: just like files.
 */
export class SimData {
  /** Everything in the files of this copy. */
  readonly applied = new Set<number>();
  readonly #synced = new Set<number>();
  #mode: Extract<NodeEffect, { kind: "serve" | "follow" }> | null = null;
  #refuseBelow: Epoch = 0;
  #attachment: number | null = null;
  #resync: number | null = null;
  #waiting: Op[] = [];
  #lastWriteMs = 0;
  readonly #world: World;
  readonly #node: SimNode;
  /** A disk that hangs acknowledges nothing. */
  isHung = false;

  constructor(world: World, node: SimNode) {
    this.#world = world;
    this.#node = node;
  }

  get servedEpoch(): Epoch | null {
    return this.#mode?.kind === "serve" ? this.#mode.epoch : null;
  }

  get acksAlone(): boolean {
    return this.#mode?.kind === "serve" && this.#mode.ackBy === "none";
  }

  crash(): void {
    this.#mode = null;
    this.#refuseBelow = 0;
    this.#attachment = null;
    this.#resync = null;
    this.#waiting = [];
    this.isHung = false;
  }

  losePageCache(): void {
    this.#world.judge.lost(
      this.#node.id,
      [...this.applied].filter((op) => !this.#synced.has(op)),
    );
    this.applied.clear();
    for (const op of this.#synced) this.applied.add(op);
  }

  /** The files are put back to what they were earlier. */
  restore(earlier: readonly number[]): void {
    this.applied.clear();
    this.#synced.clear();
    for (const op of earlier) {
      this.applied.add(op);
      this.#synced.add(op);
    }
  }

  /** Open operations end with an error: nothing waits any more. */
  fail(): void {
    this.#waiting = [];
    this.#mode = null;
    this.#attachment = null;
  }

  run(e: NodeEffect): void {
    switch (e.kind) {
      case "serve":
        assert(e.epoch >= this.#refuseBelow, "serves an epoch that it refuses");
        if (this.servedEpoch !== e.epoch) this.fail();
        this.#mode = e;
        this.#refuseBelow = e.epoch;
        this.#world.judge.serves(this.#node, e.epoch);
        if (e.ackBy === "none") this.#attachment = null;
        this.retry();
        return;
      case "follow":
        if (this.#mode?.kind === "serve") this.fail();
        if (this.#mode?.kind !== "follow" || this.#mode.epoch !== e.epoch) this.#attachment = null;
        assert(e.epoch >= this.#refuseBelow, "follows an epoch that it refuses");
        this.#mode = e;
        this.#refuseBelow = e.epoch;
        return;
      case "refuseBelow":
        if (e.epoch > this.#refuseBelow) this.#refuseBelow = e.epoch;
        return;
      case "drainReceiver":
        if (this.#mode?.kind === "follow") this.fail();
        this.#node.later(2, { kind: "receiverDrained" });
        return;
      case "resyncPeer":
        this.#startResync(e.epoch);
        return;
      case "flushPeer":
        this.#flush(e.epoch);
        return;
      case "closeData":
        this.fail();
        for (const op of this.applied) this.#synced.add(op);
        this.#node.later(5, { kind: "dataClosed", isSynced: true });
        return;
      default:
        return;
    }
  }

  /** Runs every 50 ms: the application writes, the thread looks for stalls. */
  work(): void {
    const { nowMs, timers } = this.#world;
    if (this.#mode?.kind !== "serve") return;
    if (this.#node.canAnswer() && nowMs - this.#lastWriteMs >= 100 && this.#waiting.length < 8) {
      this.#lastWriteMs = nowMs;
      this.#write(this.#mode.epoch);
    }
    // Like TCP: what the link lost is sent again while the attachment lives.
    for (const op of this.#waiting) {
      if (this.#attachment !== null && nowMs - op.sentMs > 200)
        this.#replicate(op, this.#attachment);
    }
    const oldest = this.#waiting[0];
    const isStalled = oldest !== undefined && nowMs - oldest.sentMs > timers.replTimeoutMs;
    if (isStalled && this.#attachment !== null) {
      this.#attachment = null;
      this.#node.tell({ kind: "replicationStalled", sinceMs: oldest.sentMs });
    }
  }

  #write(epoch: Epoch): void {
    const op = { id: this.#world.judge.nextOp(), epoch, sentMs: this.#world.nowMs };
    this.applied.add(op.id);
    this.#waiting.push(op);
    if (this.#attachment !== null) this.#replicate(op, this.#attachment);
    this.retry();
  }

  #replicate(op: Op, attachment: number): void {
    this.#carry(() => {
      const answer = this.#node.peer.data.#receive(op, attachment);
      if (!answer) return;
      this.#node.peer.data.#carry(() => this.#peerAcknowledged(op, attachment));
    });
  }

  /** The secondary takes an operation of its epoch and attachment, and refuses every other. */
  #receive(op: Op, attachment: number): boolean {
    if (!this.#node.isAlive || this.#node.isFrozen || this.isHung) return false;
    const isFollowing = this.#mode?.kind === "follow" && this.#mode.epoch === op.epoch;
    if (!isFollowing || this.#attachment !== attachment || op.epoch < this.#refuseBelow) {
      return false;
    }
    this.applied.add(op.id);
    return true;
  }

  #peerAcknowledged(op: Op, attachment: number): void {
    if (this.#attachment !== attachment || this.servedEpoch !== op.epoch) return;
    this.#finish(op);
  }

  /** Tells the application, unless no answer may leave now. */
  #finish(op: Op): void {
    if (!this.#waiting.includes(op)) return;
    if (!this.#node.canAnswer()) {
      // The reply is held; it is sent when a grant is live again.
      this.#world.after(50, () => {
        if (this.servedEpoch === op.epoch) this.#finish(op);
      });
      return;
    }
    this.#waiting = this.#waiting.filter((w) => w !== op);
    this.#world.judge.acknowledged(this.#node, op.id, op.epoch);
  }

  retry(): void {
    if (!this.acksAlone) return;
    for (const op of this.#waiting) this.#finish(op);
  }

  #startResync(epoch: Epoch): void {
    const attempt = this.#world.judge.nextOp();
    this.#resync = attempt;
    const { peer } = this.#node;
    this.#world.after(300 + Math.floor(this.#world.random() * 200), () => {
      if (this.#resync !== attempt || this.servedEpoch !== epoch) return;
      this.#resync = null;
      if (!this.#canReach() || !peer.data.#takeCopy(this, attempt, epoch)) {
        this.#node.tell({ kind: "resyncFailed", cause: "the peer did not take it" });
        return;
      }
      this.#attachment = attempt;
      this.#mode = { kind: "serve", epoch, ackBy: "peer" };
      peer.later(3, { kind: "resyncFinished", epoch });
      this.#node.later(3, { kind: "replicationAttached", epoch });
    });
  }

  #takeCopy(from: SimData, attachment: number, epoch: Epoch): boolean {
    const isFollowing = this.#mode?.kind === "follow" && this.#mode.epoch === epoch;
    if (!this.#node.isAlive || !isFollowing || this.isHung || epoch < this.#refuseBelow) {
      return false;
    }
    this.applied.clear();
    this.#synced.clear();
    for (const op of from.applied) {
      this.applied.add(op);
      this.#synced.add(op);
    }
    this.#attachment = attachment;
    return true;
  }

  #flush(epoch: Epoch): void {
    this.#world.after(5, () => {
      if (this.servedEpoch !== epoch) return;
      if (this.#attachment === null) {
        this.#node.tell({ kind: "flushFailed", cause: "not attached" });
      } else {
        for (const op of this.#waiting) this.#replicate(op, this.#attachment);
        this.#world.after(8, () => this.#syncPeer(epoch));
      }
    });
  }

  /** The peer's own answer that this attachment is on its disk; lost with it. */
  #syncPeer(epoch: Epoch): void {
    const { peer } = this.#node;
    const attachment = this.#attachment;
    if (attachment === null || this.servedEpoch !== epoch) return;
    this.#carry(() => {
      if (!peer.isAlive || peer.isFrozen || peer.data.#attachment !== attachment) return;
      for (const op of peer.data.applied) peer.data.#synced.add(op);
      peer.data.#carry(() => {
        if (this.#attachment !== attachment) return;
        for (const op of this.applied) this.#synced.add(op);
        this.#node.tell({ kind: "peerFlushed" });
      });
    });
    this.#world.after(1000, () => this.#node.tell({ kind: "flushFailed", cause: "no answer" }));
  }

  #canReach(): boolean {
    const { id, peer } = this.#node;
    return !this.#world.isCut(id, peer.id) && !this.#world.isCut(peer.id, id) && peer.isAlive;
  }

  #carry(arrive: () => void): void {
    const { id, peer } = this.#node;
    this.#world.after(1 + Math.floor(this.#world.random() * 3), () => {
      if (!this.#world.isCut(id, peer.id)) arrive();
    });
  }
}
