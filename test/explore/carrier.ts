/**
 * Carries what happens to one node or the witness into the world: the step of the one, and what the
 * others can notice of it.
 */
import type { QuorumTimers } from "#model/quorum/timers.ts";
import type { NodeConfig } from "#model/quorum/types.ts";
import type { VoteAnswer, VoteRequest } from "#model/quorum/votes.ts";
import { canonicalDead } from "./canonical.ts";
import type { DeadNode, ExploredNode, Happening } from "./explored-node.ts";
import { exploredTimers } from "./explored-timers.ts";
import {
  canonicalAnswer,
  configOf,
  diskOf,
  type Id,
  type Ids,
  type KnownStep,
  knownStep,
  retire,
  type World,
  withAnswer,
  withNewRecord,
  withNode,
} from "./explored-world.ts";
import { takeServed } from "./judgement.ts";
import { forgiven, synced } from "./ledger.ts";
import { vote } from "./witness-vote.ts";

export type Made = {
  readonly world: World;
  /** Places between two durable writes of one step that the move came by. */
  readonly writes: number;
  /** Nodes whose question is waited for no more. */
  readonly retired: readonly Id[];
};

export class Carrier {
  readonly timers: QuorumTimers;
  readonly ids: Ids;
  readonly #configs: Readonly<Record<Id, NodeConfig>>;
  /** The steps that were worked out, by node and by what happens to it. */
  readonly #known = new WeakMap<ExploredNode, Map<unknown, KnownStep>>();
  /** Each part that a node played when each event came: what of the protocol was explored. */
  readonly cells = new Set<string>();
  /** Durable writes of this move after which the same step wrote once more. */
  #writes = 0;
  /** The agent dies after that many of them; null: it does not. */
  #dieAfter: number | null = null;
  #retired: Id[] = [];

  readonly areClocksTogether: boolean;

  constructor(areClocksTogether: boolean, ids: Ids) {
    this.areClocksTogether = areClocksTogether;
    this.ids = ids;
    this.timers = exploredTimers(areClocksTogether);
    const config = (id: Id) => configOf(ids, id, this.timers);
    this.#configs = { a: config("a"), b: config("b"), c: config("c") };
  }

  /** Makes a move, whole or up to a crash between two durable writes of one step. */
  run(make: () => World, dieAfter: number | null): Made {
    this.#writes = 0;
    this.#dieAfter = dieAfter;
    this.#retired = [];
    try {
      return { world: make(), writes: this.#writes, retired: this.#retired };
    } finally {
      this.#dieAfter = null;
    }
  }

  /** `key` stands for the happening: equal keys, equal happenings. */
  carry(w: World, id: Id, key: unknown, make: () => Happening): World {
    if (w.nodes[id].kind === "dead" && key !== "boot" && key !== "bootEmpty") return w;
    const done = this.#step(w.nodes[id], id, key, make);
    const before = this.#writes;
    this.#writes += Math.max(0, done.crashes.length - 1);
    const isHere = this.#dieAfter !== null && this.#dieAfter > before;
    if (isHere && this.#dieAfter !== null && this.#dieAfter <= this.#writes) {
      const dead = done.crashes[this.#dieAfter - before - 1];
      if (dead !== undefined) return this.died(w, id, dead);
    }
    const was = w.nodes[id];
    let next = withNode(w, id, done.node);
    if (done.isSynced) next = { ...next, ledger: synced(next.ledger, id) };
    if (done.pendingIs !== done.pendingWas) next = withAnswer(this.#retire(next, id), id, null);
    return takeServed(forgive(next, id, was), id, done.served);
  }

  /** What is left of a node that died: its disk. */
  died(w: World, id: Id, node: DeadNode): World {
    const dead = withNode(w, id, canonicalDead(node));
    return withAnswer(this.#retire(dead, id), id, null);
  }

  #retire(w: World, id: Id): World {
    this.#retired.push(id);
    return retire(w, id);
  }

  #step(node: ExploredNode, id: Id, key: unknown, make: () => Happening): KnownStep {
    const steps = this.#known.get(node) ?? new Map<unknown, KnownStep>();
    this.#known.set(node, steps);
    const known = steps.get(key);
    if (known !== undefined) return known;
    const done = knownStep(this.#configs[id], node, make());
    for (const cell of done.cells) this.cells.add(cell);
    steps.set(key, done);
    return done;
  }

  /** The witness decides about a request. */
  voted(w: World, request: VoteRequest): { readonly world: World; readonly answer: VoteAnswer } {
    const decided = vote(w, request, this.timers);
    const { record } = decided;
    const answer = canonicalAnswer(decided.answer, record?.version ?? 0);
    if (record === w.record) return { world: w, answer };
    const next = withNewRecord(w, record);
    const isLossAccepted =
      request.kind === "force" || (request.kind === "promote" && request.isLastResort);
    const hasBegun = record !== null && record.epoch > (w.record?.epoch ?? 0);
    if (!hasBegun || !isLossAccepted) return { world: next, answer };
    const ledger = forgiven(next.ledger, request.nodeId, record.epoch);
    return { world: { ...next, ledger }, answer };
  }
}

/** The pair chose a node that lost its page cache: the loss was accepted, as both have died. */
function forgive(w: World, id: Id, was: ExploredNode): World {
  const before = diskOf(was);
  const disk = diskOf(w.nodes[id]);
  if (disk === null || disk.primary !== id || before?.isUnclean !== true) return w;
  const isByPair = !disk.isUnclean && disk.pairDecision !== null;
  return isByPair ? { ...w, ledger: forgiven(w.ledger, id, disk.epoch) } : w;
}
