import type { Budgets } from "./budgets.ts";
import { doubled } from "./doubled.ts";

/** Columns of a row. */
export const WIDTH = 7;

const FIRST_ROWS = 1 << 16;

/**
 * All states seen, each a row of `WIDTH` numbers, found again by its contents: an open-addressing
 * hash over flat arrays, as a JavaScript object per state would not fit into memory.
 */
export class RowTable {
  #rows = new Int32Array(FIRST_ROWS * WIDTH);
  #index = new Int32Array(FIRST_ROWS * 4).fill(-1);
  /** For each row, the budgets that it was reached with, or with more, as bits. */
  #budgets: Uint32Array<ArrayBuffer>;
  readonly #within: readonly Uint32Array[];
  readonly #words: number;
  #size = 0;

  constructor({ within, words }: Budgets) {
    this.#within = within;
    this.#words = words;
    this.#budgets = new Uint32Array(FIRST_ROWS * words);
  }

  get size(): number {
    return this.#size;
  }

  read(id: number, into: Int32Array): void {
    into.set(this.#rows.subarray(id * WIDTH, (id + 1) * WIDTH));
  }

  /** Was the row never reached with this much left, or more? From now on it was. */
  isNews(id: number, budget: number): boolean {
    const at = id * this.#words;
    const word = this.#budgets[at + (budget >> 5)] ?? 0;
    if ((word & (1 << (budget & 31))) !== 0) return false;
    this.#within[budget]?.forEach((bits, i) => {
      this.#budgets[at + i] = (this.#budgets[at + i] ?? 0) | bits;
    });
    return true;
  }

  /** The number of the row with these contents. */
  add(row: Int32Array): number {
    const mask = this.#index.length - 1;
    let slot = hash(row, 0) & mask;
    for (;;) {
      const id = this.#index[slot] ?? -1;
      if (id === -1) break;
      if (this.#isSame(id, row)) return id;
      slot = (slot + 1) & mask;
    }
    const id = this.#size;
    this.#size += 1;
    if (this.#size * WIDTH > this.#rows.length) this.#grow();
    this.#rows.set(row, id * WIDTH);
    if (this.#size * 2 > this.#index.length) this.#rehash();
    else this.#index[slot] = id;
    return id;
  }

  #isSame(id: number, row: Int32Array): boolean {
    const at = id * WIDTH;
    for (let i = 0; i < WIDTH; i += 1) if (this.#rows[at + i] !== row[i]) return false;
    return true;
  }

  #grow(): void {
    this.#rows = doubled(this.#rows);
    this.#budgets = doubled(this.#budgets);
  }

  #rehash(): void {
    this.#index = new Int32Array(this.#index.length * 2).fill(-1);
    const mask = this.#index.length - 1;
    for (let id = 0; id < this.#size; id += 1) {
      let slot = hash(this.#rows, id * WIDTH) & mask;
      while (this.#index[slot] !== -1) slot = (slot + 1) & mask;
      this.#index[slot] = id;
    }
  }
}

/** FNV-1a over words, with a final mix (murmur3's): rows differ in few low bits. */
function hash(words: Int32Array, at: number): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < WIDTH; i += 1) {
    h = Math.imul(h ^ (words[at + i] ?? 0), 0x01000193);
    h ^= h >>> 15;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
