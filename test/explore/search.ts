/**
 * Everything that can happen, with the fewest faults first and then by the number of moves, until
 * nothing new is found. The first broken promise ends the search. Afterwards every state must have a
 * way out: some sequence of moves without any further fault to a pair that serves and is in sync.
 *
 * A state that was reached before with as much left of every kind of fault is not looked at again:
 * whatever can happen to it now could happen to it then.
 */

import { BrokenPromise } from "./broken-promise.ts";
import { type Budget, Budgets } from "./budgets.ts";
import { Carrier } from "./carrier.ts";
import { ExitMap } from "./exit-map.ts";
import {
  diskOf,
  type Id,
  type Ids,
  idsOf,
  type NodeCount,
  Parts,
  type World,
} from "./explored-world.ts";
import { eachMove, type Move } from "./moves.ts";
import { Queue } from "./queue.ts";
import { RowTable, WIDTH } from "./row-table.ts";
import { inSyncWorld, isServedInSync } from "./start.ts";

export type SearchOptions = {
  readonly nodeCount: NodeCount;
  /** Who leads the nodes from which the search begins. */
  readonly primary: Id;
  /** Set by whichever search finds a broken promise first: the others need not go on. */
  readonly stop?: Int32Array;
  /** All clocks move together, so leases hold, and S1 is looked at. */
  readonly areClocksTogether: boolean;
  readonly budget: Budget;
  readonly epochsMax: number;
  readonly statesMax: number;
  /** Moves from the start; beyond is not looked at. */
  readonly depthMax: number;
  readonly onProgress?: ((states: number, expanded: number) => void) | undefined;
};

export type Broken = { readonly promise: string; readonly moves: readonly string[] };

export type Searched = {
  readonly states: number;
  /** States that were looked at, each once for each budget that no other one holds. */
  readonly looks: number;
  readonly moves: number;
  /** Moves of the longest story that was looked at. */
  readonly depth: number;
  /** Moves not followed, as they would begin an epoch above the bound. */
  readonly beyond: number;
  /** Nothing is left to look at within the bounds. */
  readonly isComplete: boolean;
  readonly broken: Broken | null;
  /** Each part that a node played when each event came. */
  readonly cells: readonly string[];
};

export class Search {
  readonly #options: SearchOptions;
  readonly #ids: Ids;
  readonly #parts: Parts;
  readonly #table: RowTable;
  readonly #budgets: Budgets;
  readonly #queue: Queue;
  readonly #carrier: Carrier;
  readonly #exits = new ExitMap();
  readonly #row = new Int32Array(WIDTH);
  #moves = 0;
  #beyond = 0;
  #depth = 0;
  #broken: Broken | null = null;

  constructor(options: SearchOptions) {
    this.#options = options;
    this.#ids = idsOf(options.nodeCount);
    this.#parts = new Parts(this.#ids);
    this.#carrier = new Carrier(options.areClocksTogether, this.#ids);
    this.#budgets = new Budgets(options.budget);
    this.#table = new RowTable(this.#budgets);
    this.#queue = new Queue(this.#budgets);
  }

  run(): Searched {
    try {
      this.#add(inSyncWorld(this.#ids, this.#options.primary), 0, -1);
    } catch (thrown) {
      this.#broken = { promise: `${promiseOf(thrown)} (at the first start)`, moves: [] };
    }
    let looks = 0;
    let isCutShort = false;
    for (let entry = this.#queue.take(); entry !== -1; entry = this.#queue.take()) {
      if (this.#queue.depthOf(entry) >= this.#options.depthMax) {
        isCutShort = true;
        continue;
      }
      this.#depth = Math.max(this.#depth, this.#queue.depthOf(entry) + 1);
      this.#expand(entry);
      looks += 1;
      if (looks % 10_000 === 0) this.#options.onProgress?.(this.#table.size, looks);
      isCutShort ||= this.#table.size > this.#options.statesMax || this.#isStopped();
      if (this.#broken !== null || this.#table.size > this.#options.statesMax) break;
      if (this.#isStopped()) break;
    }
    if (!isCutShort && this.#broken === null) this.#requireExits();
    if (this.#broken !== null) this.#options.stop?.fill(1);
    return {
      states: this.#table.size,
      looks,
      moves: this.#moves,
      depth: this.#depth,
      beyond: this.#beyond,
      isComplete: !isCutShort && this.#broken === null,
      broken: this.#broken,
      cells: [...this.#carrier.cells].sort(),
    };
  }

  #isStopped = (): boolean => (this.#options.stop?.[0] ?? 0) !== 0;

  #expand(entry: number): void {
    const [state, left] = [this.#queue.stateOf(entry), this.#queue.budgetOf(entry)];
    const w = this.#worldOf(state);
    if (isServedInSync(w)) this.#exits.isGoal(state);
    const budget = this.#budgets.all[left];
    if (budget === undefined) throw new Error(`no budget ${left}`);
    eachMove(this.#carrier, w, budget, ({ text, faults, after }) => {
      if (this.#broken !== null) return;
      this.#moves += 1;
      if (after instanceof Error) {
        this.#broken = { promise: promiseOf(after), moves: [...this.#pathTo(entry), text] };
        return;
      }
      if (epochOf(after) > this.#options.epochsMax) {
        this.#beyond += 1;
        // What lies beyond the bound may well be the way out.
        this.#exits.isGoal(state);
        return;
      }
      const to = this.#add(after, this.#budgets.after(left, faults), entry);
      if (faults.length === 0) this.#exits.leads(state, to);
    });
  }

  #worldOf(state: number): World {
    const row = new Int32Array(WIDTH);
    this.#table.read(state, row);
    return this.#parts.toWorld(row);
  }

  #requireExits(): void {
    const lost = this.#exits.firstWithout(this.#table.size);
    if (lost === null) return;
    const promise = "L4: a state without an exit: nothing but a person can bring service back";
    this.#broken = { promise, moves: this.#pathTo(this.#queue.firstOf(lost)) };
  }

  /** Answers with the number of the state. `left`: the number of what is left of the budget. */
  #add(w: World, left: number, parent: number): number {
    this.#parts.toRow(w, this.#row);
    const state = this.#table.add(this.#row);
    if (this.#table.isNews(state, left)) this.#queue.add(state, left, parent);
    return state;
  }

  /** The moves that led there, found again by making them. */
  #pathTo(entry: number): readonly string[] {
    const path: string[] = [];
    for (let at = entry; this.#queue.parentOf(at) >= 0; at = this.#queue.parentOf(at)) {
      path.unshift(this.#moveBetween(this.#queue.parentOf(at), at));
    }
    return path;
  }

  #moveBetween(from: number, to: number): string {
    const left = this.#queue.budgetOf(from);
    const budget = this.#budgets.all[left];
    if (budget === undefined) throw new Error(`no budget ${left}`);
    let text = "?";
    const look = (move: Move): void => {
      if (text !== "?" || move.after instanceof Error) return;
      if (this.#budgets.after(left, move.faults) !== this.#queue.budgetOf(to)) return;
      this.#parts.toRow(move.after, this.#row);
      if (this.#table.add(this.#row) === this.#queue.stateOf(to)) text = move.text;
    };
    eachMove(this.#carrier, this.#worldOf(this.#queue.stateOf(from)), budget, look);
    return text;
  }
}

function promiseOf(thrown: unknown): string {
  if (thrown instanceof BrokenPromise) return thrown.message;
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}

function epochOf(w: World): number {
  const bound = (id: Id): number => {
    const disk = diskOf(w.nodes[id]);
    return disk === null ? 0 : Math.max(disk.epoch, disk.asked, disk.pairVote?.terms.epoch ?? 0);
  };
  return Math.max(...w.ids.map(bound), w.record?.epoch ?? 0);
}
