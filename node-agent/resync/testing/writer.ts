/** Starts an application thread (writer-worker.ts) and stands for the core between it and a resync. */
import { setTimeout } from "node:timers/promises";
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { DirtySet } from "#model/replication/dirty-set.ts";
import { assert } from "#model/shared/assert.ts";
import type { ResyncCore } from "../resync.ts";
import { type Report, WRITER, type WriterJob } from "./writer-job.ts";

const PAUSE_MS_MAX = 10_000;
const START_MS_MAX = 10_000;
/** What it does at least before a resync asks for the first time. */
export const STEPS_MIN = 20;

export class Writer {
  readonly #worker: Worker;
  readonly #channel = new MessageChannel();
  readonly #signals = new Int32Array(new SharedArrayBuffer(16));
  readonly #dirty = new DirtySet();
  #pauses = 0;

  constructor(root: string, seed: number, steps: number) {
    const { port2: reports } = this.#channel;
    const job: WriterJob = { root, seed, steps, reports, signals: this.#signals };
    const script = new URL("./writer-worker.ts", import.meta.url);
    this.#worker = new Worker(script, { workerData: job, transferList: [reports] });
  }

  /** Resolves when it is at work. */
  async started(): Promise<void> {
    for (let waitedMs = 0; this.stepsDone === 0; waitedMs += 5) {
      assert(waitedMs < START_MS_MAX, "the application did not start");
      await setTimeout(5);
    }
  }

  get stepsDone(): number {
    return Atomics.load(this.#signals, WRITER.stepsDone);
  }

  /** What the real core does for a resync, for this application. */
  readonly core: Partial<ResyncCore> = {
    takeDirty: () => {
      // However busy the machine is: it has changed something while the first pass ran.
      if (this.#pauses === 0) this.#awaitSteps(STEPS_MIN);
      for (let next = this.#next(); next !== null; next = this.#next()) {
        if (next.kind === "directory") this.#dirty.changedDirectory(0, next.path);
        else if (next.kind === "subtree") this.#dirty.changedSubtree(0, next.path);
        else if (next.kind === "renamed") this.#dirty.renamed(0, next.from, next.to);
        else if (next.kind === "inode") this.#dirty.changedInode(0, next.inode);
        else if (next.kind === "lostName") this.#dirty.lostName(0, next.inode);
        else if (next.kind === "file") this.#dirty.changedFile(0, next.path, next.change);
      }
      return this.#dirty.take();
    },
    pause: () => {
      this.#pauses += 1;
      Atomics.store(this.#signals, WRITER.pauseAsked, this.#pauses);
      Atomics.notify(this.#signals, WRITER.pauseAsked);
      const untilMs = performance.now() + PAUSE_MS_MAX;
      for (;;) {
        const paused = Atomics.load(this.#signals, WRITER.paused);
        if (paused === this.#pauses) break;
        if (performance.now() > untilMs) return false;
        Atomics.wait(this.#signals, WRITER.paused, paused, 100);
      }
      return true;
    },
    slow: (milliseconds) => {
      Atomics.store(this.#signals, WRITER.slowMs, milliseconds);
    },
    resume: () => {
      Atomics.store(this.#signals, WRITER.pauseAsked, 0);
      Atomics.notify(this.#signals, WRITER.pauseAsked);
    },
  };

  #awaitSteps(count: number): void {
    const untilMs = performance.now() + START_MS_MAX;
    while (this.stepsDone < count && performance.now() < untilMs) {
      Atomics.wait(this.#signals, WRITER.stepsDone, this.stepsDone, 5);
    }
  }

  #next(): Report | null {
    const received = receiveMessageOnPort(this.#channel.port1);
    if (received === undefined) return null;
    const report: Report = received.message;
    return report;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
    this.#channel.port1.close();
  }
}
