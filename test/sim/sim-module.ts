import type { MirrorConfig } from "#model/module/config.ts";
import type { NodeDisk } from "#model/quorum/disk.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import type { Checker, CloudAddress, NodeView, Scene } from "./checkers/checker.ts";
import { FILES_MAX } from "./client.ts";
import { Due } from "./due.ts";
import type { Applied } from "./engine/sim-applier.ts";
import type { Answer, Call } from "./engine/sim-server.ts";
import { Majority } from "./majority.ts";
import { type Op, Oracle } from "./oracle.ts";
import type { Prng } from "./prng.ts";
import { type SimPart, viewOf } from "./sim-part.ts";
import type { TraceEvent } from "./trace.ts";
import type { World } from "./world.ts";

/** How late an end by the clock alone may be noticed. */
const LOOK_MS = 25;
/** Of a resync whose files are written to meanwhile. */
const PASSES = 4;

/**
 * One mirror module of the simulated world on both of its nodes: what its applications were
 * promised, what a majority has decided about it, and its own judges.
 */
export class SimModule implements Scene {
  readonly id: string;
  readonly world: World;
  readonly config: MirrorConfig;
  readonly startMs: number;
  readonly stopMs: number;
  readonly resyncFileMs: number;
  readonly oracle = new Oracle();
  readonly majority: Majority;
  readonly #due: Due;
  operations = 0;
  /** Everything has been well and nobody has written for a while. */
  isIdle = false;
  cloudAddress: string | null = null;
  readonly #checkers: readonly Checker[];
  #parts: readonly SimPart[] = [];
  nodes: readonly NodeView[] = [];
  /** The epoch in which each accepts operations, as seen after the last step; 0: it does not. */
  readonly #writable = new Map<string, number>();
  /** Operations whose name alone tells which one it is, until they have been applied. */
  readonly #bySource = new Map<string, Op>();
  #lookedMs = 0;
  #shownAddress: string | null = null;

  constructor(
    world: World,
    id: string,
    checkers: readonly Checker[],
    chance: Prng,
    config: MirrorConfig,
  ) {
    this.world = world;
    this.id = id;
    this.#checkers = checkers;
    this.majority = new Majority(this);
    this.#due = new Due(this);
    this.startMs = chance.between(20, 800);
    this.stopMs = chance.between(20, 800);
    this.resyncFileMs = chance.pick([2, 20, 150]);
    this.config = config;
  }

  /** Its two halves, once the nodes are there. */
  stand(parts: readonly SimPart[]): void {
    this.#parts = parts;
    this.nodes = parts.map((part) => viewOf(part, () => this.#writable.get(part.id) ?? 0));
  }

  get nowMs(): number {
    return this.world.clock.nowMs;
  }
  get trueMs(): number {
    return this.world.clock.trueMs;
  }
  get authority() {
    return this.majority.last;
  }
  get record(): WitnessRecord | null {
    return this.world.controlPlane.recordOf(this.id);
  }

  /** The witness knows what it knew; one that forgot promotes nobody before both nodes told it. */
  get isWitnessSure(): boolean {
    const { record } = this;
    const { storeId } = this.world.controlPlane.store;
    return record !== null && !record.isRecovering && record.storeId === storeId;
  }

  both(): readonly SimPart[] {
    return this.#parts;
  }

  part(id: string): SimPart {
    const found = this.#parts.find((part) => part.id === id);
    if (found === undefined) throw new Error(`there is no node ${id}`);
    return found;
  }

  view(id: string): NodeView {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`there is no node ${id}`);
    return found;
  }

  leader(): SimPart | null {
    return this.#parts.find((part) => part.accepts) ?? null;
  }

  get serviceDueSinceMs(): number | null {
    return this.#due.serviceSinceMs;
  }
  get syncDueSinceMs(): number | null {
    return this.#due.syncSinceMs;
  }
  get cloud(): CloudAddress | null {
    if (!this.world.isMovedByCloud) return null;
    const { record } = this;
    const shown = this.world.controlPlane.addressShown(this.id);
    const isShownRight = shown?.state === "confirmed" && shown.epoch === record?.epoch;
    const wanted = record?.primary ?? null;
    return { at: this.cloudAddress, wanted, dueSinceMs: this.#due.addressSinceMs, isShownRight };
  }
  get moduleCount(): number {
    return this.world.modules.length;
  }
  get leaseMs(): number {
    return TIMER_PROFILES[this.world.profile].peerLeaseMs;
  }
  get transferMs(): number {
    return this.resyncFileMs * FILES_MAX * PASSES;
  }

  get isInSync(): boolean {
    const leader = this.leader();
    if (leader === null || leader.quorum?.inSync.length !== 2) return false;
    const other = leader.peer.hosted?.module;
    const isSecond = other?.service.state === "SECOND" && other.target.isReady;
    return isSecond === true && this.record?.inSync.length === 2;
  }

  /** An event of this module, for its judges and for the trace. */
  tell(event: TraceEvent): void {
    this.world.trace.add(event, this.id);
    this.judge((checker) => checker.onEvent?.(event, this));
  }

  note(text: string): void {
    this.world.note(text, this.id);
  }

  /**
   * Asks every judge. What one finds ends the run, and is not thrown from here: the code that led
   * here may take it for a failure of its own.
   */
  judge(ask: (checker: Checker) => void): void {
    for (const checker of this.#checkers) {
      try {
        ask(checker);
      } catch (error) {
        this.world.bug(error);
      }
    }
  }

  onPersist(part: SimPart, was: NodeDisk | null, now: NodeDisk): void {
    const view = this.view(part.id);
    this.judge((checker) => checker.onPersist?.(view, was, now, this));
    this.majority.onPersist(part.id, was, now);
  }

  onRecord(was: WitnessRecord | null, now: WitnessRecord): void {
    this.judge((checker) => checker.onRecord?.(was, now, this));
    this.majority.onRecord(now);
  }

  onIssued(part: SimPart, op: Op): void {
    this.operations += 1;
    const [kind = "", source = ""] = op.what.split(" ");
    if (kind === "rename" || kind === "unlink") this.#bySource.set(`${kind} ${source}`, op);
    this.note(`${part.id} ${op.what} is operation ${op.id}`);
  }

  onReply(part: SimPart, call: Call, answer: Answer, isDone: boolean): void {
    const { op, result } = answer;
    if (call.kind !== "read" && call.kind !== "fsync") {
      this.judge((checker) => checker.onTold?.({ what: call.kind, result, isDone }));
    }
    if (op === null) {
      if (answer.result < 0) this.note(`${part.id} ${call.kind} fails with ${-answer.result}`);
      return;
    }
    // Then only an fsync promises anything of what was written.
    if (call.kind === "write" && this.config.rfs?.sync === "fsync") return;
    if (op.epoch < this.authority.epoch) this.world.see("late ack");
    if (op.epoch >= this.majority.forcedEpoch) this.oracle.acknowledged(op);
    this.tell({ ev: "ack", node: part.id, epoch: op.epoch, op: op.id });
  }

  onApplied(part: SimPart, applied: Applied): void {
    const op =
      "id" in applied
        ? this.oracle.op(applied.id)
        : this.#bySource.get(`${applied.kind} ${applied.source}`);
    if (op === undefined) return;
    this.tell({ ev: "apply", node: part.id, epoch: op.epoch, op: op.id });
  }

  /** The address of a node's interface came or went. */
  onAddress(): void {
    if (this.world.isMovedByCloud) return;
    this.#showAddress(this.#parts.find((part) => part.application.hasAddress)?.id ?? null);
  }

  moveCloudAddress(to: string | null): void {
    this.cloudAddress = to;
    this.#showAddress(to);
  }

  /** A node's copy, or a part of it, is gone. */
  onLoss(part: SimPart, what: "cached" | "all"): void {
    this.tell({ ev: "lose", node: part.id, ops: ["*"] });
    const set = this.authority.inSync;
    const survivors = this.#parts.filter(
      (one) => set.includes(one.id) && (one.quorum?.outdated === false || one === part),
    );
    const count = this.oracle.forgive(
      survivors.map((one) => one.disk.tree),
      what,
    );
    if (count > 0) this.note(`${count} promises died with the last copy that kept them`);
  }

  forgiveWhatLacks(nodeId: string, why: string): void {
    const count = this.oracle.forgive([this.part(nodeId).disk.tree], "all");
    if (count > 0) this.note(`${nodeId} ${why}: ${count} promises are given up`);
  }

  onPublish(part: SimPart, state: Parameters<NonNullable<Checker["onPublish"]>>[1]): void {
    const view = this.view(part.id);
    this.judge((checker) => checker.onPublish?.(view, state, this));
  }

  onAsk(part: SimPart, request: Parameters<NonNullable<Checker["onAsk"]>>[1]): void {
    const view = this.view(part.id);
    this.judge((checker) => checker.onAsk?.(view, request, this));
  }

  onPromise(part: SimPart, epoch: number | null): void {
    const view = this.view(part.id);
    this.judge((checker) => checker.onPromise?.(view, epoch, this));
  }

  /** After each step of the world. */
  look(isRoutine: boolean): void {
    // A lease ends by itself; but a node only begins to accept in a step that is no routine.
    const { clock } = this.world;
    if (isRoutine && clock.nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = clock.nowMs;
    for (const part of this.#parts) this.#lookAtWritable(part);
    this.#due.look();
    for (const checker of this.#checkers) checker.onStep?.(this);
  }

  #lookAtWritable(part: SimPart): void {
    const epoch = part.acceptedEpoch;
    const was = this.#writable.get(part.id) ?? 0;
    if (epoch === was) return;
    this.#writable.set(part.id, epoch);
    if (was !== 0) this.tell({ ev: "writable", node: part.id, epoch: was, on: false });
    if (epoch !== 0) this.tell({ ev: "writable", node: part.id, epoch, on: true });
  }

  #showAddress(at: string | null): void {
    if (at === this.#shownAddress) return;
    this.#shownAddress = at;
    this.tell({ ev: "vip", node: at });
  }
}
