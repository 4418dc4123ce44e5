import { freshDisk, type NodeDisk } from "#model/quorum/disk.ts";
import { decideNode, type NodeState, type Unstarted } from "#model/quorum/node.ts";
import type { NodeConfig, NodeEffect, NodeEvent } from "#model/quorum/types.ts";
import type { BootMs } from "#model/shared/ids.ts";

export type QuorumLoopOptions = {
  readonly config: NodeConfig;
  nowBootMs(): BootMs;
  /** Returns when the record is on stable storage, throws when it cannot be. */
  persist(disk: NodeDisk): void;
  /** Starts an effect (never `persist`); what comes of it is posted as an event. */
  run(effect: Exclude<NodeEffect, { kind: "persist" }>): void;
  /** After each decision, with the sentence that says why. */
  onDecided(reason: string): void;
};

/** More than this waiting means that the loop turns on itself. */
const EVENTS_WAITING_MAX = 10_000;

/**
 * The shell of the quorum protocol on a node: one event at a time into the pure function, its state
 * kept, its effects run in their order. What must be durable is on the disk before any later effect
 * of the same decision runs; an effect that fails so ends its list.
 */
export class QuorumLoop {
  readonly #options: QuorumLoopOptions;
  #state: NodeState | Unstarted;
  readonly #waiting: NodeEvent[] = [];
  #isDeciding = false;
  #isClosed = false;
  #disk: NodeDisk;
  /** A bug in a decision or an effect: the rest of its list is lost, so nothing may go on. */
  #failure: { readonly error: unknown } | null = null;

  constructor(options: QuorumLoopOptions) {
    this.#options = options;
    this.#state = { config: options.config };
    const { moduleId, self } = options.config;
    this.#disk = freshDisk(moduleId, self, "", false);
  }

  /** What is on the disk now; before `started` what a node knows that never took part. */
  get disk(): NodeDisk {
    return this.#disk;
  }

  /**
   * Decides about an event now, or right after the one that is being decided about. Throws what an
   * earlier decision threw: a caller that took that for its own failure must not hide it.
   */
  post(event: NodeEvent): void {
    if (this.#failure !== null) throw this.#failure.error;
    const isEarly = event.kind !== "started" && !("disk" in this.#state);
    if (this.#isClosed || isEarly) return;
    this.#waiting.push(event);
    if (this.#waiting.length > EVENTS_WAITING_MAX) throw new Error("too many events wait");
    if (this.#isDeciding) return;
    this.#isDeciding = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        this.#decide(next);
      }
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      this.#isDeciding = false;
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  #decide(event: NodeEvent): void {
    const { nowBootMs, persist, run, onDecided } = this.#options;
    const decision = decideNode(this.#state, event, nowBootMs());
    this.#state = decision.state;
    if (event.kind === "started" && event.disk !== null) this.#disk = event.disk;
    for (const effect of decision.effects) {
      if (effect.kind !== "persist") {
        run(effect);
        continue;
      }
      try {
        persist(effect.disk);
        this.#disk = effect.disk;
      } catch (error) {
        const cause = error instanceof Error ? error.message : String(error);
        this.#waiting.unshift({ kind: "persistFailed", cause, kept: this.#disk });
        break;
      }
    }
    onDecided(decision.reason);
  }
}
