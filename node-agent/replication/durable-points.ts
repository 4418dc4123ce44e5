/**
 * The primary's part in durable points: every few seconds, if anything was changed, both nodes bring
 * everything up to one instant of the stream to their disks, the secondary notes that, and then this
 * node does. From then on, whatever happens to one node, only what was touched since is compared.
 */

import { pointOf } from "#model/replication/change-record.ts";
import type { BootMs } from "#model/shared/ids.ts";
import type { BlockingCalls } from "../fuse/ports.ts";
import type { BegunPoint, ChangeKeeper } from "./change-keeper.ts";
import type { Sender } from "./sender.ts";

type Attempt = {
  readonly begun: BegunPoint;
  readonly sequence: number;
  isNotedThere: boolean;
  ownLeft: number;
  hasFailed: boolean;
};

export type PointParts = {
  readonly keeper: ChangeKeeper;
  readonly sender: Sender;
  readonly blocking: BlockingCalls;
  readonly rootFds: readonly number[];
  readonly durablePointMs: number;
};

export class DurablePoints {
  readonly #parts: PointParts;
  #attachmentId: string | null = null;
  #attempt: Attempt | null = null;
  /** The sequence of the last point that both nodes have noted. */
  #settled = 0;
  #operations = 0;
  #lastMs: BootMs = 0;

  constructor(parts: PointParts) {
    this.#parts = parts;
  }

  /** The attachment's first point, at sequence 0, is noted on both nodes. */
  start(attachmentId: string, nowMs: BootMs): void {
    this.#attachmentId = attachmentId;
    this.#attempt = null;
    this.#settled = 0;
    this.#operations = -1;
    this.#lastMs = nowMs;
  }

  stop(): void {
    this.#attachmentId = null;
    this.#attempt = null;
  }

  tick(nowMs: BootMs): void {
    const { sender, keeper } = this.#parts;
    const attachmentId = this.#attachmentId;
    if (attachmentId === null || this.#attempt !== null || !sender.window.isPeerRequired) return;
    const isIdle = sender.operationsSubmitted === this.#operations;
    if (isIdle || nowMs - this.#lastMs < this.#parts.durablePointMs) return;
    this.#lastMs = nowMs;
    this.#operations = sender.operationsSubmitted;
    const sequence = sender.window.lastSequence;
    const begun = keeper.beginPoint(pointOf(attachmentId, sequence));
    const ownLeft = this.#parts.rootFds.length;
    this.#attempt = { begun, sequence, isNotedThere: false, ownLeft, hasFailed: false };
    this.ask();
    this.#syncOwn(this.#attempt);
  }

  /** Asks the secondary; again when a connection was lost meanwhile. */
  ask(): void {
    const attempt = this.#attempt;
    if (attempt === null || attempt.isNotedThere) return;
    const { sequence } = attempt;
    this.#parts.sender.sendControl({ kind: "pointAsked", sequence, settled: this.#settled });
  }

  /** The secondary has noted the point. */
  noted(sequence: number): void {
    const attempt = this.#attempt;
    if (attempt?.sequence !== sequence) return;
    attempt.isNotedThere = true;
    this.#look(attempt);
  }

  #syncOwn(attempt: Attempt): void {
    const { blocking, rootFds } = this.#parts;
    for (const rootFd of rootFds) {
      const isTaken = blocking.submit("syncfs", rootFd, (result) => {
        attempt.ownLeft -= 1;
        if (result < 0) attempt.hasFailed = true;
        this.#look(attempt);
      });
      if (!isTaken) attempt.hasFailed = true;
    }
  }

  #look(attempt: Attempt): void {
    if (attempt !== this.#attempt || !attempt.isNotedThere || attempt.ownLeft > 0) return;
    if (attempt.hasFailed) {
      this.#attempt = null;
      return;
    }
    this.#parts.keeper.commitPoint(attempt.begun, () => {
      if (attempt !== this.#attempt) return;
      this.#settled = attempt.sequence;
      this.#attempt = null;
    });
  }
}
