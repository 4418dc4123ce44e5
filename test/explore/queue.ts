import type { Budgets } from "./budgets.ts";
import { doubled } from "./doubled.ts";

/**
 * What is still to be looked at: a state, with what is left of the budget. Those with the most left
 * come first; among equals, the earlier ones. All entries are kept, as each knows where it came from.
 */
export class Queue {
  readonly #budgets: Budgets;
  #states = new Int32Array(1 << 16);
  #lefts = new Int32Array(1 << 16);
  #parents = new Int32Array(1 << 16);
  #depths = new Int32Array(1 << 16);
  #size = 0;
  /** Entries by how many faults are left, and how far each list was taken. */
  readonly #lists: { entries: Int32Array<ArrayBuffer>; size: number; taken: number }[];
  #level: number;

  constructor(budgets: Budgets) {
    this.#budgets = budgets;
    this.#level = budgets.all[0]?.faults ?? 0;
    this.#lists = Array.from({ length: this.#level + 1 }, () => ({
      entries: new Int32Array(1 << 10),
      size: 0,
      taken: 0,
    }));
  }

  add(state: number, left: number, parent: number): void {
    const entry = this.#size;
    if (entry === this.#states.length) {
      this.#states = doubled(this.#states);
      this.#lefts = doubled(this.#lefts);
      this.#parents = doubled(this.#parents);
      this.#depths = doubled(this.#depths);
    }
    this.#states[entry] = state;
    this.#lefts[entry] = left;
    this.#parents[entry] = parent;
    this.#depths[entry] = parent < 0 ? 0 : this.depthOf(parent) + 1;
    this.#size += 1;
    const list = this.#lists[this.#budgets.all[left]?.faults ?? 0];
    if (list === undefined) throw new Error(`no list for budget ${left}`);
    if (list.size === list.entries.length) list.entries = doubled(list.entries);
    list.entries[list.size] = entry;
    list.size += 1;
  }

  /** -1: nothing is left. */
  take(): number {
    for (; this.#level >= 0; this.#level -= 1) {
      const list = this.#lists[this.#level];
      if (list === undefined || list.taken === list.size) continue;
      list.taken += 1;
      return list.entries[list.taken - 1] ?? -1;
    }
    return -1;
  }

  stateOf = (entry: number): number => this.#states[entry] ?? -1;
  budgetOf = (entry: number): number => this.#lefts[entry] ?? -1;
  parentOf = (entry: number): number => this.#parents[entry] ?? -1;
  depthOf = (entry: number): number => this.#depths[entry] ?? 0;

  /** The first entry of a state. */
  firstOf = (state: number): number => this.#states.indexOf(state);
}
