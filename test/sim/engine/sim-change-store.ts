import { ERRNO } from "../../../node-agent/adapters/linux/errno.ts";
import {
  decodeLog,
  encodeAppend,
  encodeStart,
  type LogAppend,
  type LogStart,
} from "../../../node-agent/replication/change-log-format.ts";
import type { ChangeStore, FoundRecord } from "../../../node-agent/replication/change-store.ts";
import type { SimDisk } from "../sim-disk.ts";
import { SimLog } from "../sim-log.ts";
import type { SimBlocking } from "./sim-blocking.ts";

/** What the disk says of its copy, whoever reads it. */
export function readRecord(disk: SimDisk, bootId: string): FoundRecord {
  const { bytes } = disk.changes;
  if (bytes === null) return { kind: "none", why: "there is no record" };
  const decoded = decodeLog(bytes);
  if (decoded.kind === "doubtful") return { kind: "none", why: `the record ${decoded.why}` };
  const { record } = decoded;
  const point = record.points.find((one) => one === disk.mark);
  if (point === undefined) return { kind: "none", why: "the record is not of these directories" };
  return { kind: "record", record, point, isSameBoot: record.bootId === bootId };
}

/** The change record of a simulated node, in its production form. */
export class SimChangeStore implements ChangeStore {
  readonly #disk: SimDisk;
  readonly #blocking: SimBlocking;
  readonly #bootId: string;
  #number = 0;
  /** Written, and not yet in the old one's place. */
  #next: { readonly log: SimLog; number: number } | null = null;
  #isOpen = false;
  sizeBytes = 0;

  constructor(disk: SimDisk, blocking: SimBlocking, bootId: string) {
    this.#disk = disk;
    this.#blocking = blocking;
    this.#bootId = bootId;
  }

  read(): FoundRecord {
    return readRecord(this.#disk, this.#bootId);
  }

  append(append: LogAppend): number {
    const { stateError } = this.#disk.faults;
    if (stateError !== null) return -ERRNO[stateError];
    if (this.#isOpen) {
      this.#disk.changes.append(encodeAppend(append, this.#number));
      this.#number += 1;
    }
    const next = this.#next;
    if (next !== null) {
      next.log.append(encodeAppend(append, next.number));
      next.number += 1;
    }
    return 0;
  }

  flush(done: (result: number) => void): void {
    const logs = [this.#disk.changes, this.#next?.log];
    const marks = logs.map((log) => log?.mark() ?? 0);
    this.#blocking.submitState(() => {
      for (const [at, log] of logs.entries()) log?.flush(marks[at] ?? 0);
    }, done);
  }

  replace(start: LogStart, done: (result: number) => void): void {
    const next = { log: new SimLog(), number: 1 };
    next.log.replace(encodeStart(start, this.#bootId));
    this.#next = next;
    const isStill = (): boolean => this.#next === next;
    this.#blocking.submitState(
      () => {
        if (!isStill()) return;
        this.#disk.changes = next.log;
        this.#number = next.number;
        this.#isOpen = true;
        this.#next = null;
      },
      (result) => done(result === 0 && isStill() ? -ERRNO.EBADF : result),
    );
  }

  mark(point: string, done: (result: number) => void): void {
    this.#blocking.submitState(() => {
      this.#disk.mark = point;
    }, done);
  }

  remove(): number {
    this.#isOpen = false;
    this.#next = null;
    const { stateError } = this.#disk.faults;
    if (stateError !== null) return -ERRNO[stateError];
    this.#disk.changes.replace(null);
    return 0;
  }
}
