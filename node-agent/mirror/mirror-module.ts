import type { EventKind } from "#model/contract/events.ts";
import type { MirrorConfig } from "#model/module/config.ts";
import type { NodeDisk } from "#model/quorum/disk.ts";
import { type KeptPlane, mayKeep } from "#model/quorum/kept.ts";
import type { Command, NodeConfig, NodeEffect, NodeEvent } from "#model/quorum/types.ts";
import { assertNever } from "#model/shared/assert.ts";
import { areEqual } from "#model/shared/equal.ts";
import type { BootMs, ModuleId, NodeId } from "#model/shared/ids.ts";
import { isServing, type ModuleState, type ScriptAction } from "#model/states/lifecycle.ts";
import type { Heartbeats, HeartbeatView, PromiseTerms } from "../peer/heartbeats.ts";
import type { LeaseCell } from "../peer/lease-cell.ts";
import type { NodeClock, NodeTimers, Timer } from "./clock.ts";
import type { DataPlane, DataPlaneEvent } from "./data-plane.ts";
import type { LifeCycleWord } from "./life-cycle-word.ts";
import { MountGate } from "./mount-gate.ts";
import { QuorumLoop } from "./quorum-loop.ts";
import type { QuorumStore } from "./quorum-store.ts";
import type { Service, ServiceEvent } from "./service.ts";
import { FirstSendings, type Witness } from "./witness.ts";

/** Something to tell people, before it has a time and an id. */
export type ModuleHappening = {
  readonly kind: EventKind | "decided" | "scriptSaid";
  readonly severity: "C" | "E" | "U" | "S" | "I" | "D";
  readonly text: string;
  readonly data?: Readonly<Record<string, string | number | boolean | null>>;
};

export type MirrorModuleOptions = {
  readonly moduleId: ModuleId;
  readonly config: MirrorConfig;
  readonly quorum: NodeConfig;
  readonly clock: NodeClock;
  readonly timers: NodeTimers;
  readonly heartbeats: Heartbeats;
  readonly cell: LeaseCell;
  readonly witness: Witness;
  readonly store: Pick<QuorumStore, "read" | "write">;
  readonly bootId: string;
  readonly incarnation: string;
  /** How far the scripts of this module are, where the next agent finds it. */
  readonly lifeCycle: Pick<LifeCycleWord, "read" | "write">;
  sign(text: string): string;
  newId(): string;
  /** What lies in the replicated directories, looked at before anything is mounted. */
  inspectData(): "empty" | "hasData" | "unknown";
  newDataPlane(onEvent: (event: DataPlaneEvent) => void): DataPlane;
  newService(
    onEvent: (event: ServiceEvent) => void,
    beforeServing: () => Promise<boolean>,
    isInMaintenance: () => boolean,
  ): Service;
  tell(happening: ModuleHappening): void;
  /** Something changed that a report should say soon. */
  onChanged(): void;
};

/** `ticked` comes at least this often, also when the heartbeat thread says nothing. */
const TICK_MS = 100;
/** Just after the peer was lost every wait that ends is part of the failover: looked at more often. */
const TICK_LOST_MS = 10;
const LOST_MS = 10_000;
const UNLISTED_BEATS_MAX = 3;
/** A main loop that did not turn for this long has stood still. */
const STALL_MS = 1_000;

/**
 * One mirror module on this node: the quorum protocol decides, the data plane and the service do.
 * This class only carries: events of the parts into the protocol, its effects to the parts.
 */
export class MirrorModule {
  readonly #options: MirrorModuleOptions;
  readonly #loop: QuorumLoop;
  readonly data: DataPlane;
  readonly service: Service;
  readonly #sendings = new FirstSendings();
  #witnessSentAt = 0;
  #view: HeartbeatView | null = null;
  /** What the protocol was told of the heartbeats last. */
  #seen: Omit<Extract<NodeEvent, { kind: "heartbeatViewChanged" }>, "kind"> | null = null;
  #timer: Timer | null = null;
  #lastTick: { readonly bootMs: number; readonly unixMs: number } | null = null;
  #why = "begins";
  #target: { readonly state: ModuleState; readonly isReady: boolean } = {
    state: "STOP",
    isReady: false,
  };
  #action: ScriptAction = "start";
  #hasServed = false;
  #isFenced = false;
  #startsAgain = false;
  #arrived: ModuleState = "STOP";
  #hearsPeer = false;
  #isClosed = false;
  #lostAtMs = Number.NEGATIVE_INFINITY;
  #isKilling = false;
  #isLeaving = false;
  /** Where what is said to a command is gathered, while it is decided about. */
  #said: string[] | null = null;
  readonly #gate = new MountGate();

  constructor(options: MirrorModuleOptions) {
    this.#options = options;
    this.#loop = new QuorumLoop({
      config: options.quorum,
      nowBootMs: options.clock.bootMs,
      persist: (disk) => options.store.write(this.#asWanted(disk)),
      run: (effect) => this.#run(effect),
      onDecided: (reason) => {
        this.#admitResync();
        this.#onDecided(reason);
      },
    });
    this.data = options.newDataPlane((event) => this.#onData(event));
    this.service = options.newService(
      (event) => this.#onService(event),
      () => this.#gate.passed(),
      () => this.isInMaintenance,
    );
  }

  /**
   * Goes on with what outlived an earlier agent, or takes away what it left; then begins the protocol
   * from what is on the disk. The data plane that was kept, or null.
   */
  async start(atBoot: "start" | "stop" | "asBefore"): Promise<KeptPlane | null> {
    const { store, bootId, incarnation, cell, heartbeats, moduleId } = this.#options;
    // First, as what the cleaning tells leads to what is said to the guard about the module.
    heartbeats.setModule({ moduleId, cell });
    const { disk, isDiskLost, detail } = store.read();
    const kept = await this.#keep(isDiskLost ? null : disk);
    if (kept === null) await this.service.cleanUp();
    if (isDiskLost) this.#say("decided", "C", `the quorum file counts as lost: ${detail}`);
    // Not through a mount that is held: this thread would wait for itself.
    const data = kept === null ? this.#options.inspectData() : "hasData";
    const newHistoryId = this.#options.newId();
    this.#post({
      ...{ kind: "started", disk, isDiskLost, bootId, incarnation, data, atBoot, newHistoryId },
      nowUnixMs: this.#options.clock.unixMs(),
      ...(kept === null ? {} : { kept, isServiceUp: true }),
    });
    // What was kept is held until the protocol has spoken; it may have a grant already.
    if (kept !== null && !this.#isFenced) {
      this.data.thaw();
      void this.service.thaw();
    }
    this.#tickAgain();
    return kept;
  }

  /**
   * Only an application that stood in its state, between two moves of its scripts, is kept, and only
   * together with its mounts. No reply leaves before this agent has a grant of its own.
   */
  async #keep(disk: NodeDisk | null): Promise<KeptPlane | null> {
    const { cell, lifeCycle, quorum, bootId } = this.#options;
    const stood = lifeCycle.read();
    const state = stood?.to === null ? stood.state : "STOP";
    const kept = await this.data.keep(this.#peer, (plane) => {
      const isUp = plane.role === "primary" ? isServing(state) : state === "SECOND";
      return isUp && disk?.bootId === bootId && mayKeep(disk, plane, quorum.self);
    });
    if (kept === null) {
      cell.clear();
      return null;
    }
    this.data.fence();
    cell.setWitnessGrant(null);
    cell.setStandingVote(null);
    if (kept.role === "primary") {
      this.#gate.open();
      this.#hasServed = true;
    }
    this.#arrived = state;
    this.service.adopt(state);
    this.#say("decided", "S", `goes on as ${state} where an earlier agent ended`);
    return kept;
  }

  get why(): string {
    return this.#why;
  }

  get isFenced(): boolean {
    return this.#isFenced;
  }

  get target(): { readonly state: ModuleState; readonly isReady: boolean } {
    return this.#target;
  }

  /** What this node durably knows about who leads. */
  get disk(): NodeDisk {
    return this.#loop.disk;
  }

  /** Shall this module run here? Also in the middle of a stop that is followed by a start. */
  get isStartWanted(): boolean {
    return this.#loop.disk.isStartWanted || this.#startsAgain;
  }

  /** Returns what the protocol says to it at once, a refusal among it (isRefusal). */
  command(command: Command): readonly string[] {
    // The newest wish counts: a stop must not end in a start that somebody asked for before.
    if (command.kind !== "maintenanceOn" && command.kind !== "maintenanceOff") {
      this.#startsAgain = false;
      this.#action = ACTION_OF[command.kind];
    }
    const said: string[] = [];
    this.#said = said;
    try {
      this.#post({ kind: "commanded", command });
    } finally {
      this.#said = null;
    }
    return said;
  }

  newId(): string {
    return this.#options.newId();
  }

  /** A person works on the machines: nothing is done by itself. */
  get isInMaintenance(): boolean {
    return this.#loop.disk.maintenance?.isOver === false;
  }

  beginMaintenance(wish: Omit<Extract<Command, { kind: "maintenanceOn" }>, "kind" | "nowUnixMs">) {
    this.command({ kind: "maintenanceOn", ...wish, nowUnixMs: this.#options.clock.unixMs() });
  }

  /** A checker blocks this node with that text, or no longer does. */
  block(blocker: string | null): void {
    this.#post({ kind: "blockingChanged", blocker });
  }

  /** Full stop, then start: what a checker's `stopstart` asks for. */
  stopStart(): void {
    // Nothing to stop, and nobody's wish that it start.
    if (!this.isStartWanted) return;
    this.command({ kind: "stop" });
    this.#action = "stopstart";
    this.#startsAgain = true;
  }

  onView(view: HeartbeatView): void {
    this.#view = view;
    this.#tick();
  }

  onPeerState(state: Extract<NodeEvent, { kind: "peerStateReceived" }>["state"]): void {
    this.#post({ kind: "peerStateReceived", state });
  }

  /** Ends this module's part of the agent; the protocol's state stays on the disk. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#loop.close();
    this.data.fence();
    this.#gate.shut();
    await Promise.all([this.data.end(), this.service.kill("STOP")]);
    this.#gate.shut();
    this.service.close();
    this.#options.heartbeats.removeModule(this.#options.moduleId);
  }

  /**
   * Stops because the agent ends, which is no person's wish: the disk keeps saying that this module
   * shall run, from the first write on, as the machine may be off before the stop has ended.
   */
  stopUntilNextRun(): void {
    this.#isLeaving = true;
    this.#options.store.write(this.#asWanted(this.#loop.disk));
    this.command({ kind: "stop" });
  }

  #asWanted(disk: NodeDisk): NodeDisk {
    return this.#isLeaving ? { ...disk, isStartWanted: true } : disk;
  }

  /** The protocol knows several peers; the data plane and the heartbeats carry one. */
  get #peer(): NodeId {
    return this.#options.quorum.peers[0];
  }

  #tickAgain(): void {
    if (this.#isClosed) return;
    const isLost = this.#options.clock.bootMs() - this.#lostAtMs < LOST_MS;
    const delayMs = isLost && !this.#hearsPeer ? TICK_LOST_MS : TICK_MS;
    this.#timer = this.#options.timers.after(delayMs, () => {
      this.#tick();
      this.#tickAgain();
    });
  }

  #tick(): void {
    const { clock, moduleId } = this.#options;
    const now = { bootMs: clock.bootMs(), unixMs: clock.unixMs() };
    const last = this.#lastTick;
    this.#lastTick = now;
    if (last !== null) {
      const lastedMs = now.bootMs - last.bootMs;
      const jumpedMs = Math.abs(now.unixMs - last.unixMs - lastedMs);
      if (lastedMs > STALL_MS || jumpedMs > STALL_MS) this.#stoodStill(lastedMs, jumpedMs);
    }
    this.#tellPeer(now.bootMs, now.unixMs);
    const grant = this.#view?.grants[moduleId];
    const seen = {
      peer: this.#peer,
      lastHeardMs: this.#lastHeardMs(),
      peerGrantUntilMs: grant?.untilBootMs ?? null,
      peerGrantEpoch: grant?.epoch ?? null,
    };
    if (!areEqual(seen, this.#seen)) this.#post({ kind: "heartbeatViewChanged", ...seen });
    this.#seen = seen;
    this.#post({ kind: "ticked", nowUnixMs: now.unixMs });
  }

  /**
   * When the peer was heard last about this module. A node that lists it no more, because its data
   * thread stands still, is silent here, however well its other modules are. One heartbeat without
   * it is none yet: several may be needed for all modules, and any may be lost.
   */
  #lastHeardMs(): BootMs | null {
    const { moduleId, quorum } = this.#options;
    const heardMs = this.#view?.lastHeardBootMs ?? null;
    const listedMs = this.#view?.lastListedBootMs[moduleId] ?? null;
    if (heardMs === null || listedMs === null) return listedMs;
    const isSilent = heardMs - listedMs > UNLISTED_BEATS_MAX * quorum.timers.heartbeatMs;
    return isSilent ? listedMs : heardMs;
  }

  /** The beginning of every failover that people look at later: when the peer was heard last. */
  #tellPeer(nowBootMs: number, nowUnixMs: number): void {
    const { timers } = this.#options.quorum;
    const peer = this.#peer;
    const heardMs = this.#lastHeardMs();
    const silentMs = heardMs === null ? Number.POSITIVE_INFINITY : nowBootMs - heardMs;
    const hearsPeer = silentMs < timers.detectAfterMs;
    if (hearsPeer === this.#hearsPeer) return;
    this.#hearsPeer = hearsPeer;
    if (hearsPeer) {
      const text = `${peer} is heard`;
      this.#options.tell({ kind: "peerBack", severity: "S", text, data: { peer } });
      return;
    }
    this.#lostAtMs = nowBootMs;
    const lastHeardAtMs = Math.round(nowUnixMs - silentMs);
    const text = `${peer} is judged lost: nothing heard for ${Math.round(silentMs)} ms`;
    this.#options.tell({ kind: "peerLost", severity: "C", text, data: { peer, lastHeardAtMs } });
  }

  #stoodStill(lastedMs: number, jumpedMs = 0): void {
    this.#options.cell.noticeStall(this.#options.clock.bootMs());
    this.#post({ kind: "stallNoticed", lastedMs, jumpedMs });
  }

  #post(event: NodeEvent): void {
    this.#loop.post(event);
  }

  #onDecided(reason: string): void {
    if (reason === this.#why) return;
    this.#why = reason;
    this.#options.onChanged();
  }

  #say(kind: ModuleHappening["kind"], severity: ModuleHappening["severity"], text: string): void {
    this.#options.tell({ kind, severity, text });
  }

  #run(effect: Exclude<NodeEffect, { kind: "persist" }>): void {
    switch (effect.kind) {
      case "fence":
      case "thaw":
      case "killApplication":
        this.#runFence(effect);
        return;
      case "promise":
      case "seekPeerGrant":
      case "publishPeerState":
      case "setWitnessGrant":
      case "setStandingVote":
      case "askWitness":
      case "sign":
        this.#runVote(effect);
        return;
      case "serve":
      case "follow":
      case "refuseBelow":
      case "drainReceiver":
      case "resyncPeer":
      case "flushPeer":
      case "closeData":
        this.#runData(effect);
        return;
      case "setTarget":
        this.#setTarget(effect.state, effect.isReady, effect.reason);
        return;
      case "report":
        this.#said?.push(effect.text);
        this.#say("decided", SEVERITY[effect.severity], effect.text);
        return;
      default:
        assertNever(effect);
    }
  }

  #runFence(effect: Extract<NodeEffect, { kind: "fence" | "thaw" | "killApplication" }>): void {
    if (effect.kind === "thaw") {
      if (!this.#isFenced) return;
      this.#isFenced = false;
      this.#say("thawed", "S", "a grant is live again: this node goes on where it stopped");
      this.data.thaw();
      void this.service.thaw();
      return;
    }
    // First of all no reply leaves; the rest of the fence takes its time.
    this.data.fence();
    if (effect.kind === "fence") {
      if (this.#isFenced) return;
      this.#isFenced = true;
      // A primary that hands over answers nothing either, but there it is part of the order.
      this.#say("fenced", isServing(this.#target.state) ? "C" : "S", effect.reason);
      void this.service.freeze();
      return;
    }
    this.#say("actionTaken", "C", `the application is killed: ${effect.reason}`);
    void this.#kill();
  }

  /**
   * Open file operations end with an error first: a process inside one cannot die before. That the
   * application is down is told only when both have ended: what follows may serve again.
   */
  async #kill(): Promise<void> {
    this.#isKilling = true;
    this.#gate.shut();
    await Promise.all([this.data.abort(), this.service.kill("WAIT")]);
    this.#isKilling = false;
    this.#isFenced = false;
    this.data.thaw();
    this.#hasServed = false;
    this.#tellStopped();
  }

  #tellStopped(): void {
    if (!this.#isKilling) this.#post({ kind: "serviceStopped" });
  }

  /** Only a copy that is durably known as outdated may be overwritten. */
  #admitResync(): void {
    const { outdated, copyHistoryId, historyId } = this.#loop.disk;
    if (outdated) this.data.admitResync(copyHistoryId !== historyId);
  }

  #runVote(
    effect: Extract<
      NodeEffect,
      {
        kind:
          | "promise"
          | "seekPeerGrant"
          | "publishPeerState"
          | "setWitnessGrant"
          | "setStandingVote"
          | "askWitness"
          | "sign";
      }
    >,
  ): void {
    const { heartbeats, moduleId, cell, sign } = this.#options;
    const { epoch } = this.#loop.disk;
    switch (effect.kind) {
      case "promise":
        void heartbeats.promise(moduleId, promiseTerms(effect)).then((answer) => {
          if (effect.epoch !== null) return;
          const lastPromiseEndsMs = answer.lastPromiseEndsBootMs;
          this.#post({ kind: "promisesClosed", lastPromiseEndsMs });
        });
        return;
      case "seekPeerGrant":
        heartbeats.seekGrant(moduleId, effect.epoch);
        return;
      case "publishPeerState":
        heartbeats.publish(moduleId, effect.state);
        return;
      case "setWitnessGrant":
        cell.setWitnessGrant(
          effect.untilMs === null
            ? null
            : { epoch, untilBootMs: effect.untilMs, sentAtBootMs: this.#witnessSentAt },
        );
        return;
      case "setStandingVote":
        cell.setStandingVote(effect.isHeld ? epoch : null);
        return;
      case "sign":
        this.#post({ kind: "signed", text: effect.text, signature: sign(effect.text) });
        return;
      case "askWitness":
        void this.#ask(effect.request);
        return;
      default:
        assertNever(effect);
    }
  }

  async #ask(request: Extract<NodeEffect, { kind: "askWitness" }>["request"]): Promise<void> {
    const { witness, clock, quorum, moduleId } = this.#options;
    // This module's heartbeats have stopped, so that the other node takes over. A grant of the
    // witness would keep the role here, where nobody is answered.
    if (this.#view?.hungModules.includes(moduleId) === true) {
      const cause = "the data thread of this node stands still";
      this.#post({ kind: "voteFailed", requestId: request.id, cause });
      return;
    }
    this.#sendings.note(request.id, clock.bootMs());
    if (request.kind === "promote") {
      this.#say("promotionAsked", "S", `asks the witness to lead epoch ${request.toEpoch}`);
    }
    const outcome = await witness.ask(request, quorum.timers.voteTimeoutMs);
    const requestId = request.id;
    if (outcome.kind === "unknown") {
      this.#post({ kind: "voteFailed", requestId, cause: outcome.cause });
      return;
    }
    const { answer } = outcome;
    if (answer.kind === "granted") {
      this.#witnessSentAt = this.#sendings.of(requestId) ?? this.#witnessSentAt;
    }
    if (answer.kind === "refused") this.#say("voteRefused", "I", answer.reason);
    this.#post({ kind: "voteAnswered", requestId, answer });
  }

  #runData(
    effect: Extract<
      NodeEffect,
      {
        kind:
          | "serve"
          | "follow"
          | "refuseBelow"
          | "drainReceiver"
          | "resyncPeer"
          | "flushPeer"
          | "closeData";
      }
    >,
  ): void {
    const { data } = this;
    switch (effect.kind) {
      case "serve":
        data.serve(effect.epoch, effect.ackBy.length === 0 ? "none" : "peer");
        return;
      case "follow":
        if (data.isServing) this.#gate.shut();
        data.follow(effect.epoch);
        return;
      case "refuseBelow":
        data.refuseBelow(effect.epoch);
        return;
      case "drainReceiver":
        data.drain();
        return;
      case "resyncPeer":
        this.#say("resyncStarted", "S", `brings the peer's copy up to date`);
        data.resyncPeer(effect.epoch);
        return;
      case "flushPeer":
        data.flush();
        return;
      case "closeData":
        this.#gate.shut();
        data.close();
        return;
      default:
        assertNever(effect);
    }
  }

  #setTarget(state: ModuleState, isReady: boolean, reason: string): void {
    const was = this.#target;
    this.#target = { state, isReady };
    this.#why = reason;
    if (was.state !== state) {
      this.#options.tell({
        kind: "stateChanged",
        severity: "S",
        text: `${was.state} to ${state}: ${reason}`,
        data: { from: was.state, to: state, ready: "Transient" },
      });
    }
    this.service.setTarget(state, this.#action);
    if (!isServing(state)) this.#gate.giveUp();
    // The protocol waits for this answer also where nothing had to be stopped.
    const { view } = this.service;
    if (isDown(state) && view.state === state && !view.runsScripts) this.#tellStopped();
    this.#options.onChanged();
  }

  #onData(event: DataPlaneEvent): void {
    switch (event.kind) {
      case "serving":
        this.#gate.open();
        // What the guard would have to take down begins here.
        this.#options.onChanged();
        return;
      case "attachedAsPrimary":
        this.#post({ kind: "replicationAttached", peer: this.#peer, epoch: event.epoch });
        return;
      case "attachedAsSecondary":
        this.#post({ kind: "resyncFinished", epoch: event.epoch });
        return;
      case "detached":
        this.#post({ kind: "replicationDetached", peer: this.#peer, cause: event.cause });
        return;
      case "stalled": {
        const sinceMs = this.#options.clock.bootMs() - event.oldestUnacknowledgedMs;
        this.#post({ kind: "replicationStalled", peer: this.#peer, sinceMs });
        return;
      }
      case "stoodStill":
        // A short gap holds the replies (see the lease cell) until a voter has answered anew, which
        // takes one heartbeat. Only a long one is worth stopping the application for.
        if (event.lastedMs > STALL_MS) this.#stoodStill(event.lastedMs);
        return;
      case "resyncAsked":
        this.#admitResync();
        return;
      case "resyncFailed":
        this.#post({ kind: "resyncFailed", peer: this.#peer, cause: event.cause });
        return;
      case "drained":
        this.#post({ kind: "receiverDrained" });
        return;
      case "flushed":
        this.#post({ kind: "peerFlushed", peer: this.#peer });
        return;
      case "flushFailed":
        this.#post({ kind: "flushFailed", peer: this.#peer, cause: event.cause });
        return;
      case "closed":
        this.#post({ kind: "dataClosed", isSynced: event.isSynced });
        this.#options.onChanged();
        return;
      case "faulted":
        this.#say("decided", "C", event.cause);
        this.#post({ kind: "dataFaulted", cause: event.cause });
        return;
      case "opened":
        this.#options.onChanged();
        return;
      default:
        assertNever(event);
    }
  }

  #onService(event: ServiceEvent): void {
    this.#options.onChanged();
    switch (event.kind) {
      case "arrived":
        this.#onArrived(event.state);
        return;
      case "script":
        this.#tellScript(event.event);
        return;
      case "addressHeld":
        this.#tellAddress("addressMoved", event.held.address);
        return;
      case "addressReleased":
        this.#tellAddress("addressRemoved", event.address);
        return;
      case "problem":
        this.#say("decided", "E", event.text);
        return;
      case "resource":
        this.#options.tell({
          kind: "resourceChanged",
          severity: event.to === "down" ? "E" : "I",
          text: `Resource ${event.name} set to ${event.to}: ${event.detail}`,
          data: { resource: event.name, from: event.from, to: event.to },
        });
        return;
      case "acted":
      case "asked":
        this.#onRule(event);
        return;
      case "heldBack":
        this.holdBack(event.action, event.reason);
        return;
      case "blocked":
        this.block(event.blocker);
        return;
      case "changed":
        return;
      default:
        assertNever(event);
    }
  }

  #onRule(event: Extract<ServiceEvent, { kind: "acted" | "asked" }>): void {
    const { action, reason } = event;
    // What began before the maintenance did, and ends in it.
    if (event.kind === "asked" && this.isInMaintenance) {
      this.holdBack(action, reason);
      return;
    }
    const text = `Action ${action}: ${reason}`;
    this.#options.tell({ kind: "actionTaken", severity: "E", text, data: { action } });
    if (event.kind === "acted") return;
    if (event.action === "stopstart") this.stopStart();
    else this.command({ kind: event.action === "stop" ? "stop" : "switchover" });
  }

  /** What would have been done by itself is told, so that people see what their work sets off. */
  holdBack(action: string, reason: string): void {
    const text = `Maintenance: would have done ${action}: ${reason}`;
    this.#options.tell({ kind: "actionHeldBack", severity: "E", text, data: { action } });
  }

  #onArrived(state: ModuleState): void {
    if (state !== this.#arrived) {
      const from = this.#arrived;
      const text = `${state} reached`;
      const data = { from, to: state, ready: "Ready" };
      this.#options.tell({ kind: "stateChanged", severity: "S", text, data });
      this.#arrived = state;
    }
    if (isServing(state)) {
      if (!this.#hasServed) this.#post({ kind: "serviceStarted" });
      this.#hasServed = true;
    } else {
      this.#hasServed = false;
      if (isDown(state)) this.#tellStopped();
    }
    if (state === "STOP" && this.#startsAgain) {
      this.command({ kind: "start", dataFrom: null });
    }
  }

  #tellScript(event: Extract<ServiceEvent, { kind: "script" }>["event"]): void {
    const { script } = event.call;
    if (event.kind === "scriptStarted") {
      const text = `Script ${script} > ${event.ulog ?? "no log"}`;
      this.#options.tell({ kind: "scriptStarted", severity: "S", text, data: { script } });
      return;
    }
    const exitCode = event.outcome.kind === "exited" ? event.outcome.code : null;
    const severity = exitCode === 0 ? "S" : "E";
    const text = `Script ${script} ended: ${event.outcome.kind} ${exitCode ?? ""}`.trim();
    this.#options.tell({ kind: "scriptEnded", severity, text, data: { script, exitCode } });
  }

  #tellAddress(kind: "addressMoved" | "addressRemoved", address: string): void {
    const { quorum } = this.#options;
    const verb = kind === "addressMoved" ? "is on" : "is off";
    this.#options.tell({
      kind,
      severity: "S",
      text: `${address} ${verb} ${quorum.self}`,
      data: { address, toNode: quorum.self, epoch: this.#loop.disk.epoch },
    });
  }
}

/** A secondary runs scripts and what they started: it is not down. */
const isDown = (state: ModuleState): boolean => state === "STOP" || state === "WAIT";

const ACTION_OF: Readonly<
  Record<Exclude<Command["kind"], "maintenanceOn" | "maintenanceOff">, ScriptAction>
> = {
  start: "start",
  stop: "stop",
  switchover: "swap",
  forcePrimary: "start",
};

const SEVERITY = { critical: "C", event: "S", info: "I" } as const;

const promiseTerms = (effect: Extract<NodeEffect, { kind: "promise" }>): PromiseTerms | null =>
  effect.epoch === null ? null : { epoch: effect.epoch, peerLeaseMs: effect.peerLeaseMs };
