/**
 * "Something about this changed, look again": wakes streams and long polls. A signal carries no
 * data and may be lost without harm; whoever waits also looks by itself when its wait is over, so a
 * deployment without a shared memory only answers later, never wrongly.
 */
import type { Timers } from "../ports.ts";

/** Waits at once; beyond it a wait ends immediately and its caller polls instead. */
const WAITS_MAX = 10_000;

export class Signals {
  readonly #timers: Timers;
  readonly #generations = new Map<string, number>();
  readonly #waits = new Map<string, Set<() => void>>();
  #waitsCount = 0;
  #isClosed = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Take this before looking, and give it to {@link wait}: then no signal falls in between. */
  generation(topic: string): number {
    return this.#generations.get(topic) ?? 0;
  }

  notify(topic: string): void {
    this.#generations.set(topic, this.generation(topic) + 1);
    const waits = this.#waits.get(topic);
    this.#waits.delete(topic);
    for (const wake of waits ?? []) wake();
  }

  /** Resolves at the next signal after `seen`, after `maxMs`, or when the caller has gone. */
  wait(topic: string, seen: number, maxMs: number, signal: AbortSignal): Promise<void> {
    const isLate = this.generation(topic) !== seen || this.#waitsCount >= WAITS_MAX;
    if (isLate || signal.aborted || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const waits = this.#waits.get(topic) ?? new Set();
      this.#waits.set(topic, waits);
      this.#waitsCount += 1;
      const wake = () => {
        if (!isWaiting) return;
        isWaiting = false;
        this.#waitsCount -= 1;
        waits.delete(wake);
        timer.cancel();
        signal.removeEventListener("abort", wake);
        resolve();
      };
      let isWaiting = true;
      const timer = this.#timers.after(maxMs, wake);
      signal.addEventListener("abort", wake, { once: true });
      waits.add(wake);
    });
  }

  /** True once the process is going down: streams end instead of waiting again. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Ends every wait, now and from now on. */
  close(): void {
    this.#isClosed = true;
    for (const topic of [...this.#waits.keys()]) this.notify(topic);
  }
}

/** Anything that people see of a cluster. */
export const clusterTopic = (clusterId: string): string => `cluster/${clusterId}`;
/** What one node shall do or run. */
export const nodeTopic = (clusterId: string, nodeId: string): string =>
  `node/${clusterId}/${nodeId}`;
