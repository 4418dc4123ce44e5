import type { SimTree } from "./sim-tree.ts";

/**
 * Who wrote what, seen from outside: every operation of an application with the places that it
 * changed and the values it put there. A copy *holds* an operation when each of its places shows
 * that value, or the value of an operation that was issued later.
 */

/** A cell of a file, or a name. */
export type Place =
  | { readonly kind: "cell"; readonly stamp: number; readonly cell: number }
  | { readonly kind: "name"; readonly name: string };

type Change = { readonly place: Place; readonly value: number };

export type Op = {
  readonly id: number;
  readonly what: string;
  readonly node: string;
  readonly epoch: number;
  readonly changes: readonly Change[];
  /** An fsync asks for what its file's places held when it was called. */
  readonly isSync: boolean;
  /** Position of each change in its place's history. */
  readonly positions: readonly number[];
};

type Acked = { readonly position: number; readonly op: Op; isDurable: boolean };

/** One place: all values it was given in order, and which of them somebody was promised. */
type History = {
  readonly place: Place;
  /** Op ids by position; position 0 is what was before everything. */
  readonly values: number[];
  acked: Acked[];
};

const keyOf = (place: Place): string =>
  place.kind === "cell" ? `${place.stamp}.${place.cell}` : place.name;

export class Oracle {
  readonly #histories = new Map<string, History>();
  readonly #byOp = new Map<number, Op>();
  /** Files that somebody has taken the last name of: what was in them is nobody's any more. */
  readonly #removed = new Set<number>();
  #last = 0;
  ackedCount = 0;

  nextId(): number {
    this.#last += 1;
    return this.#last;
  }

  op(id: number): Op | undefined {
    return this.#byOp.get(id);
  }

  /** An application's call was carried out on the node that it runs on. */
  issued(o: Omit<Op, "positions">): Op {
    const positions = o.changes.map(({ place, value }) => {
      const history = this.#history(place);
      // An fsync is about what this copy has, though another one may have been given more since.
      if (o.isSync) return history.values.lastIndexOf(value);
      history.values.push(value);
      return history.values.length - 1;
    });
    const op: Op = { ...o, positions };
    this.#byOp.set(op.id, op);
    return op;
  }

  removed(stamp: number): void {
    this.#removed.add(stamp);
  }

  #isGone(place: Place): boolean {
    return place.kind === "cell" && this.#removed.has(place.stamp);
  }

  /** The application was told that it is done. */
  acknowledged(op: Op): void {
    this.ackedCount += 1;
    op.changes.forEach(({ place }, index) => {
      const position = op.positions[index] ?? 0;
      const history = this.#history(place);
      const isDurable = op.isSync;
      // What a later promise includes need not be kept.
      history.acked = history.acked.filter(
        (one) => one.position > position || (one.isDurable && !isDurable),
      );
      history.acked.push({ position, op, isDurable });
    });
  }

  holds(tree: SimTree, op: Op, isDurable = false): boolean {
    return op.changes.every(({ place }, index) => {
      if (this.#isGone(place)) return true;
      return this.#position(tree, place, isDurable) >= (op.positions[index] ?? 0);
    });
  }

  /** The first promise of that epoch or an earlier one that this copy cannot keep. */
  missing(tree: SimTree, epoch: number): { readonly op: Op; readonly where: string } | null {
    for (const history of this.#histories.values()) {
      if (history.acked.length === 0 || this.#isGone(history.place)) continue;
      const at = this.#position(tree, history.place, false);
      for (const { position, op } of history.acked) {
        if (position <= at || op.epoch > epoch) continue;
        const values = history.values.slice(-4).join(", ");
        return { op, where: `${keyOf(history.place)} (…, ${values}) is at ${at} of ${position}` };
      }
    }
    return null;
  }

  /**
   * Promises that none of these copies can keep are nobody's any more. `isExcused` says of which
   * kinds that may happen: what had only reached page caches, or everything.
   */
  forgive(trees: readonly SimTree[], isExcused: "cached" | "all"): number {
    let count = 0;
    for (const history of this.#histories.values()) {
      if (history.acked.length === 0) continue;
      const best = Math.max(-1, ...trees.map((t) => this.#position(t, history.place, false)));
      history.acked = history.acked.filter((one) => {
        if (one.position <= best || (one.isDurable && isExcused === "cached")) {
          // The disk that it was promised on is given up; these may have it in their caches only.
          const onDisk = trees.some((t) => this.#position(t, history.place, true) >= one.position);
          if (isExcused === "all" && !onDisk) one.isDurable = false;
          return true;
        }
        count += 1;
        return false;
      });
    }
    return count;
  }

  /** Where in a place's history that copy is; values that nobody issued are behind everything. */
  #position(tree: SimTree, place: Place, isDurable: boolean): number {
    // A file that is not there shows nothing, not even that it was cut short.
    if (place.kind === "cell" && !tree.hasFile(place.stamp, isDurable)) return 0;
    const value =
      place.kind === "cell"
        ? tree.cellOf(place.stamp, place.cell, isDurable)
        : tree.stampOf(place.name, isDurable);
    return this.#history(place).values.lastIndexOf(value);
  }

  #history(place: Place): History {
    const key = keyOf(place);
    let history = this.#histories.get(key);
    if (history === undefined) {
      history = { place, values: [0], acked: [] };
      this.#histories.set(key, history);
    }
    return history;
  }
}
