import { ERRNO } from "../../../node-agent/adapters/linux/errno.ts";
import type { BlockingKind } from "../../../node-agent/fuse/ports.ts";
import type { BlockingWakeups } from "../../../node-agent/replication/core.ts";
import type { SimDisk } from "../sim-disk.ts";

type Done = { readonly result: number; readonly done: (result: number) => void };

export type BlockingOptions = {
  readonly descriptor: number;
  readonly disk: SimDisk;
  /** On the helper threads: later, if the process still lives. */
  readonly after: (delayMs: number, run: () => void) => void;
  readonly onChange: () => void;
  readonly onDurable: () => void;
};

const FLUSH_MS = 2;
/** Not so long that it never ends within a run, but longer than anybody waits. */
const HANG_MS = 3_600_000;

/** The helper threads that wait for the disk. A descriptor of a file is its stamp. */
export class SimBlocking implements BlockingWakeups {
  readonly descriptor: number;
  readonly #options: BlockingOptions;
  readonly #finished: Done[] = [];

  constructor(options: BlockingOptions) {
    this.descriptor = options.descriptor;
    this.#options = options;
  }

  readiness(): number {
    return this.#finished.length > 0 ? 1 : 0;
  }

  submit(kind: BlockingKind, fd: number, done: (result: number) => void): boolean {
    const mark = this.#options.disk.tree.mark();
    if (kind === "syncfs" || fd === ROOT_FD) this.#run((tree) => tree.flushAll(mark), done);
    else this.submitFile(fd, mark, done);
    return true;
  }

  submitFile(stamp: number, mark: number, done: (result: number) => void): void {
    this.#run((tree) => tree.flushFile(stamp, mark), done);
  }

  /** A call to the disk of the state folder. */
  submitState(work: () => void, done: (result: number) => void): void {
    const { disk, after, onChange } = this.#options;
    const { slowMs } = disk.faults;
    after(Number.isFinite(slowMs) ? FLUSH_MS + slowMs : HANG_MS, () => {
      const { stateError } = disk.faults;
      if (stateError === null) work();
      this.#finished.push({ result: stateError === null ? 0 : -ERRNO[stateError], done });
      onChange();
    });
  }

  handleReadable(): void {
    for (const { result, done } of this.#finished.splice(0)) done(result);
  }

  #run(flush: (tree: SimDisk["tree"]) => void, done: (result: number) => void): void {
    const { disk, after, onChange, onDurable } = this.#options;
    const { slowMs } = disk.faults;
    after(Number.isFinite(slowMs) ? FLUSH_MS + slowMs : HANG_MS, () => {
      const { dataError } = disk.faults;
      if (dataError === null) {
        flush(disk.tree);
        onDurable();
      }
      this.#finished.push({ result: dataError === null ? 0 : -ERRNO[dataError], done });
      onChange();
    });
  }
}

/** Stands for the root directory where a descriptor is asked for. */
export const ROOT_FD = 2 ** 40;
