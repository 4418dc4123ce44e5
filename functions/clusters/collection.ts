/**
 * Records with a type: every row is parsed when it is read, because whatever wrote it may have been
 * an older program. All change is by conditional write, so that two who change the same record
 * decide one after the other.
 */
import type * as z from "zod/mini";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { RecordStore } from "../ports.ts";

/** How often a lost race is run again before the caller is told to come back. */
const ATTEMPTS_MAX = 30;

export interface Versioned<T> {
  readonly id: string;
  readonly version: number;
  readonly value: T;
}

export class Collection<T> {
  readonly #store: RecordStore;
  readonly #name: string;
  readonly #schema: z.ZodMiniType<T>;

  constructor(store: RecordStore, name: string, schema: z.ZodMiniType<T>) {
    this.#store = store;
    this.#name = name;
    this.#schema = schema;
  }

  #key(clusterId: string, id: string) {
    return { partition: `${this.#name}/${clusterId}`, id };
  }

  async read(clusterId: string, id: string): Promise<Versioned<T> | null> {
    const stored = await this.#store.read(this.#key(clusterId, id));
    if (stored === null) return null;
    return { id, version: stored.version, value: this.#schema.parse(JSON.parse(stored.text)) };
  }

  async list(clusterId: string): Promise<readonly Versioned<T>[]> {
    const stored = await this.#store.list(`${this.#name}/${clusterId}`);
    return stored.map(({ id, version, text }) => ({
      id,
      version,
      value: this.#schema.parse(JSON.parse(text)),
    }));
  }

  write(clusterId: string, id: string, seenVersion: number, value: T): Promise<boolean> {
    return this.#store.write(this.#key(clusterId, id), seenVersion, JSON.stringify(value));
  }

  remove(clusterId: string, id: string, seenVersion: number): Promise<boolean> {
    return this.#store.remove(this.#key(clusterId, id), seenVersion);
  }

  /**
   * Reads, decides, stores, and decides anew when someone else was first. `decide` may run several
   * times, so it must not do anything but decide; returning what it was given stores nothing.
   */
  async change(
    clusterId: string,
    id: string,
    decide: (was: T | null) => Result<T, ApiFailure>,
  ): Promise<Result<T, ApiFailure>> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      const was = await this.read(clusterId, id);
      const decided = decide(was?.value ?? null);
      if (!decided.ok || decided.value === was?.value) return decided;
      if (await this.write(clusterId, id, was?.version ?? 0, decided.value)) {
        return ok(decided.value);
      }
    }
    return err(failure("contended", "too many changed this at once", "try again"));
  }
}
