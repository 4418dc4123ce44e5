import { MODULE_STATES } from "#model/states/lifecycle.ts";
import type { LifeCycleRecord } from "../modules/life-cycle.ts";
import { MEMORY_WORD, type ModuleMemory, wordsOf } from "../peer/module-memory.ts";

const NO_MOVE = 7;

/**
 * How far the module's scripts are, in the memory that outlives the agent: one store before the
 * first script of a move and one after the last, so that whoever comes next knows whether the
 * application stands as its state says or a script was in the middle of something.
 */
export class LifeCycleWord {
  readonly #words: BigInt64Array;

  constructor(memory: ModuleMemory) {
    this.#words = wordsOf(memory);
  }

  /** null: nothing was ever written. */
  read(): LifeCycleRecord | null {
    const word = Number(Atomics.load(this.#words, MEMORY_WORD.lifeCycle)) - 1;
    const state = MODULE_STATES[word >> 3];
    if (word < 0 || state === undefined) return null;
    return { state, to: MODULE_STATES[word & 7] ?? null };
  }

  write({ state, to }: LifeCycleRecord): void {
    const move = to === null ? NO_MOVE : MODULE_STATES.indexOf(to);
    const word = 1 + MODULE_STATES.indexOf(state) * 8 + move;
    Atomics.store(this.#words, MEMORY_WORD.lifeCycle, BigInt(word));
  }
}
