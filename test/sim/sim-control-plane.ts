import type { ModuleReport } from "#model/contract/report.ts";
import type { AddressView } from "#model/contract/snapshot.ts";
import { decideVote } from "#model/quorum/decide-vote.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import type { VoteRequest } from "#model/quorum/votes.ts";
import { type Arbiter, openArbiter } from "../../functions/arbiter/step.ts";
import { type ControlPlane, openControlPlane } from "../../functions/clusters/control-plane.ts";
import { EVERYWHERE } from "../../functions/clusters/records.ts";
import { Reconciler } from "../../functions/reconciler/reconciler.ts";
import { memoryBlobStore, memoryEventLog } from "../../functions/stores/memory/memory-store.ts";
import type { VoteOutcome } from "../../node-agent/mirror/witness.ts";
import type { Life } from "./machine.ts";
import { Moments } from "./moments.ts";
import { SimAddressDriver } from "./sim-address-driver.ts";
import { CLUSTER } from "./sim-agent.ts";
import { signatureOf } from "./sim-hosted.ts";
import type { SimNode } from "./sim-node.ts";
import { SimStore } from "./sim-store.ts";
import type { World } from "./world.ts";

/** How the control plane itself misbehaves. Shares are 0 to 1. */
export type ControlPlaneFaults = {
  isDown: boolean;
  /** Answers with something that is no answer: 429, 500, HTML, half a reply. */
  nonsense: number;
  /** A request is delivered once more, much later. */
  echo: number;
  /** Time until a request is looked at. */
  delayMs: number;
};

const WELL: ControlPlaneFaults = { isDown: false, nonsense: 0, echo: 0, delayMs: 0 };
const ECHO_MS_MAX = 60_000;
const WITNESS = `witness/${CLUSTER}`;

/** The witness and the reconciler, as functions/local puts them together, over a simulated table. */
export class SimControlPlane {
  readonly store: SimStore;
  readonly faults: ControlPlaneFaults = { ...WELL };
  readonly driver: SimAddressDriver;
  readonly #world: World;
  readonly #prng;
  readonly #moments: Moments;
  readonly #cp: ControlPlane;
  readonly #records = new Map<string, { text: string | null; record: WitnessRecord | null }>();
  #arbiter: Arbiter;
  #reconciler: Reconciler;

  constructor(world: World) {
    this.#world = world;
    const { clock } = world;
    this.#prng = world.prng.fork("control plane");
    this.#moments = new Moments(world);
    this.store = new SimStore(clock, world.prng.fork("table"));
    this.store.onWrite = (partition, id, was, now) => {
      const record = parse(now);
      if (partition === WITNESS && record !== null) world.module(id).onRecord(parse(was), record);
    };
    this.driver = new SimAddressDriver(world);
    this.#cp = openControlPlane({
      clock: { nowMs: () => Math.floor(1_800_000_000_000 + clock.trueMs) },
      timers: {
        after: (delayMs, fire) => ({ cancel: clock.after("calendar", delayMs, fire) }),
      },
      random: { bytes: (count) => new Uint8Array(count), id: (prefix) => `${prefix}_1` },
      records: this.store,
      log: memoryEventLog(200),
      blobs: memoryBlobStore(),
      logger: { log: (severity, text) => world.note(`W ${severity} ${text}`) },
    });
    this.#arbiter = this.#newArbiter();
    this.#reconciler = this.#newReconciler();
  }

  recordOf(moduleId: string): WitnessRecord | null {
    const text = this.store.peek(WITNESS, moduleId);
    let known = this.#records.get(moduleId);
    if (known === undefined || known.text !== text) {
      known = { text, record: parse(text) };
      this.#records.set(moduleId, known);
    }
    return known.record;
  }

  get nowUnixMs(): number {
    return this.#cp.clock.nowMs();
  }

  /** Makes the cluster's own record; call it once, before the nodes start. */
  async begin(): Promise<void> {
    const modules = this.#world.modules.map(({ id }) => ({
      ...{ id, mode: "mirror" as const, version: 1, sha256: "0".repeat(64), bytes: 1 },
      ...{ nodes: ["a", "b"], uploadedAtMs: 1, uploadedBy: "ann" },
    }));
    await this.#cp.clusters.write(EVERYWHERE, CLUSTER, 0, {
      settings: this.#world.settings,
      modules,
      version: 1,
      createdAtMs: 1,
    });
    await this.#reconciler.sweep(CLUSTER);
  }

  heal(): void {
    Object.assign(this.faults, WELL);
    this.store.heal();
    this.driver.heal();
  }

  /** What people are told about the module's address. */
  addressShown(moduleId: string): AddressView | null {
    const text = this.store.peek(`addresses/${CLUSTER}`, moduleId);
    return text === null ? null : JSON.parse(text);
  }

  /** Could that node fetch its configuration now? */
  isReachedBy(nodeId: string): boolean {
    const { net } = this.#world;
    const isWired = !net.wire(nodeId, "W").isCut && !net.wire("W", nodeId).isCut;
    return isWired && !this.faults.isDown;
  }

  /** Its process starts anew: what it had planned is forgotten, the table is not. */
  restart(): void {
    this.#reconciler.close();
    this.#arbiter = this.#newArbiter();
    this.#reconciler = this.#newReconciler();
    void this.#reconciler.sweep(CLUSTER).catch(() => undefined);
  }

  restoreStore(isEmpty: boolean): void {
    this.store.restore(isEmpty, (key) => !key.startsWith("witness/"));
    this.#world.onStoreRestored(this.#world.shop.record);
  }

  /** A node's vote, by HTTPS: it may be lost on either way, come twice, or come late. */
  ask(
    node: SimNode,
    life: Life,
    request: VoteRequest,
    timeoutMs: number,
    answer: (outcome: VoteOutcome) => void,
  ): void {
    const { net } = this.#world;
    const { machine, id } = node;
    let isOver = false;
    const over = (outcome: VoteOutcome): void => {
      if (isOver) return;
      isOver = true;
      cancel();
      answer(outcome);
    };
    const cancel = machine.after(life, "main", "work", timeoutMs, () =>
      over({ kind: "unknown", cause: "it took too long" }),
    );
    const text = JSON.stringify(request);
    // A look at the record that finds nothing new is part of a world at rest.
    const isRoutine = request.kind === "read" && this.isWell;
    if (isRoutine) node.part(request.moduleId).readMs = machine.clock.nowMs;
    const reply = (outcome: VoteOutcome): void => {
      const isGranted = outcome.kind === "answered" && outcome.answer.kind === "granted";
      const onLost = (): void => {
        if (isGranted) this.#moments.onReplyLost(request);
      };
      const arrive = (): void => machine.run(life, "main", () => over(outcome));
      if (!net.carry("W", id, arrive, isRoutine, onLost)) onLost();
    };
    const take = () => void this.#take(id, JSON.parse(text)).then(reply);
    net.carry(id, "W", take, isRoutine);
    if (this.#prng.chance(this.faults.echo)) {
      this.#world.see("a request delivered late");
      const arrived = this.#moments.onLate(request);
      this.#world.clock.after("work", this.#prng.between(500, ECHO_MS_MAX), () => {
        arrived();
        net.carry(id, "W", () => void this.#take(id, JSON.parse(text)).then(reply));
      });
    }
  }

  report(node: SimNode, report: ModuleReport): void {
    this.#world.scan(JSON.stringify(report));
    this.#world.net.carry(node.id, "W", () => {
      if (!this.faults.isDown) this.#reconciler.hear(CLUSTER, node.id, report);
    });
  }

  async #take(nodeId: string, request: VoteRequest): Promise<VoteOutcome> {
    const { clock } = this.#world;
    const { promise, resolve } = Promise.withResolvers<void>();
    const isRoutine = request.kind === "read" && this.isWell;
    clock.after(isRoutine ? "routine" : "work", 1 + this.faults.delayMs, resolve);
    await promise;
    if (this.faults.isDown) return await new Promise(() => undefined);
    if (this.#prng.chance(this.faults.nonsense)) return { kind: "unknown", cause: "status 500" };
    const timers = TIMER_PROFILES[this.#world.profile];
    const { moduleId } = request;
    const place = { clusterId: CLUSTER, moduleId, nodeId, nodes: ["a", "b"], timers };
    this.#moments.onAsked(request);
    try {
      const answered = await this.#arbiter.vote(place, request);
      if (answered.ok) this.#moments.onGranted(request, answered.value);
      if (this.faults.isDown) return await new Promise(() => undefined);
      return answered.ok
        ? { kind: "answered", answer: answered.value }
        : { kind: "unknown", cause: answered.error.code };
    } catch (error) {
      return { kind: "unknown", cause: String(error) };
    }
  }

  get isWell(): boolean {
    const { isDown, nonsense, echo, delayMs } = this.faults;
    return !isDown && nonsense + echo + delayMs === 0 && this.store.isWell;
  }

  #newArbiter(): Arbiter {
    const cp = this.#cp;
    return openArbiter({
      ...{ records: cp.records, clock: cp.clock, events: cp.events, logger: cp.logger },
      decide: decideVote,
      findKey: async (_, nodeId) => nodeId,
      isSignedBy: (key, text, signature) => signature === signatureOf(key, text),
      reconcile: (clusterId, moduleId) => this.#reconciler.ask(clusterId, moduleId),
    });
  }

  #newReconciler(): Reconciler {
    return new Reconciler({
      ...{ cp: this.#cp, arbiter: this.#arbiter },
      driverOf: (kind) => (kind === "local-proxy" ? this.driver : null),
    });
  }
}

const parse = (text: string | null): WitnessRecord | null =>
  text === null ? null : JSON.parse(text);
