import { assert } from "../../shared/assert.ts";
import type { Epoch, NodeId } from "../../shared/ids.ts";
import type { NodeEffect } from "../types.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

type Op = {
  readonly id: number;
  readonly epoch: Epoch;
  readonly sentMs: number;
  /** The peers that have acknowledged it. */
  readonly heldBy: Set<NodeId>;
};

/**
 * A data plane of numbered operations. An operation is applied here, sent to the peers that are
 * attached, and acknowledged when the rules of `serve` allow it. What was applied stays applied,
 * also when it never was acknowledged: just like files.
 */
export class SimData {
  /** Everything in the files of this copy. */
  readonly applied = new Set<number>();
  readonly #synced = new Set<number>();
  #mode: Extract<NodeEffect, { kind: "serve" | "follow" }> | null = null;
  #refuseBelow: Epoch = 0;
  /** The streams to, or as secondary from, each peer; their numbers are never used again. */
  readonly #attachments = new Map<NodeId, number>();
  readonly #resyncs = new Map<NodeId, number>();
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
    return this.#mode?.kind === "serve" && this.#mode.ackBy.length === 0;
  }

  crash(): void {
    this.#mode = null;
    this.#refuseBelow = 0;
    this.#attachments.clear();
    this.#resyncs.clear();
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
    this.#attachments.clear();
  }

  run(e: NodeEffect): void {
    switch (e.kind) {
      case "serve":
        assert(e.epoch >= this.#refuseBelow, "serves an epoch that it refuses");
        if (this.servedEpoch !== e.epoch) this.fail();
        this.#mode = e;
        this.#refuseBelow = e.epoch;
        this.#world.judge.serves(this.#node, e.epoch);
        for (const id of this.#attachments.keys()) {
          if (!e.ackBy.includes(id)) this.#attachments.delete(id);
        }
        this.retry();
        return;
      case "follow":
        if (this.#mode?.kind === "serve") this.fail();
        if (this.#mode?.kind !== "follow" || this.#mode.epoch !== e.epoch)
          this.#attachments.clear();
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
        this.#startResync(e.peer, e.epoch);
        return;
      case "flushPeer":
        this.#flush(e.peer, e.epoch);
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
    const { nowMs } = this.#world;
    if (this.#mode?.kind !== "serve") return;
    if (this.#node.canAnswer() && nowMs - this.#lastWriteMs >= 100 && this.#waiting.length < 8) {
      this.#lastWriteMs = nowMs;
      this.#write(this.#mode.epoch);
    }
    for (const [peer, attachment] of this.#attachments) this.#push(peer, attachment);
  }

  #push(peer: NodeId, attachment: number): void {
    const { nowMs, timers } = this.#world;
    const open = this.#waiting.filter((op) => !op.heldBy.has(peer));
    // Like TCP: what the link lost is sent again while the attachment lives.
    for (const op of open) if (nowMs - op.sentMs > 200) this.#replicate(op, peer, attachment);
    const oldest = open[0];
    if (oldest === undefined || nowMs - oldest.sentMs <= timers.replTimeoutMs) return;
    this.#attachments.delete(peer);
    this.#node.tell({ kind: "replicationStalled", peer, sinceMs: oldest.sentMs });
  }

  #write(epoch: Epoch): void {
    const sentMs = this.#world.nowMs;
    const op = { id: this.#world.judge.nextOp(), epoch, sentMs, heldBy: new Set<NodeId>() };
    this.applied.add(op.id);
    this.#waiting.push(op);
    for (const [peer, attachment] of this.#attachments) this.#replicate(op, peer, attachment);
    this.retry();
  }

  #replicate(op: Op, to: NodeId, attachment: number): void {
    const peer = this.#world.node(to);
    this.#carry(to, () => {
      const answer = peer.data.#receive(op, this.#node.id, attachment);
      if (!answer) return;
      peer.data.#carry(this.#node.id, () => this.#peerAcknowledged(op, to, attachment));
    });
  }

  /** The secondary takes an operation of its epoch and attachment, and refuses every other. */
  #receive(op: Op, from: NodeId, attachment: number): boolean {
    if (!this.#node.isAlive || this.#node.isFrozen || this.isHung) return false;
    const isFollowing = this.#mode?.kind === "follow" && this.#mode.epoch === op.epoch;
    const isAttached = this.#attachments.get(from) === attachment;
    if (!isFollowing || !isAttached || op.epoch < this.#refuseBelow) return false;
    this.applied.add(op.id);
    return true;
  }

  #peerAcknowledged(op: Op, by: NodeId, attachment: number): void {
    if (this.#attachments.get(by) !== attachment || this.servedEpoch !== op.epoch) return;
    op.heldBy.add(by);
    this.#finishIfHeld(op);
  }

  #finishIfHeld(op: Op): void {
    if (this.#mode?.kind !== "serve") return;
    if (this.#mode.ackBy.every((id) => op.heldBy.has(id))) this.#finish(op);
  }

  /** Tells the application, unless no answer may leave now. */
  #finish(op: Op): void {
    if (!this.#waiting.includes(op)) return;
    if (!this.#node.canAnswer()) {
      // The reply is held; it is sent when a grant is live again.
      this.#world.after(50, () => {
        if (this.servedEpoch === op.epoch) this.#finishIfHeld(op);
      });
      return;
    }
    this.#waiting = this.#waiting.filter((w) => w !== op);
    this.#world.judge.acknowledged(this.#node, op.id, op.epoch);
  }

  retry(): void {
    for (const op of this.#waiting) this.#finishIfHeld(op);
  }

  #startResync(id: NodeId, epoch: Epoch): void {
    const attempt = this.#world.judge.nextOp();
    this.#resyncs.set(id, attempt);
    const peer = this.#world.node(id);
    this.#world.after(300 + Math.floor(this.#world.random() * 200), () => {
      const mode = this.#mode;
      if (this.#resyncs.get(id) !== attempt || mode?.kind !== "serve" || mode.epoch !== epoch)
        return;
      this.#resyncs.delete(id);
      if (!this.#canReach(peer) || !peer.data.#takeCopy(this, attempt, epoch)) {
        this.#node.tell({ kind: "resyncFailed", peer: id, cause: "the peer did not take it" });
        return;
      }
      this.#attachments.set(id, attempt);
      this.#mode = { kind: "serve", epoch, ackBy: [...new Set([...mode.ackBy, id])] };
      peer.later(3, { kind: "resyncFinished", epoch });
      this.#node.later(3, { kind: "replicationAttached", peer: id, epoch });
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
    this.#attachments.set(from.#node.id, attachment);
    return true;
  }

  #flush(peer: NodeId, epoch: Epoch): void {
    this.#world.after(5, () => {
      if (this.servedEpoch !== epoch) return;
      const attachment = this.#attachments.get(peer);
      if (attachment === undefined) {
        this.#node.tell({ kind: "flushFailed", peer, cause: "not attached" });
      } else {
        for (const op of this.#waiting) this.#replicate(op, peer, attachment);
        this.#world.after(8, () => this.#syncPeer(peer, epoch));
      }
    });
  }

  /** The peer's own answer that this attachment is on its disk; lost with it. */
  #syncPeer(id: NodeId, epoch: Epoch): void {
    const peer = this.#world.node(id);
    const attachment = this.#attachments.get(id);
    if (attachment === undefined || this.servedEpoch !== epoch) return;
    const isAttachedThere = () => peer.data.#attachments.get(this.#node.id) === attachment;
    this.#carry(id, () => {
      if (!peer.isAlive || peer.isFrozen || !isAttachedThere()) return;
      for (const op of peer.data.applied) peer.data.#synced.add(op);
      peer.data.#carry(this.#node.id, () => {
        if (this.#attachments.get(id) !== attachment) return;
        for (const op of this.applied) this.#synced.add(op);
        this.#node.tell({ kind: "peerFlushed", peer: id });
      });
    });
    this.#world.after(1000, () => {
      this.#node.tell({ kind: "flushFailed", peer: id, cause: "no answer" });
    });
  }

  #canReach(peer: SimNode): boolean {
    const { id } = this.#node;
    return !this.#world.isCut(id, peer.id) && !this.#world.isCut(peer.id, id) && peer.isAlive;
  }

  #carry(to: NodeId, arrive: () => void): void {
    const { id } = this.#node;
    this.#world.after(1 + Math.floor(this.#world.random() * 3), () => {
      if (!this.#world.isCut(id, to)) arrive();
    });
  }
}
