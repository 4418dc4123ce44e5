/**
 * What a start script waits at: the replicated directories can be written to, or nobody wants the
 * application here any more. Every wait ends with one of the two; one that did not would hold the
 * life cycle, and with it every later stop.
 */
export class MountGate {
  #isOpen = false;
  #waiting: ((isOpen: boolean) => void)[] = [];

  /** Resolves with true once the directories serve, with false when the wait is given up. */
  passed(): Promise<boolean> {
    if (this.#isOpen) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  open(): void {
    this.#isOpen = true;
    this.#end(true);
  }

  /** The directories are taken away. */
  shut(): void {
    this.#isOpen = false;
    this.#end(false);
  }

  /** Nobody wants to pass now; what is mounted stays so. */
  giveUp(): void {
    this.#end(this.#isOpen);
  }

  #end(isOpen: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve(isOpen);
  }
}
