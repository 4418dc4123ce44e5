import type { NodeDisk } from "#model/quorum/disk.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import type { TraceEvent } from "../trace.ts";
import { type Checker, type NodeView, Violation } from "./checker.ts";

/** S2: epochs never go back, on a disk or at the witness, and a grant's is above all before it. */
export class EpochsRise implements Checker {
  readonly name = "S2";
  #granted = 0;
  /** The witness's table was put back: what it knows may be old until it has asked the nodes. */
  #store: string | null = null;

  onPersist(node: NodeView, was: NodeDisk | null, now: NodeDisk): void {
    if (was !== null && now.epoch < was.epoch) {
      throw new Violation("S2", `${node.id} went back from epoch ${was.epoch} to ${now.epoch}`);
    }
  }

  onRecord(was: WitnessRecord | null, now: WitnessRecord): void {
    const isSameStore = this.#store === null || this.#store === now.storeId;
    this.#store = now.storeId;
    if (was === null || was.isRecovering || now.isRecovering || !isSameStore) return;
    if (was.storeId !== now.storeId) return;
    if (now.epoch < was.epoch) {
      throw new Violation("S2", `the witness went back from ${was.epoch} to ${now.epoch}`);
    }
    if (now.version <= was.version) {
      throw new Violation("S2", `the record's version went from ${was.version} to ${now.version}`);
    }
  }

  onEvent(event: TraceEvent): void {
    if (event.ev !== "grant") return;
    if (event.epoch < this.#granted) {
      throw new Violation("S2", `epoch ${event.epoch} granted after ${this.#granted}`);
    }
    this.#granted = event.epoch;
  }
}
