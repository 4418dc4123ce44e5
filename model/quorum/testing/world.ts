import { assert } from "../../shared/assert.ts";
import type { ModuleId, NodeId } from "../../shared/ids.ts";
import { decideVote } from "../decide-vote.ts";
import type { WitnessRecord } from "../record.ts";
import { type QuorumTimers, TIMER_PROFILES } from "../timers.ts";
import type { Command, NodeConfig } from "../types.ts";
import type { VoteAnswer, VoteRequest } from "../votes.ts";
import { Judge } from "./judge.ts";
import { SimNode } from "./sim-node.ts";

/**
 * A world small enough to reason about: two nodes, or three, one witness, a clock, and messages that can be
 * lost, late, doubled or cut off. It runs the production decisions; everything below them is a toy
 * that is as nasty as the real thing in what matters: what was applied, who acknowledged, what a
 * crash forgets. Time is an argument and chance is drawn from a seed, so a run can be repeated.
 */
export type WorldOptions = {
  readonly timers?: Partial<QuorumTimers>;
  readonly config?: Partial<Pick<NodeConfig, "hasFailover" | "defaultPrimary" | "addressMovedBy">>;
  readonly data?: Partial<Record<NodeId, "empty" | "hasData">>;
  readonly seed?: number;
  readonly moduleId?: ModuleId;
  readonly nodeCount?: 2 | 3;
};

type Task = { readonly atMs: number; readonly order: number; readonly run: () => void };

type Id = "a" | "b" | "c";
export type Wire = `${Id | "w"}>${Id | "w"}`;

/** A run that needs more is a storm. */
const TASKS_MAX = 2_000_000;

export class World {
  nowMs = 1000;
  readonly timers: QuorumTimers;
  readonly judge: Judge;
  readonly nodes: readonly SimNode[];
  record: WitnessRecord | null = null;
  storeId = "store-1";
  readonly cut = new Set<Wire>();
  /** Share of datagrams lost, and of witness replies lost. */
  loss = 0;
  replyLoss = 0;
  /** How long a vote may travel in each direction. */
  voteDelayMs = 5;
  /** A granted or refused request is delivered once more, this much later. */
  echoMs: number | null = null;
  readonly votes: { readonly request: VoteRequest; readonly answer: VoteAnswer }[] = [];
  #tasks: Task[] = [];
  #order = 0;
  #tasksRun = 0;
  #random: number;

  constructor(options: WorldOptions = {}) {
    this.timers = { ...TIMER_PROFILES.default, ...options.timers };
    this.#random = options.seed ?? 1;
    this.judge = new Judge(this);
    const ids: readonly Id[] = options.nodeCount === 3 ? ["a", "b", "c"] : ["a", "b"];
    this.nodes = ids.map((self) => {
      const [peer, ...others] = ids.filter((id) => id !== self);
      assert(peer !== undefined, "a node has a peer");
      const config: NodeConfig = {
        moduleId: options.moduleId ?? "shop",
        self,
        peers: [peer, ...others],
        timers: this.timers,
        hasFailover: true,
        defaultPrimary: { kind: "alone" },
        addressMovedBy: "nodes",
        ...options.config,
      };
      return new SimNode(this, config, options.data?.[self] ?? "empty");
    });
  }

  get a(): SimNode {
    return this.node("a");
  }

  get b(): SimNode {
    return this.node("b");
  }

  /** The third one of three. */
  get c(): SimNode {
    return this.node("c");
  }

  node(id: NodeId): SimNode {
    const node = this.nodes.find((n) => n.id === id);
    assert(node !== undefined, `no node ${id}`);
    return node;
  }

  /** 0 <= x < 1, from the seed (mulberry32). */
  random(): number {
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  after(delayMs: number, run: () => void): void {
    this.#order += 1;
    const task = { atMs: this.nowMs + delayMs, order: this.#order, run };
    const at = this.#tasks.findIndex((t) => t.atMs > task.atMs);
    if (at === -1) this.#tasks.push(task);
    else this.#tasks.splice(at, 0, task);
  }

  runFor(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (let next = this.#tasks[0]; next !== undefined && next.atMs <= endMs; ) {
      this.#tasks.shift();
      this.nowMs = next.atMs;
      this.#tasksRun += 1;
      if (this.#tasksRun > TASKS_MAX) throw new Error("a storm of tasks");
      next.run();
      this.judge.look();
      next = this.#tasks[0];
    }
    this.nowMs = endMs;
  }

  /** Runs until the condition holds; fails with a picture of the world when it takes too long. */
  runUntil(what: string, holds: () => boolean, limitMs = 60_000): number {
    const startMs = this.nowMs;
    while (!holds()) {
      if (this.nowMs - startMs >= limitMs) throw new Error(`not ${what}: ${this.picture()}`);
      this.runFor(10);
    }
    return this.nowMs - startMs;
  }

  picture(): string {
    const record = this.record;
    const recorded = record === null ? "-" : `${record.epoch} ${record.primary} {${record.inSync}}`;
    return `t=${this.nowMs} witness ${recorded}; ${this.nodes.map((n) => n.picture()).join("; ")}`;
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return [...this.cut].some((wire) => wire === `${from}>${to}`);
  }

  cutPair(): void {
    this.cutBetween("a", "b");
  }

  cutBetween(x: NodeId, y: NodeId): void {
    this.cut.add(`${x as Id}>${y as Id}`).add(`${y as Id}>${x as Id}`);
  }

  cutWitness(...ids: readonly Id[]): void {
    const all = ["a", "b", "c"] as const;
    for (const id of ids.length > 0 ? ids : all) this.cut.add(`${id}>w`).add(`w>${id}`);
  }

  heal(): void {
    this.cut.clear();
    this.loss = 0;
    this.replyLoss = 0;
    this.voteDelayMs = 5;
    this.echoMs = null;
  }

  /** All started with fresh, empty copies, and in sync. */
  start(command: Command = { kind: "start", dataFrom: null }): void {
    for (const node of this.nodes) {
      node.boot();
      node.command(command);
    }
  }

  startInSync(): void {
    this.start();
    this.runUntil("in sync", () => this.isInSync());
  }

  leader(): SimNode | null {
    return this.nodes.find((n) => n.canAnswer()) ?? null;
  }

  isInSync(): boolean {
    const { length } = this.nodes;
    const leader = this.leader();
    return leader?.state?.disk.inSync.length === length && this.record?.inSync.length === length;
  }

  /** A vote on its way to the witness and back. */
  ask(from: NodeId, request: VoteRequest, reply: (answer: VoteAnswer) => void): void {
    const travelMs = () => 1 + Math.floor(this.random() * this.voteDelayMs);
    const arrive = (isEcho: boolean) => {
      if (this.isCut(from, "w")) return;
      const answer = this.#vote(request);
      if (isEcho || this.random() < this.replyLoss) return;
      this.after(travelMs(), () => {
        if (!this.isCut("w", from)) reply(answer);
      });
    };
    this.after(travelMs(), () => arrive(false));
    if (this.echoMs !== null) this.after(this.echoMs, () => arrive(true));
  }

  #vote(request: VoteRequest): VoteAnswer {
    const { storeId, timers } = this;
    const was = this.record;
    const settings = { storeId, nodes: this.nodes.map((n) => n.id), timers };
    const decision = decideVote(was, request, this.nowMs, settings);
    this.record = decision.record;
    this.votes.push({ request, answer: decision.answer });
    this.judge.reasoned(decision.reason);
    this.judge.voted(was, decision.record, request);
    return decision.answer;
  }
}
