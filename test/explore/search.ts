/**
 * Breadth first over everything that can happen, until nothing new is found. The first broken
 * promise ends the search: no shorter story leads to one. Afterwards every state must have a way
 * out: some sequence of moves without any further fault to a pair that serves and is in sync.
 */
import { Carrier } from "./carrier.ts";
import { ExitMap } from "./exit-map.ts";
import { BrokenPromise } from "./explored-node.ts";
import {
  type Budget,
  diskOf,
  freshWorld,
  IDS,
  type Id,
  Parts,
  type World,
} from "./explored-world.ts";
import { answeredEpoch } from "./judgement.ts";
import { eachMove, type MoveOptions } from "./moves.ts";
import { RowTable, WIDTH } from "./row-table.ts";

export type SearchOptions = MoveOptions & {
  readonly budget: Budget;
  readonly epochsMax: number;
  readonly statesMax: number;
  /** Moves from the start; beyond is not looked at. */
  readonly depthMax: number;
  readonly onProgress?: (states: number, expanded: number) => void;
};

export type Broken = { readonly promise: string; readonly moves: readonly string[] };

export type Searched = {
  readonly states: number;
  readonly moves: number;
  /** Moves on the longest of all shortest ways. */
  readonly depth: number;
  /** Moves not followed, as they would begin an epoch above the bound. */
  readonly beyond: number;
  /** Nothing is left to look at within the bounds. */
  readonly isComplete: boolean;
  readonly broken: Broken | null;
  /** Each part that a node played when each event came. */
  readonly cells: readonly string[];
};

const NO_FAULTS: Budget = {
  faults: 0,
  crashes: 0,
  strays: 0,
  lostReplies: 0,
  forces: 0,
  orders: 0,
};

export class Search {
  readonly #options: SearchOptions;
  readonly #parts = new Parts();
  readonly #table = new RowTable();
  readonly #carrier: Carrier;
  readonly #exits = new ExitMap();
  readonly #texts = new Map<string, number>();
  readonly #textOf: string[] = [];
  readonly #row = new Int32Array(WIDTH);
  #moves = 0;
  #beyond = 0;
  #depth = 0;
  #broken: Broken | null = null;

  constructor(options: SearchOptions) {
    this.#options = options;
    this.#carrier = new Carrier(options.areClocksTogether);
  }

  /** From a pair in sync, led by the one and by the other. */
  run(): Searched {
    try {
      for (const id of IDS) this.#add(inSyncWorld(id, this.#options.budget), -1, "start");
    } catch (thrown) {
      this.#broken = { promise: `${promiseOf(thrown)} (at the first start)`, moves: [] };
    }
    const row = new Int32Array(WIDTH);
    let next = 0;
    let layerEnds = this.#table.size;
    let isCutShort = false;
    for (; next < this.#table.size && this.#broken === null; next += 1) {
      if (next === layerEnds) {
        this.#depth += 1;
        layerEnds = this.#table.size;
      }
      isCutShort =
        this.#table.size > this.#options.statesMax || this.#depth >= this.#options.depthMax;
      if (isCutShort) break;
      this.#table.read(next, row);
      this.#expand(this.#parts.toWorld(row), next);
      if (next % 20_000 === 0) this.#options.onProgress?.(this.#table.size, next);
    }
    const isComplete = !isCutShort && this.#broken === null;
    if (isComplete) this.#requireExits();
    return {
      states: this.#table.size,
      moves: this.#moves,
      depth: this.#depth,
      beyond: this.#beyond,
      isComplete,
      broken: this.#broken,
      cells: [...this.#carrier.cells].sort(),
    };
  }

  #expand(w: World, id: number): void {
    if (isServedInSync(w)) this.#exits.isGoal(id);
    eachMove(this.#carrier, w, this.#options, (text, make, isFault = false) => {
      if (this.#broken !== null) return;
      this.#moves += 1;
      try {
        const after = make();
        if (epochOf(after) > this.#options.epochsMax) {
          this.#beyond += 1;
          // What lies beyond the bound may well be the way out.
          this.#exits.isGoal(id);
          return;
        }
        const to = this.#add(after, id, text);
        if (!isFault) this.#exits.leads(id, to);
      } catch (thrown) {
        this.#broken = { promise: promiseOf(thrown), moves: [...this.#pathTo(id), text] };
      }
    });
  }

  #requireExits(): void {
    const lost = this.#exits.firstWithout(this.#table.size);
    if (lost === null) return;
    const promise = "L4: a state without an exit: nothing but a person can bring service back";
    this.#broken = { promise, moves: this.#pathTo(lost) };
  }

  #add(w: World, parent: number, text: string): number {
    this.#parts.toRow(w, this.#row);
    return this.#table.add(this.#row, parent, this.#textId(text));
  }

  #textId(text: string): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    this.#textOf.push(text);
    this.#texts.set(text, this.#textOf.length - 1);
    return this.#textOf.length - 1;
  }

  #pathTo(id: number): readonly string[] {
    const path: string[] = [];
    for (let at = id; at >= 0 && this.#table.parentOf(at) >= 0; at = this.#table.parentOf(at)) {
      path.unshift(this.#textOf[this.#table.moveOf(at)] ?? "?");
    }
    return path;
  }
}

function promiseOf(thrown: unknown): string {
  if (thrown instanceof BrokenPromise) return thrown.message;
  return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
}

function epochOf(w: World): number {
  const bound = (id: Id): number => {
    const disk = diskOf(w[id]);
    return disk === null ? 0 : Math.max(disk.epoch, disk.asked, disk.pairVote?.terms.epoch ?? 0);
  };
  return Math.max(bound("a"), bound("b"), w.record?.epoch ?? 0);
}

/** One node serves, and both hold every write, as the record says. */
export function isServedInSync(w: World): boolean {
  const isWhole = IDS.every((id) => diskOf(w[id])?.outdated === false && w[id].kind === "live");
  const isServed = IDS.some((id) => answeredEpoch(w[id]) !== null);
  return isWhole && isServed && w.record?.inSync.length === 2;
}

/** A pair that was started for the first time, as it is when it has come in sync. */
export function inSyncWorld(primary: Id, budget: Budget): World {
  // Found by the search itself with clocks together, where it is a matter of few moves.
  const options = { areClocksTogether: true };
  const carrier = new Carrier(true);
  const queue: World[] = [startedWorld(carrier, primary)];
  const seen = new Set<string>();
  for (let w = queue.shift(); w !== undefined; w = queue.shift()) {
    const isSettled = [w.a, w.b].every(
      (n) =>
        n.kind === "live" &&
        n.state.witness.pending === null &&
        Object.values(n.shell.links)[0] === "live",
    );
    if (isServedInSync(w) && isSettled) return { ...w, budget };
    const from = w;
    eachMove(carrier, from, options, (_, make) => {
      const next = make();
      const text = JSON.stringify(next);
      if (!seen.has(text) && epochOf(next) <= 1) queue.push(next);
      seen.add(text);
    });
  }
  throw new Error("no way leads to a pair in sync");
}

function startedWorld(carrier: Carrier, primary: Id): World {
  let w = freshWorld(NO_FAULTS);
  for (const id of IDS) {
    w = carrier.carry(w, id, "boot", () => ({ kind: "booted", data: "hasData" }));
    const command = { kind: "start", dataFrom: primary } as const;
    w = carrier.carry(w, id, "start", () => ({ kind: "commanded", command }));
  }
  return w;
}
