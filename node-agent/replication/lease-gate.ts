/**
 * The last look before an answer leaves a primary: is the lease live at this very instant? A
 * reply that may not leave is held, in order, and leaves when the lease counts again, or never.
 *
 * It also notices when this thread stood still (a stopped process, a paused machine whose clock
 * ran on, a disk that did not answer): nobody knows what was decided meanwhile, so the lease does
 * not count until a voter has answered something sent after the gap (LeaseCell.noticeStall).
 */

import type { BootMs } from "#model/shared/ids.ts";
import type { ReplyGate } from "../fuse/ports.ts";
import type { LeaseCell } from "../peer/lease-cell.ts";

export type GateOptions = {
  readonly cell: LeaseCell;
  readonly clock: () => BootMs;
  readonly gapMs: number;
  readonly onGap: (gapMs: number, endedAtBootMs: BootMs) => void;
};

export class LeaseGate implements ReplyGate {
  readonly #options: GateOptions;
  #held: (() => void)[] = [];
  #lastSeenMs: BootMs;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#lastSeenMs = options.clock();
  }

  /** Replies that wait for the lease; bounded by the requests the kernel has out at once. */
  get heldCount(): number {
    return this.#held.length;
  }

  mayReply(): boolean {
    // A reply behind a held one waits its turn.
    return this.#held.length === 0 && this.#isLive();
  }

  hold(reply: () => void): void {
    this.#held.push(reply);
  }

  /** Lets held replies go while the lease lives; the loop calls it at every turn. */
  release(): void {
    if (this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    let gone = 0;
    for (const reply of held) {
      if (!this.#isLive()) break;
      reply();
      gone += 1;
    }
    if (gone < held.length) this.#held = [...held.slice(gone), ...this.#held];
  }

  /** The held replies must never be given (the server has failed them otherwise). */
  drop(): void {
    this.#held = [];
  }

  /** The loop was meant to sleep until now at most: `slackMs` of the time since is no gap. */
  look(slackMs: number): BootMs {
    const nowMs = this.#options.clock();
    const gapMs = nowMs - this.#lastSeenMs - slackMs;
    this.#lastSeenMs = nowMs;
    if (gapMs > this.#options.gapMs) {
      this.#options.cell.noticeStall(nowMs);
      this.#options.onGap(gapMs, nowMs);
    }
    return nowMs;
  }

  #isLive(): boolean {
    return this.#options.cell.isLive(this.look(0));
  }
}
