import { ERRNO } from "../../../node-agent/adapters/linux/errno.ts";
import {
  INCOMPLETE,
  JOINED,
  type Job,
  type ResyncHost,
  type ResyncRecord,
  ResyncRun,
} from "./resync-run.ts";

/** The side whose copy is made equal. */
export class TargetRun extends ResyncRun {
  #isMarked = false;

  constructor(host: ResyncHost, job: Extract<Job, { role: "target" }>) {
    super(host);
    this.open(job.established);
  }

  protected override take(record: ResyncRecord): void {
    const { disk } = this.host;
    if (record.kind === "answer") {
      this.finish("malformed");
      return;
    }
    const error = disk.faults.dataError ?? disk.faults.stateError;
    if (error !== null && record.kind !== "finish") {
      const failure = `targetFault: errno ${ERRNO[error]}`;
      this.send({ kind: "answer", failure });
      this.finish(failure);
      return;
    }
    if (record.kind === "finish") {
      this.#sync();
      return;
    }
    if (record.kind === "names") this.#names(record.names);
    else this.#file(record);
    this.send({ kind: "answer", failure: null });
  }

  #changing(): void {
    if (this.#isMarked) return;
    this.#isMarked = true;
    this.host.disk.setMarker(INCOMPLETE, true);
  }

  #names(names: readonly string[]): void {
    const { tree } = this.host.disk;
    const wanted = new Set(names);
    for (const name of [...tree.names.keys()]) {
      if (wanted.has(name)) continue;
      this.#changing();
      tree.setNames([[name, null]]);
    }
  }

  #file({ name, stamp, cells }: Extract<ResyncRecord, { kind: "file" }>): void {
    const { tree } = this.host.disk;
    let inode = tree.names.get(name);
    if (inode === undefined || inode.stamp !== stamp) {
      this.#changing();
      inode = tree.inode(stamp) ?? { stamp, cells: new Map() };
      tree.setNames([[name, inode]]);
    }
    const source = new Map(cells);
    const changed: [number, number][] = [];
    for (const cell of new Set([...inode.cells.keys(), ...source.keys()])) {
      const value = source.get(cell) ?? 0;
      if ((inode.cells.get(cell) ?? 0) !== value) changed.push([cell, value]);
    }
    if (changed.length === 0) return;
    this.#changing();
    tree.setCells(inode, changed);
  }

  #sync(): void {
    const { disk, after } = this.host;
    const mark = disk.tree.mark();
    const { slowMs } = disk.faults;
    if (!Number.isFinite(slowMs)) return;
    after(5 + slowMs, () => {
      if (disk.faults.dataError !== null || disk.faults.stateError !== null) {
        this.send({ kind: "answer", failure: "targetFault: sync" });
        this.finish("targetFault: sync");
        return;
      }
      disk.tree.flushAll(mark);
      disk.setMarker(INCOMPLETE, false);
      this.send({ kind: "answer", failure: null });
      disk.setMarker(JOINED, true);
      this.finish(null);
    });
  }
}
