/** How many faults may still come: of each kind, and in all. */
export type Budget = {
  readonly faults: number;
  readonly crashes: number;
  /** Messages lost (a cut), late, or doubled. */
  readonly strays: number;
  readonly lostReplies: number;
  readonly forces: number;
  /** A person's stop or switchover. */
  readonly orders: number;
};

export type FaultKind = Exclude<keyof Budget, "faults">;

export const NO_FAULTS: Budget = {
  faults: 0,
  crashes: 0,
  strays: 0,
  lostReplies: 0,
  forces: 0,
  orders: 0,
};

/** What is left after a fault; null: it is not left. */
export function spent(budget: Budget, kind: FaultKind): Budget | null {
  if (budget.faults < 1 || budget[kind] < 1) return null;
  const faults = budget.faults - 1;
  const left = (of: FaultKind) => Math.min(faults, budget[of] - (of === kind ? 1 : 0));
  return {
    faults,
    crashes: left("crashes"),
    strays: left("strays"),
    lostReplies: left("lostReplies"),
    forces: left("forces"),
    orders: left("orders"),
  };
}

const KINDS = ["faults", "crashes", "strays", "lostReplies", "forces", "orders"] as const;

const isWithin = (x: Budget, y: Budget): boolean => KINDS.every((kind) => x[kind] <= y[kind]);

/**
 * All budgets that can be left of one, numbered from the whole one down: the number of faults in all
 * never rises along the list.
 */
export class Budgets {
  readonly all: readonly Budget[];
  readonly #spent: readonly ReadonlyMap<FaultKind, number>[];
  /** For each budget, the numbers of those within it, as bits of words. */
  readonly within: readonly Uint32Array[];
  readonly words: number;

  constructor(whole: Budget) {
    const found = new Map<string, Budget>([[JSON.stringify(whole), whole]]);
    for (const budget of found.values()) {
      for (const kind of FAULT_KINDS) {
        const next = spent(budget, kind);
        if (next !== null) found.set(JSON.stringify(next), next);
      }
    }
    this.all = [...found.values()].sort((x, y) => y.faults - x.faults);
    const numbers = new Map(this.all.map((budget, i) => [JSON.stringify(budget), i]));
    this.#spent = this.all.map((budget) => {
      const next = new Map<FaultKind, number>();
      for (const kind of FAULT_KINDS) {
        const number = numbers.get(JSON.stringify(spent(budget, kind)));
        if (number !== undefined) next.set(kind, number);
      }
      return next;
    });
    this.words = Math.ceil(this.all.length / 32);
    this.within = this.all.map((outer) => {
      const bits = new Uint32Array(this.words);
      this.all.forEach((inner, i) => {
        if (isWithin(inner, outer)) bits[i >> 5] = (bits[i >> 5] ?? 0) | (1 << (i & 31));
      });
      return bits;
    });
  }

  /** The number of what is left of budget number `from`. */
  after(from: number, faults: readonly FaultKind[]): number {
    let number = from;
    for (const kind of faults) {
      const next = this.#spent[number]?.get(kind);
      if (next === undefined) throw new Error(`no ${kind} is left`);
      number = next;
    }
    return number;
  }
}

const FAULT_KINDS: readonly FaultKind[] = ["crashes", "strays", "lostReplies", "forces", "orders"];
