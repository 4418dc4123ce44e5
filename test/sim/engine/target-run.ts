import { Buffer } from "node:buffer";
import { pointOf } from "#model/replication/change-record.ts";
import { NOTHING } from "#model/replication/dirty-set.ts";
import { ERRNO } from "../../../node-agent/adapters/linux/errno.ts";
import { encodeStart } from "../../../node-agent/replication/change-log-format.ts";
import { SimLog } from "../sim-log.ts";
import {
  INCOMPLETE,
  JOINED,
  type Job,
  type ResyncHost,
  type ResyncRecord,
  ResyncRun,
} from "./resync-run.ts";
import { readRecord } from "./sim-change-store.ts";

/** The side whose copy is made equal. */
export class TargetRun extends ResyncRun {
  #isMarked = false;
  readonly #attachmentId: string;

  constructor(host: ResyncHost, job: Extract<Job, { role: "target" }>) {
    super(host);
    this.#attachmentId = job.attachmentId;
    this.open(job.established);
  }

  protected override take(record: ResyncRecord): void {
    const { disk } = this.host;
    if (record.kind === "answer" || record.kind === "record") {
      this.finish("malformed");
      return;
    }
    const error = disk.faults.dataError ?? disk.faults.stateError;
    if (error !== null && record.kind !== "finish") {
      const failure = `targetFault: errno ${ERRNO[error]}`;
      this.send({ kind: "answer", failure });
      this.finish(failure, ERRNO[error]);
      return;
    }
    if (record.kind === "finish") {
      this.#sync();
      return;
    }
    if (record.kind === "recordAsked") {
      this.#offer();
      return;
    }
    const missing = record.kind === "names" ? this.#names(record.names) : [];
    if (record.kind === "file") this.#file(record);
    // Where a comparison of everything changes this copy, nobody will know.
    if (record.kind === "begin" && !record.isDelta) disk.changes.replace(null);
    this.send({ kind: "answer", failure: null, missing });
  }

  #offer(): void {
    const { disk, bootId } = this.host;
    const found = readRecord(disk, bootId);
    if (found.kind === "none" || !disk.markers.has(JOINED)) {
      const why = found.kind === "none" ? found.why : "the copy is new";
      this.send({ kind: "record", point: null, why, hot: [] });
      return;
    }
    const { everything, entries } = found.record.changes;
    const names = entries.map((entry) => Buffer.from(entry.path).toString());
    const { point } = found;
    this.send({ kind: "record", point, why: "", hot: everything ? null : names });
  }

  #changing(): void {
    if (this.#isMarked) return;
    this.#isMarked = true;
    this.host.disk.setMarker(INCOMPLETE, true);
  }

  /** Takes away what is not named; tells what is not there. */
  #names(names: readonly string[]): string[] {
    const { tree } = this.host.disk;
    const wanted = new Set(names);
    for (const name of [...tree.names.keys()]) {
      if (wanted.has(name)) continue;
      this.#changing();
      tree.setNames([[name, null]]);
    }
    return names.filter((name) => !tree.names.has(name));
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
        this.finish("targetFault: sync", ERRNO.EIO);
        return;
      }
      disk.tree.flushAll(mark);
      const point = pointOf(this.#attachmentId, 0);
      disk.mark = point;
      const start = {
        role: "secondary",
        points: [point],
        isStrict: true,
        changes: NOTHING,
      } as const;
      disk.changes = new SimLog();
      disk.changes.replace(encodeStart(start, this.host.bootId));
      disk.setMarker(INCOMPLETE, false);
      this.send({ kind: "answer", failure: null });
      disk.setMarker(JOINED, true);
      this.finish(null);
    });
  }
}
