import { doubled } from "./doubled.ts";

/** Which states can reach a goal by moves that are no faults: looked at backwards, at the end. */
export class ExitMap {
  #from = new Int32Array(1 << 16);
  #to = new Int32Array(1 << 16);
  #count = 0;
  readonly #goals: number[] = [];

  isGoal(id: number): void {
    this.#goals.push(id);
  }

  leads(from: number, to: number): void {
    if (from === to) return;
    if (this.#count === this.#from.length) {
      this.#from = doubled(this.#from);
      this.#to = doubled(this.#to);
    }
    this.#from[this.#count] = from;
    this.#to[this.#count] = to;
    this.#count += 1;
  }

  /** The first of `size` states from which no goal can be reached; null when there is none. */
  firstWithout(size: number): number | null {
    const starts = this.#edgesByTarget(size);
    const hasExit = new Uint8Array(size);
    const queue = new Int32Array(size);
    let end = 0;
    const reach = (id: number) => {
      if (hasExit[id] === 1) return;
      hasExit[id] = 1;
      queue[end] = id;
      end += 1;
    };
    for (const goal of this.#goals) reach(goal);
    for (let at = 0; at < end; at += 1) {
      const to = queue[at] ?? 0;
      for (let e = starts[to] ?? 0; e < (starts[to + 1] ?? 0); e += 1) {
        reach(this.#sources[e] ?? 0);
      }
    }
    const lost = hasExit.indexOf(0);
    return lost === -1 ? null : lost;
  }

  #sources = new Int32Array(0);

  /** Sorts the moves by where they lead; answers where those that lead to each state begin. */
  #edgesByTarget(size: number): Int32Array {
    const starts = new Int32Array(size + 2);
    for (let e = 0; e < this.#count; e += 1) {
      const after = (this.#to[e] ?? 0) + 1;
      starts[after] = (starts[after] ?? 0) + 1;
    }
    for (let id = 1; id <= size; id += 1) starts[id] = (starts[id] ?? 0) + (starts[id - 1] ?? 0);
    this.#sources = new Int32Array(this.#count);
    const next = starts.slice();
    for (let e = 0; e < this.#count; e += 1) {
      const to = this.#to[e] ?? 0;
      this.#sources[next[to] ?? 0] = this.#from[e] ?? 0;
      next[to] = (next[to] ?? 0) + 1;
    }
    return starts;
  }
}
