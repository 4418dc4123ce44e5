import type { NodeDisk } from "#model/quorum/disk.ts";
import type { FoundDisk } from "../../node-agent/mirror/quorum-store.ts";
import type { Prng } from "./prng.ts";
import { SimLog } from "./sim-log.ts";
import { SimTree } from "./sim-tree.ts";

/** What a disk does to whoever uses it. */
export type DiskFaults = {
  /** Calls fail with this errno; null: they do not. */
  dataError: "EIO" | "ENOSPC" | "EROFS" | null;
  stateError: "EIO" | "ENOSPC" | "EROFS" | null;
  /** Each call to the data disk takes this much longer; Infinity: it hangs. */
  slowMs: number;
};

export const WELL: DiskFaults = { dataError: null, stateError: null, slowMs: 0 };

/** What one module has on a node's disk. */
export class SimDisk {
  readonly tree: SimTree;
  readonly faults: DiskFaults;
  /** The quorum file: absent, as written, or damaged. Whoever reads it changes nothing of it. */
  #quorum: NodeDisk | null = null;
  #isDamaged = false;
  /** Marker files of the state folder. */
  readonly markers = new Set<string>();
  /** The record of changes. */
  changes = new SimLog();
  /** The durable point that the replicated directory itself is marked with. */
  mark: string | null = null;
  onPersist: (was: NodeDisk | null, now: NodeDisk) => void = () => undefined;

  constructor(nowMs: () => number, faults: DiskFaults) {
    this.tree = new SimTree(nowMs);
    this.faults = faults;
  }

  get quorum(): NodeDisk | null {
    return this.#isDamaged ? null : this.#quorum;
  }

  readQuorum(): FoundDisk {
    if (this.#isDamaged) return { disk: null, isDiskLost: true, detail: "checksum" };
    if (this.#quorum === null) return { disk: null, isDiskLost: false, detail: "no file" };
    return { disk: this.#quorum, isDiskLost: false, detail: "read" };
  }

  /** Atomic and durable when it returns, as the real one is. */
  writeQuorum(disk: NodeDisk): void {
    if (this.faults.stateError !== null) throw new Error(`${this.faults.stateError}: quorum.json`);
    const was = this.quorum;
    this.#quorum = disk;
    this.#isDamaged = false;
    this.onPersist(was, disk);
  }

  damageQuorum(): void {
    if (this.#quorum !== null) this.#isDamaged = true;
  }

  setMarker(name: string, isSet: boolean): void {
    if (isSet) this.markers.add(name);
    else this.markers.delete(name);
  }

  losePower(prng: Prng): void {
    this.tree.losePower(prng);
    this.changes.losePower(prng);
  }

  /** An empty disk is put in its place. */
  replace(): void {
    this.#quorum = null;
    this.#isDamaged = false;
    this.markers.clear();
    this.changes.replace(null);
    this.mark = null;
    this.tree.clear();
  }

  /** Everything as it is now, to be put back later: a machine's snapshot. */
  snapshot(): () => void {
    const [quorum, markers, tree] = [this.#quorum, [...this.markers], this.tree.snapshot()];
    const [changes, mark] = [this.changes.bytes, this.mark];
    return () => {
      this.#quorum = quorum;
      this.#isDamaged = false;
      this.markers.clear();
      for (const marker of markers) this.markers.add(marker);
      this.changes = new SimLog();
      this.changes.replace(changes);
      this.mark = mark;
      tree();
    };
  }
}
