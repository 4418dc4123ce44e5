/**
 * The whole explored world as a row of numbers, and the few things that can be done to it. Each
 * part of a state (a node, the record, what is under way) is interned, so a state is seven numbers;
 * what a node does about a happening is worked out once for each pair of the two, by the production
 * decision, and looked up ever after.
 */
import { decideVote } from "#model/quorum/decide-vote.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import type { QuorumTimers } from "#model/quorum/timers.ts";
import type { NodeConfig } from "#model/quorum/types.ts";
import type { VoteAnswer, VoteRequest } from "#model/quorum/votes.ts";
import { canonicalNode, pendingId, VERSION_NOW, VERSION_STALE } from "./canonical.ts";
import {
  type Beat,
  BrokenPromise,
  type ExploredNode,
  type Happening,
  type Plane,
  type Step,
  step,
} from "./explored-node.ts";
import { inOrder } from "./in-order.ts";
import { Interner } from "./interner.ts";
import { EMPTY_LEDGER, type Ledger } from "./ledger.ts";
import { memo } from "./memo.ts";

export type Id = "a" | "b" | "c";
export type Ids = readonly [Id, Id, ...Id[]];
export const idsOf = (nodeCount: NodeCount): Ids => (nodeCount === 3 ? THREE : TWO);
export type NodeCount = 2 | 3;
const TWO: Ids = ["a", "b"];
const THREE: Ids = ["a", "b", "c"];

const PEERS: Readonly<Record<NodeCount, Readonly<Record<Id, readonly [Id, ...Id[]]>>>> = {
  2: { a: ["b"], b: ["a"], c: ["a"] },
  3: { a: ["b", "c"], b: ["a", "c"], c: ["a", "b"] },
};
/** The other nodes. */
export const peersOf = (ids: Ids, id: Id): readonly [Id, ...Id[]] =>
  PEERS[ids === THREE ? 3 : 2][id];

/** From one node to another. */
export type PairWire = `${Id}>${Id}`;
/** A direction in which nothing arrives. */
export type Wire = PairWire | `${Id}>w`;

/** What is wrong with the network. */
export type Strays = {
  /** Sorted. A node's wire to the witness carries its questions and the answers. */
  readonly cut: readonly Wire[];
  /** Requests that reach the witness after their sender has given them up, or once more. */
  readonly requests: readonly VoteRequest[];
  /** A heartbeat on that wire that was sent a while ago. */
  readonly beats: Readonly<Partial<Record<PairWire, Beat>>>;
};

/** A state with its parts in hand. */
export type World = {
  readonly ids: Ids;
  readonly nodes: Readonly<Record<Id, ExploredNode>>;
  readonly record: WitnessRecord | null;
  /** Answers of the witness that are late. */
  readonly answers: Readonly<Partial<Record<Id, VoteAnswer>>>;
  readonly strays: Strays;
  readonly ledger: Ledger;
};

export const NO_STRAYS: Strays = { cut: [], requests: [], beats: {} };

export const configOf = (ids: Ids, self: Id, timers: QuorumTimers): NodeConfig => ({
  moduleId: "m",
  self,
  peers: peersOf(ids, self),
  timers,
  hasFailover: true,
  defaultPrimary: { kind: "alone" },
  addressMovedBy: "nodes",
});

/** One object for each node, as what it does is kept by that object (carrier.ts). */
const newNode = (): ExploredNode => ({
  kind: "dead",
  disk: null,
  runsService: false,
  plane: null,
  hasLostPower: true,
});

export const freshWorld = (ids: Ids): World => ({
  ids,
  nodes: { a: newNode(), b: newNode(), c: newNode() },
  record: null,
  answers: {},
  strays: NO_STRAYS,
  ledger: EMPTY_LEDGER,
});

export const answerTo = (w: World, id: Id): VoteAnswer | null => w.answers[id] ?? null;

export function withAnswer(w: World, id: Id, answer: VoteAnswer | null): World {
  if (answerTo(w, id) === answer) return w;
  const { [id]: _, ...others } = w.answers;
  const answers = answer === null ? others : { ...others, [id]: answer };
  return { ...w, answers: inOrder(answers) };
}

export const withNode = (w: World, id: Id, node: ExploredNode): World =>
  w.nodes[id] === node ? w : { ...w, nodes: { ...w.nodes, [id]: node } };

/** One vote at the witness, whose clock stands at 0. Checks S2 and S3. */
export function vote(
  w: World,
  request: VoteRequest,
  timers: QuorumTimers,
): { readonly record: WitnessRecord | null; readonly answer: VoteAnswer } {
  const was = w.record;
  const decision = decideVote(was, request, 0, { storeId: "store", nodes: w.ids, timers });
  checkVote(w, decision.record, request);
  return decision;
}

function checkVote(w: World, now: WitnessRecord | null, request: VoteRequest) {
  const was = w.record;
  if (now === null || now === was || was === null) return;
  if (now.version <= was.version) {
    throw new BrokenPromise("S2: a stored change does not raise the version");
  }
  if (now.epoch < was.epoch) throw new BrokenPromise("S2: the witness went back");
  if (now.epoch === was.epoch && now.primary !== was.primary) {
    throw new BrokenPromise(`S1: epoch ${now.epoch} is given to ${now.primary}, too`);
  }
  if (now.epoch === was.epoch || request.pairDecision !== null) return;
  checkAsked(w, now, request);
  if (request.kind !== "promote" || now.primary === null) return;
  if (was.inSync.includes(now.primary)) return;
  throw new BrokenPromise(`S3: ${now.primary} was promoted and was not in the set`);
}

/** S10: a node that was told no helps others again, so what it asked for must never come true. */
function checkAsked(w: World, now: WitnessRecord, request: VoteRequest): void {
  const disk = diskOf(w.nodes[request.nodeId as Id]);
  const isBound = disk !== null && Math.max(disk.asked, disk.epoch) >= now.epoch;
  if (isBound) return;
  throw new BrokenPromise(
    `S10: epoch ${now.epoch} is granted to ${request.nodeId}, whose disk asks for none`,
  );
}

/** Does this node's data plane serve now? */
export const servedEpoch = (node: ExploredNode): number | null =>
  node.kind === "live" && node.shell.data.kind === "serve" ? node.shell.data.epoch : null;

/** What answers file operations on a node, with or without its agent; null: nothing does. */
export const planeIn = (node: ExploredNode): Plane | null =>
  node.kind === "live" ? node.shell : node.plane;

/** What a crash now would leave. */
export const diskOf = (node: ExploredNode) =>
  node.kind === "live" ? (node.shell.disk ?? node.state.disk) : node.disk;

/** What was done by a step, kept once for each node and happening. */
export type KnownStep = Step & {
  /** The request that the node waited for, and the raw name of the one that it waits for now. */
  readonly pendingWas: string | null;
  readonly pendingIs: string | null;
};

/** Runs a step and folds what comes out of it. */
export function knownStep(config: NodeConfig, node: ExploredNode, happening: Happening): KnownStep {
  const done = step(config, node, happening);
  const pendingIs = done.node.state.witness.pending?.request.id ?? null;
  const pendingWas = node.kind === "live" ? (node.state.witness.pending?.request.id ?? null) : null;
  return {
    ...done,
    node: canonicalNode(config, done.node, done.nowMs),
    pendingWas,
    pendingIs,
  };
}

/** The record changed, so every version that anybody holds is an old one. */
export function withNewRecord(w: World, record: WitnessRecord | null): World {
  const version = record === null ? 0 : VERSION_NOW;
  return {
    ...w,
    record: record === null ? null : { ...record, version },
    nodes: { a: staleNode(w.nodes.a), b: staleNode(w.nodes.b), c: staleNode(w.nodes.c) },
    answers: Object.fromEntries(
      Object.entries(w.answers).map(([id, answer]) => [id, staleAnswer(answer)]),
    ),
    strays: { ...w.strays, requests: w.strays.requests.map(staleRequest) },
  };
}

const staleVersion = (version: number): number =>
  version === VERSION_NOW ? VERSION_STALE : version;

const staleRequest = <R extends VoteRequest>(r: R): R => ({
  ...r,
  version: staleVersion(r.version),
});

const staleAnswer = <A extends VoteAnswer>(a: A): A =>
  a.record === null
    ? a
    : { ...a, record: { ...a.record, version: staleVersion(a.record.version) } };

/** An answer as it leaves the witness; `version` is that of the record now. */
export const canonicalAnswer = <A extends VoteAnswer>(a: A, version: number): A =>
  a.record === null
    ? a
    : {
        ...a,
        record: {
          ...a.record,
          requests: [],
          grant: null,
          version: a.record.version === version ? VERSION_NOW : VERSION_STALE,
        },
      };

const staleNode = memo((node: ExploredNode): ExploredNode => {
  if (node.kind === "dead") return node;
  const { witness } = node.state;
  const { record, pending } = witness;
  const known = record?.known ?? null;
  const isStale = known?.version !== VERSION_NOW && pending?.request.version !== VERSION_NOW;
  if (isStale) return node;
  const next = {
    ...witness,
    record:
      record === null || known === null
        ? record
        : { ...record, known: { ...known, version: staleVersion(known.version) } },
    pending: pending === null ? null : { ...pending, request: staleRequest(pending.request) },
  };
  return { ...node, state: { ...node.state, witness: next } };
});

/**
 * The request that a node waited for is answered, replaced or forgotten: its name is free for the
 * next one. A stray copy of it gets a name of its own; where there is none, nothing can ever be
 * equal to that name, and the record need not remember it.
 */
export function retire(w: World, id: Id): World {
  const name = pendingId(id);
  const isStray = w.strays.requests.some((r) => r.id === name);
  const isRemembered = w.record?.requests.some((r) => r.id === name) === true;
  if (!isStray && !isRemembered) return w;
  const taken = new Set(w.strays.requests.map((r) => r.id));
  const free = ["1", "2", "3"].map((n) => `${id}.stray${n}`).find((n) => !taken.has(n));
  const rename = (r: string): string => (r === name ? (free ?? name) : r);
  const record =
    w.record === null
      ? null
      : {
          ...w.record,
          requests: w.record.requests.flatMap((r) =>
            r.id !== name ? [r] : isStray ? [{ ...r, id: rename(r.id) }] : [],
          ),
        };
  const requests = w.strays.requests.map((r) => ({ ...r, id: rename(r.id) }));
  return { ...w, record, strays: { ...w.strays, requests } };
}

/** The record remembers only what may still come again; strays are sorted, as their order is nothing. */
export function tidy(w: World): World {
  const names = new Set([...w.ids.map(pendingId), ...w.strays.requests.map((r) => r.id)]);
  const kept = w.record?.requests.filter((r) => names.has(r.id));
  const isForgotten = kept?.length !== w.record?.requests.length;
  const record =
    w.record === null || kept === undefined || !isForgotten
      ? w.record
      : { ...w.record, requests: kept };
  if (w.strays.requests.length < 2) return { ...w, record };
  const requests = [...w.strays.requests].sort((x, y) =>
    JSON.stringify(x) < JSON.stringify(y) ? -1 : 1,
  );
  return { ...w, record, strays: { ...w.strays, requests } };
}

/** Everything that a row is made of. */
export class Parts {
  readonly #ids: Ids;
  readonly a = new Interner<ExploredNode>();
  readonly b = new Interner<ExploredNode>();
  readonly c = new Interner<ExploredNode>();
  readonly record = new Interner<WitnessRecord | null>();
  readonly answers = new Interner<World["answers"]>();
  readonly strays = new Interner<Strays>();
  readonly ledger = new Interner<Ledger>();

  constructor(ids: Ids) {
    this.#ids = ids;
  }

  toRow(w: World, row: Int32Array): void {
    row[0] = this.a.idOf(w.nodes.a);
    row[1] = this.b.idOf(w.nodes.b);
    row[2] = this.c.idOf(w.nodes.c);
    row[3] = this.record.idOf(w.record);
    row[4] = this.answers.idOf(w.answers);
    row[5] = this.strays.idOf(w.strays);
    row[6] = this.ledger.idOf(w.ledger);
  }

  toWorld(row: Int32Array): World {
    const at = (i: number): number => row[i] ?? -1;
    return {
      ids: this.#ids,
      nodes: {
        a: this.a.valueOf(at(0)),
        b: this.b.valueOf(at(1)),
        c: this.c.valueOf(at(2)),
      },
      record: this.record.valueOf(at(3)),
      answers: this.answers.valueOf(at(4)),
      strays: this.strays.valueOf(at(5)),
      ledger: this.ledger.valueOf(at(6)),
    };
  }
}
