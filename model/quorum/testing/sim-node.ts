import type { BootMs, Epoch, NodeId, UnixMs } from "../../shared/ids.ts";
import type { NodeDisk } from "../disk.ts";
import { decideNode, type NodeState } from "../node.ts";
import type { PeerState } from "../peer-state.ts";
import { HOLDER_SHARE } from "../timers.ts";
import type { Command, NodeConfig, NodeEffect, NodeEvent, TargetState } from "../types.ts";
import { isMajority } from "../voters.ts";
import { SimData } from "./sim-data.ts";
import type { World } from "./world.ts";

type Datagram = {
  readonly sequence: number;
  readonly sentMs: BootMs;
  readonly seek: Epoch | null;
  readonly state: PeerState | null;
};

/**
 * The shell around one node's decisions, reduced to what the protocol can notice: heartbeats with
 * promises and grants, the disk, the data plane, the service. A crash drops everything but the
 * disk and the files; it may come between any two effects.
 */
export class SimNode {
  readonly id: NodeId;
  readonly config: NodeConfig;
  readonly data: SimData;
  disk: NodeDisk | null = null;
  state: NodeState | null = null;
  isAlive = false;
  isFrozen = false;
  isFenced = false;
  /** The machine died, not only the agent. */
  hasLostPower = false;
  target: TargetState = "STOP";
  reason = "";
  readonly reports: string[] = [];
  /** How often each kind of effect ran. */
  readonly #ran = new Map<NodeEffect["kind"], number>();
  /** Crash before the n-th effect from now. */
  crashAtEffect: number | null = null;
  /** The lease cell. */
  readonly #peerGrants = new Map<NodeId, { epoch: Epoch; untilMs: BootMs }>();
  #witnessUntilMs: BootMs | null = null;
  #hasStandingVote = false;
  #seek: Epoch | null = null;
  #promise: Epoch | null = null;
  #lastPromiseEndsMs: BootMs | null = null;
  readonly #lastHeardMs = new Map<NodeId, BootMs>();
  readonly #published = new Map<NodeId, PeerState>();
  #sequence = 0;
  readonly #lastSequence = new Map<NodeId, number>();
  #run = 0;
  /** Outlives the agent, not the machine. */
  #runsService = false;
  #frozenMs = 0;
  /** The wall clock minus the world's time; a step of it is one assignment. */
  unixAheadMs = 1_800_000_000_000;
  readonly #inbox: NodeEvent[] = [];
  #osRun = 0;
  readonly #world: World;
  readonly #initialData: "empty" | "hasData";

  constructor(world: World, config: NodeConfig, initialData: "empty" | "hasData") {
    this.#world = world;
    this.config = config;
    this.id = config.self;
    this.#initialData = initialData;
    this.data = new SimData(world, this);
  }

  get unixMs(): UnixMs {
    return this.#world.nowMs + this.unixAheadMs;
  }

  get #peers(): readonly SimNode[] {
    return this.config.peers.map((id) => this.#world.node(id));
  }

  /** The agent starts. `isOsBoot`: the machine did, too. */
  boot(isOsBoot = true, atBoot: "start" | "stop" | "asBefore" = "asBefore"): void {
    if (isOsBoot) this.#osRun += 1;
    this.#run += 1;
    this.isAlive = true;
    this.hasLostPower = false;
    const run = this.#run;
    const incarnation = `${this.id}${run}`;
    const hasFiles = this.data.applied.size > 0 || this.#initialData === "hasData";
    this.#decide({
      kind: "started",
      disk: this.disk,
      isDiskLost: false,
      bootId: `${this.id}-os${this.#osRun}`,
      incarnation,
      data: hasFiles ? "hasData" : "empty",
      isServiceUp: this.#runsService,
      atBoot,
      newHistoryId: `history-${incarnation}`,
      nowUnixMs: this.unixMs,
    });
    this.#beat(run);
    this.#tick(run);
  }

  crash(): void {
    this.isAlive = false;
    this.#run += 1;
    this.state = null;
    this.#peerGrants.clear();
    this.#witnessUntilMs = null;
    this.#hasStandingVote = false;
    this.#seek = null;
    this.#promise = null;
    this.#lastPromiseEndsMs = null;
    this.#lastHeardMs.clear();
    this.#published.clear();
    this.isFenced = false;
    this.isFrozen = false;
    this.#inbox.length = 0;
    this.data.crash();
  }

  /** Power is cut: what was not synced is gone. */
  crashOs(): void {
    this.crash();
    this.hasLostPower = true;
    this.#runsService = false;
    this.data.losePageCache();
    this.target = "STOP";
  }

  command(command: Command): void {
    this.tell({ kind: "commanded", command });
  }

  tell(event: NodeEvent): void {
    if (!this.isAlive || this.state === null) return;
    if (this.isFrozen) this.#inbox.push(event);
    else this.#decide(event);
  }

  /** Everything of this node stands still; it notices by its clock when it goes on. */
  freeze(): void {
    this.isFrozen = true;
    this.#frozenMs = this.#world.nowMs;
  }

  unfreeze(): void {
    if (!this.isFrozen) return;
    this.isFrozen = false;
    const inbox = this.#inbox.splice(0);
    this.tell({ kind: "stallNoticed", lastedMs: this.#world.nowMs - this.#frozenMs });
    for (const event of inbox) this.tell(event);
  }

  /** Later, and only if this run of the agent still lives. */
  later(delayMs: number, event: NodeEvent): void {
    const run = this.#run;
    this.#world.after(delayMs, () => {
      if (run === this.#run) this.tell(event);
    });
  }

  /** What the data thread looks at before each answer. */
  hasLease(epoch: Epoch): boolean {
    if (this.isFenced || this.isFrozen) return false;
    if (this.#hasStandingVote) return true;
    const { nowMs } = this.#world;
    const promising = [...this.#peerGrants].filter(
      ([, grant]) => grant.epoch === epoch && nowMs < grant.untilMs,
    );
    const { self, peers } = this.config;
    const isWitnessForIt = this.#witnessUntilMs !== null && nowMs < this.#witnessUntilMs;
    return isMajority([self, ...peers], [self, ...promising.map(([id]) => id)], isWitnessForIt);
  }

  canAnswer(): boolean {
    const epoch = this.data.servedEpoch;
    return this.isAlive && epoch !== null && this.hasLease(epoch);
  }

  picture(): string {
    const s = this.state;
    if (!this.isAlive || s === null) return `${this.id} dead (disk ${this.disk?.epoch ?? "-"})`;
    const { epoch, primary, inSync, outdated, asked, joining } = s.disk;
    const flags = `${outdated ? " outdated" : ""}${joining === null ? "" : ` joining ${joining}`}`;
    const role = `${s.role.kind} ${epoch}/${primary} {${inSync}} asked ${asked}${flags}`;
    return `${this.id} ${this.target} ${role}: ${this.reason}`;
  }

  #decide(event: NodeEvent): void {
    const was =
      event.kind === "started" || this.state === null ? { config: this.config } : this.state;
    const decision = decideNode(was, event, this.#world.nowMs);
    this.state = decision.state;
    this.reason = decision.reason;
    const run = this.#run;
    this.#world.judge.reasoned(decision.reason);
    this.#world.judge.resorted(was, decision.state);
    this.#world.judge.decided(this, decision.effects);
    for (const effect of decision.effects) {
      if (this.crashAtEffect !== null) {
        this.crashAtEffect -= 1;
        if (this.crashAtEffect < 0) {
          this.crashAtEffect = null;
          this.crash();
          return;
        }
      }
      this.#apply(effect);
      if (run !== this.#run) return;
    }
  }

  ran(kind: NodeEffect["kind"]): number {
    return this.#ran.get(kind) ?? 0;
  }

  #apply(e: NodeEffect): void {
    this.#ran.set(e.kind, this.ran(e.kind) + 1);
    switch (e.kind) {
      case "persist":
        this.#world.judge.persisted(this.id, this.disk, e.disk);
        this.disk = e.disk;
        return;
      case "fence":
        this.isFenced = true;
        return;
      case "thaw":
        this.isFenced = false;
        this.data.retry();
        return;
      case "promise":
        this.#promise = e.epoch;
        if (e.epoch === null) {
          this.later(1, { kind: "promisesClosed", lastPromiseEndsMs: this.#lastPromiseEndsMs });
        }
        return;
      case "seekPeerGrant":
        this.#seek = e.epoch;
        return;
      case "setWitnessGrant":
        this.#witnessUntilMs = e.untilMs;
        return;
      case "setStandingVote":
        this.#hasStandingVote = e.isHeld;
        return;
      case "publishPeerState":
        this.#published.set(e.to, e.state);
        return;
      case "askWitness":
        this.#ask(e);
        return;
      case "sign":
        this.later(1, { kind: "signed", text: e.text, signature: `${this.id}:${e.text.length}` });
        return;
      case "setTarget":
        this.#setTarget(e.state);
        return;
      case "killApplication":
        this.data.fail();
        this.#runsService = false;
        this.later(10, { kind: "serviceStopped" });
        return;
      case "report":
        this.reports.push(e.text);
        return;
      default:
        this.data.run(e);
    }
  }

  #ask(e: Extract<NodeEffect, { kind: "askWitness" }>): void {
    const requestId = e.request.id;
    const run = this.#run;
    this.#world.ask(this.id, e.request, (answer) => {
      if (run === this.#run) this.tell({ kind: "voteAnswered", requestId, answer });
    });
    this.later(this.config.timers.voteTimeoutMs, {
      kind: "voteFailed",
      requestId,
      cause: "no answer",
    });
  }

  #setTarget(state: TargetState): void {
    const was = this.target;
    this.target = state;
    const isDown = state === "STOP" || state === "WAIT";
    if (!isDown) this.#runsService = true;
    if (isDown === (was === "STOP" || was === "WAIT") && isDown !== this.#runsService) return;
    const run = this.#run;
    this.#world.after(20, () => {
      if (run !== this.#run || this.target !== state) return;
      if (isDown) this.#runsService = false;
      this.tell({ kind: isDown ? "serviceStopped" : "serviceStarted" });
    });
  }

  #tick(run: number): void {
    if (run !== this.#run) return;
    if (!this.isFrozen) {
      for (const peer of this.config.peers) {
        const grant = this.#peerGrants.get(peer);
        this.tell({
          kind: "heartbeatViewChanged",
          peer,
          lastHeardMs: this.#lastHeardMs.get(peer) ?? null,
          peerGrantUntilMs: grant?.untilMs ?? null,
          peerGrantEpoch: grant?.epoch ?? null,
        });
      }
      this.tell({ kind: "ticked", nowUnixMs: this.unixMs });
      this.data.work();
    }
    this.#world.after(50, () => this.#tick(run));
  }

  #beat(run: number): void {
    if (run !== this.#run) return;
    if (!this.isFrozen) {
      this.#sequence += 1;
      const sentMs = this.#world.nowMs;
      for (const peer of this.#peers) {
        const state = this.#published.get(peer.id) ?? null;
        const datagram = { sequence: this.#sequence, sentMs, seek: this.#seek, state };
        this.#send(peer.id, () => peer.#hear(this, datagram));
      }
    }
    this.#world.after(this.config.timers.heartbeatMs, () => this.#beat(run));
  }

  #send(to: NodeId, arrive: () => void): void {
    const world = this.#world;
    if (world.isCut(this.id, to) || world.random() < world.loss) return;
    world.after(1 + Math.floor(world.random() * 8), () => {
      if (!world.isCut(this.id, to)) arrive();
    });
  }

  #hear(from: SimNode, datagram: Datagram): void {
    if (!this.isAlive || this.isFrozen) return;
    const { nowMs } = this.#world;
    this.#lastHeardMs.set(from.id, nowMs);
    const { seek, sentMs, state } = datagram;
    if (seek !== null && seek === this.#promise) {
      this.#lastPromiseEndsMs = nowMs + this.config.timers.peerLeaseMs;
      this.#send(from.id, () => from.#acknowledged(this.id, seek, sentMs));
    }
    const known = this.#lastSequence.get(from.id) ?? 0;
    if (datagram.sequence <= known || state === null) return;
    this.#lastSequence.set(from.id, datagram.sequence);
    this.tell({ kind: "peerStateReceived", state });
  }

  #acknowledged(by: NodeId, epoch: Epoch, sentMs: BootMs): void {
    if (!this.isAlive || this.isFrozen || this.#seek !== epoch) return;
    const untilMs = sentMs + this.config.timers.peerLeaseMs * HOLDER_SHARE;
    const grant = this.#peerGrants.get(by);
    const known = grant?.epoch === epoch ? grant.untilMs : 0;
    this.#peerGrants.set(by, { epoch, untilMs: Math.max(known, untilMs) });
  }
}
