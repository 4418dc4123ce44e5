import type { RecordStore } from "../../functions/ports.ts";
import type { Prng } from "./prng.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** What goes wrong between the control plane and its table. Shares are 0 to 1. */
export type StoreFaults = {
  latencyMs: number;
  /** Refused at once, nothing done. */
  throttled: number;
  /** Fails, nothing done. */
  failing: number;
  /** Stored, and the caller is told of an error. */
  lostReply: number;
  /** Told of an error now, and stored a while later if the condition still holds then. */
  lateCommit: number;
};

const WELL: StoreFaults = {
  ...{ latencyMs: 3, throttled: 0, failing: 0, lostReply: 0, lateCommit: 0 },
};

type Kept = { readonly version: number; readonly text: string };

const keyOf = (partition: string, id: string): string => `${partition} ${id}`;

/** Versioned records with conditional writes, over a table that can be slow, fail and be restored. */
export class SimStore implements RecordStore {
  storeId = "store-1";
  readonly faults: StoreFaults = { ...WELL };
  /** The control run: a read may miss what was written within this time. Must be found out. */
  staleForMs = 0;
  readonly #clock: VirtualClock;
  readonly #prng: Prng;
  #records = new Map<string, Kept>();
  #past = new Map<string, { readonly kept: Kept | undefined; readonly atMs: number }>();
  #backup: ReadonlyMap<string, Kept> = new Map();
  #incarnations = 1;
  onWrite: (partition: string, id: string, was: string | null, now: string) => void = () =>
    undefined;

  constructor(clock: VirtualClock, prng: Prng) {
    this.#clock = clock;
    this.#prng = prng;
  }

  get isWell(): boolean {
    const { throttled, failing, lostReply, lateCommit, latencyMs } = this.faults;
    return throttled + failing + lostReply + lateCommit === 0 && latencyMs === WELL.latencyMs;
  }

  heal(): void {
    Object.assign(this.faults, WELL);
  }

  /** Looks into a record from outside. */
  peek(partition: string, id: string): string | null {
    return this.#records.get(keyOf(partition, id))?.text ?? null;
  }

  takeBackup(): void {
    this.#backup = new Map(this.#records);
  }

  /** Put back to what it was, or (with `isEmpty`) begun anew; whose records start so is kept. */
  restore(isEmpty: boolean, isKept: (key: string) => boolean): void {
    this.#incarnations += 1;
    this.storeId = `store-${this.#incarnations}`;
    const kept = [...this.#records].filter(([key]) => isKept(key));
    const old = isEmpty ? [] : [...this.#backup].filter(([key]) => !isKept(key));
    this.#records = new Map([...old, ...kept]);
  }

  async read({ partition, id }: { readonly partition: string; readonly id: string }) {
    await this.#call(this.#clock.running === "routine" ? "routine" : "work");
    const key = keyOf(partition, id);
    const past = this.#past.get(key);
    const isStale =
      past !== undefined &&
      this.#clock.trueMs - past.atMs < this.staleForMs &&
      this.#prng.chance(0.5);
    const kept = isStale ? past.kept : this.#records.get(key);
    return kept === undefined ? null : { id, ...kept };
  }

  async list(partition: string) {
    await this.#call();
    const prefix = `${partition} `;
    return [...this.#records]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, kept]) => ({ id: key.slice(prefix.length), ...kept }));
  }

  async write(
    { partition, id }: { readonly partition: string; readonly id: string },
    seenVersion: number,
    text: string,
  ): Promise<boolean> {
    await this.#call();
    const store = (): boolean => this.#store(partition, id, seenVersion, text);
    if (this.#prng.chance(this.faults.lateCommit)) {
      this.#clock.after("work", this.#prng.between(10, 8000), store);
      throw new Error("the table did not answer");
    }
    const isStored = store();
    if (this.#prng.chance(this.faults.lostReply)) throw new Error("the connection broke");
    return isStored;
  }

  async remove(
    { partition, id }: { readonly partition: string; readonly id: string },
    seenVersion: number,
  ): Promise<boolean> {
    await this.#call();
    const key = keyOf(partition, id);
    if (this.#records.get(key)?.version !== seenVersion) return false;
    return this.#records.delete(key);
  }

  #store(partition: string, id: string, seenVersion: number, text: string): boolean {
    const key = keyOf(partition, id);
    const kept = this.#records.get(key);
    // The control run's table judges the condition as it reads: by what it saw.
    const isCurrent = (kept?.version ?? 0) === seenVersion;
    if (!isCurrent && this.staleForMs === 0) return false;
    this.#past.set(key, { kept, atMs: this.#clock.trueMs });
    this.#records.set(key, { version: seenVersion + 1, text });
    this.onWrite(partition, id, kept?.text ?? null, text);
    return true;
  }

  #call(kind: "routine" | "work" = "work"): Promise<void> {
    const { latencyMs, throttled, failing } = this.faults;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#clock.after(kind, latencyMs, () => {
      if (this.#prng.chance(throttled)) reject(new Error("throttled"));
      else if (this.#prng.chance(failing)) reject(new Error("the table failed"));
      else resolve();
    });
    return promise;
  }
}
