import type { NodeDisk } from "#model/quorum/disk.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import type { SimModule } from "./sim-module.ts";

export type Decided = {
  readonly epoch: number;
  readonly primary: string | null;
  readonly inSync: readonly string[];
};

/**
 * What a majority has decided about one module, as seen from outside: by the witness's record, by
 * both nodes together, or by a primary and its secondary's standing vote.
 */
export class Majority {
  readonly #module: SimModule;
  last: Decided = { epoch: 0, primary: null, inSync: [] };
  /** Of the newest primary that a person forced: promises of older ones are worth nothing. */
  forcedEpoch = 0;
  #historyId: string | null = null;

  constructor(module: SimModule) {
    this.#module = module;
  }

  onPersist(nodeId: string, was: NodeDisk | null, now: NodeDisk): void {
    const { world } = this.#module;
    if (now.primary === null) return;
    const isPairs = now.pairDecision !== null && now.pairDecision.terms.epoch === now.epoch;
    if (isPairs && now.epoch > this.last.epoch) {
      const { primary, inSync, epoch } = now.pairDecision?.terms ?? now;
      world.see("decided by the pair");
      if ((this.#module.record?.epoch ?? 0) < epoch) world.see("the pair's epoch above W's");
      this.#decided(epoch, primary ?? now.primary, inSync);
    }
    const standingVote = now.standingVotes[0];
    if (standingVote !== undefined && was?.standingVotes[0]?.epoch !== standingVote.epoch) {
      world.see("standing vote");
      if (standingVote.epoch === this.last.epoch) {
        this.#decided(standingVote.epoch, now.primary, [now.primary]);
      }
    }
    if (was?.isUnclean === true && !now.isUnclean && now.primary === nodeId) {
      this.#module.forgiveWhatLacks(nodeId, "started from what its disk kept");
    }
  }

  onRecord(now: WitnessRecord): void {
    if (now.primary === null || now.isRecovering || now.epoch < this.last.epoch) return;
    const isForced = this.#historyId !== null && now.historyId !== this.#historyId;
    this.#historyId = now.historyId;
    if (isForced) {
      this.#module.tell({ ev: "force", node: now.primary, epoch: now.epoch });
      this.#module.world.see("forced start");
      this.forcedEpoch = now.epoch;
      this.#module.forgiveWhatLacks(now.primary, "forced");
    }
    this.#decided(now.epoch, now.primary, now.inSync);
  }

  #decided(epoch: number, primary: string, inSync: readonly string[]): void {
    const { last } = this;
    const { world } = this.#module;
    const isNew = epoch > last.epoch;
    if (isNew) this.#seeTakeOver(last.primary, primary);
    if (isNew) this.#module.tell({ ev: "grant", node: primary, epoch });
    const isSame = !isNew && last.inSync.join() === inSync.join();
    this.last = { epoch, primary, inSync: [...inSync] };
    if (inSync.length === 2) world.everybodyKnows();
    if (!isSame) this.#module.tell({ ev: "insync", epoch, set: inSync });
    if (epoch >= 10) world.see("epoch >= 10");
    world.see(`in-sync set of ${inSync.length}`);
    if (isNew) world.see(`${primary} took over`);
  }

  #seeTakeOver(from: string | null, to: string): void {
    const old = from === null || from === to ? null : this.#module.view(from).quorum;
    if (old === null) return;
    const { world } = this.#module;
    if (old.joining !== null) world.see("an unanswered grow at a failover");
    if (old.standingVotes.length > 0) world.see("a standing vote at a failover");
    if (old.released !== null) world.see("a release taken up");
  }
}
