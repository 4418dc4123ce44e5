import type { ClusterSettings } from "#model/contract/configuration.ts";
import type { MirrorConfig } from "#model/module/config.ts";
import type { NodeDisk } from "#model/quorum/disk.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import { type Checker, type NodeView, type Scene, Violation } from "./checkers/checker.ts";
import type { Applied } from "./engine/sim-applier.ts";
import { INCOMPLETE } from "./engine/sim-resync.ts";
import type { Answer, Call } from "./engine/sim-server.ts";
import { moduleConfig } from "./module-config.ts";
import { type Op, Oracle } from "./oracle.ts";
import { Prng } from "./prng.ts";
import { CLUSTER } from "./sim-agent.ts";
import { SimControlPlane } from "./sim-control-plane.ts";
import { LinkBroker } from "./sim-link.ts";
import { SimNet } from "./sim-net.ts";
import { SimNode } from "./sim-node.ts";
import { SimSockets } from "./sim-sockets.ts";
import { Trace } from "./trace.ts";
import { VirtualClock } from "./virtual-clock.ts";

export type WorldOptions = {
  readonly seed: number;
  readonly checkers: readonly Checker[];
  readonly profile?: "fast" | "default" | "tolerant";
  readonly addressMovedBy?: "nodes" | "cloud";
  readonly defaultPrimary?: "alone" | "a";
  readonly write?: (line: string) => void;
  /** Leave out what changes nothing. @default true */
  readonly skips?: boolean;
  /** The control run: the witness's table reads stale. */
  readonly isEventual?: boolean;
};

/** Nothing but heartbeats for so long: all that counts time since an event has come to rest. */
const SETTLED_MS = 12_000;
/**
 * After so long everything that comes again and again is where it was: heartbeats (200 ms), ticks
 * and turns (50 and 100 ms), looks of checkers (600 ms), probes of connections (6.7 s), and the
 * nodes' questions whether the witness is still there (20.1 s). So a multiple of it can be left out,
 * and nobody notices: sim.test.ts compares both.
 */
const PERIOD_MS = 40_200;

/** How late an end by the clock alone may be noticed. */
const LOOK_MS = 25;

type Authority = { epoch: number; primary: string | null; inSync: readonly string[] };

/**
 * The whole simulated world: two data nodes, the control plane, the network between them, the
 * clients, and the judges who look on. It runs the production code of all three; what is simulated
 * lies below its interfaces.
 */
export class World implements Scene {
  readonly clock = new VirtualClock();
  readonly prng: Prng;
  readonly net: SimNet;
  readonly sockets: SimSockets;
  readonly oracle = new Oracle();
  readonly trace: Trace;
  readonly profile: "fast" | "default" | "tolerant";
  readonly config: MirrorConfig;
  readonly settings: ClusterSettings;
  readonly controlPlane: SimControlPlane;
  readonly a: SimNode;
  readonly b: SimNode;
  readonly nodes: readonly NodeView[];
  readonly seen = new Set<string>();
  readonly startMs: number;
  readonly stopMs: number;
  readonly resyncFileMs: number;
  authority: Authority = { epoch: 0, primary: null, inSync: [] };
  cloudAddress: string | null = null;
  operations = 0;
  faultsBegun = 0;
  /** No new faults: everything is to come back now. */
  isHealing = false;
  /** Rises whenever everything is mended. */
  era = 0;
  /** Ends of faults that are at work. */
  readonly undoing = new Set<() => void>();
  /** How many faults are at work: nothing is skipped then. */
  troubles = 0;
  /** A copy or a quorum file is lost for good: perhaps only a person can say what goes on. */
  needsPerson = false;
  /** Voters that lost their memory since the pair was in sync last. */
  readonly #forgetful = new Set<string>();
  readonly #checkers: readonly Checker[];
  readonly #broker: LinkBroker;
  readonly #skips: boolean;
  /** The epoch in which each accepts operations, as seen after the last step; 0: it does not. */
  readonly #writable = new Map<string, number>([
    ["a", 0],
    ["b", 0],
  ]);
  /** Operations whose name alone tells which one it is, until they have been applied. */
  readonly #bySource = new Map<string, Op>();
  /** Of the newest primary that a person forced: promises of older ones are worth nothing. */
  #forcedEpoch = 0;
  #historyId: string | null = null;
  #lastWorkMs = 0;
  #lookedMs = 0;
  #shownAddress: string | null = null;

  constructor(options: WorldOptions) {
    this.prng = new Prng(options.seed);
    this.#checkers = options.checkers;
    this.#skips = options.skips ?? true;
    this.profile = options.profile ?? "default";
    this.net = new SimNet(this.clock, this.prng.fork("network"));
    this.sockets = new SimSockets(this.net);
    this.trace = new Trace(() => this.clock.trueMs, options.write ?? null);
    this.trace.onEvent((event) => {
      this.#judge((checker) => checker.onEvent?.(event, this));
    });
    const chance = this.prng.fork("world");
    this.startMs = chance.between(20, 800);
    this.stopMs = chance.between(20, 800);
    this.resyncFileMs = chance.pick([2, 20, 150]);
    this.config = moduleConfig(options.defaultPrimary ?? "alone");
    this.settings = settings(this.profile, options.addressMovedBy ?? "nodes");
    this.controlPlane = new SimControlPlane(this);
    if (options.isEventual === true) this.controlPlane.store.staleForMs = 5000;
    this.a = new SimNode(this, "a", chance.between(-3_600_000, 3_600_000), chance.int(0, 49));
    this.b = new SimNode(this, "b", chance.between(-3_600_000, 3_600_000), chance.int(0, 49));
    this.nodes = [this.#viewOf(this.a), this.#viewOf(this.b)];
    this.#broker = new LinkBroker(this.net, this.prng.fork("link"), () => [
      this.a.agent?.link ?? null,
      this.b.agent?.link ?? null,
    ]);
    this.#brokerAgain();
    void this.controlPlane.begin().catch((error: unknown) => this.bug(error));
  }

  get nowMs(): number {
    return this.clock.nowMs;
  }
  get trueMs(): number {
    return this.clock.trueMs;
  }

  /** Everything has been well and nobody has written for a while. */
  isIdle = false;

  node(id: "a" | "b"): SimNode {
    return id === "a" ? this.a : this.b;
  }

  both(): readonly SimNode[] {
    return [this.a, this.b];
  }

  view(id: string): NodeView {
    const found = this.nodes.find((node) => node.id === id);
    if (found === undefined) throw new Error(`there is no node ${id}`);
    return found;
  }

  /** Lets the world live until that true time; rejects with what a judge found. */
  runUntil(trueMs: number): Promise<void> {
    return this.clock.runUntil(trueMs, () => this.#afterStep());
  }

  async runFor(durationMs: number): Promise<void> {
    await this.runUntil(this.clock.trueMs + durationMs);
  }

  /** Lives on until something holds; false when it does not come to hold in time. */
  async runWhile(isPending: () => boolean, limitMs: number): Promise<boolean> {
    const endMs = this.clock.trueMs + limitMs;
    while (isPending()) {
      if (this.clock.trueMs >= endMs) return false;
      await this.runUntil(Math.min(endMs, this.clock.trueMs + 100));
    }
    return true;
  }

  /** May this voter's memory be lost now? The protocol bears one that forgets, not two. */
  mayForget(voter: string): boolean {
    if ([...this.#forgetful].some((one) => one !== voter)) return false;
    this.#forgetful.add(voter);
    return true;
  }

  see(what: string): void {
    this.seen.add(what);
  }

  note(text: string): void {
    this.scan(text);
    this.trace.add({ ev: "note", text });
  }

  fault(text: string): void {
    this.#lastWorkMs = this.clock.nowMs;
    this.trace.add({ ev: "fault", text });
  }

  scan(text: string): void {
    this.#judge((checker) => checker.onText?.(text));
  }

  /** An exception that nobody expects: in production the agent would end. */
  bug(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.clock.fail(error instanceof Violation ? error : new Violation("BUG", text));
  }

  leader(): SimNode | null {
    return this.both().find((node) => node.accepts) ?? null;
  }

  isInSync(): boolean {
    const leader = this.leader();
    if (leader === null || leader.quorum?.inSync.length !== 2) return false;
    const other = leader.peer.agent?.hosted?.module;
    const isSecond = other?.service.state === "SECOND" && other.target.isReady;
    return isSecond === true && this.controlPlane.record?.inSync.length === 2;
  }

  onPersist(node: SimNode, was: NodeDisk | null, now: NodeDisk): void {
    const view = this.view(node.id);
    this.#judge((checker) => checker.onPersist?.(view, was, now, this));
    if (now.primary === null) return;
    const isPairs = now.pairDecision !== null && now.pairDecision.terms.epoch === now.epoch;
    if (isPairs && now.epoch > this.authority.epoch) {
      const { primary, inSync, epoch } = now.pairDecision?.terms ?? now;
      this.see("decided by the pair");
      if ((this.controlPlane.record?.epoch ?? 0) < epoch) this.see("the pair's epoch above W's");
      this.#decided(epoch, primary ?? now.primary, inSync);
    }
    const standingVote = now.standingVotes[0];
    if (standingVote !== undefined && was?.standingVotes[0]?.epoch !== standingVote.epoch) {
      this.see("standing vote");
      if (standingVote.epoch === this.authority.epoch) {
        this.#decided(standingVote.epoch, now.primary, [now.primary]);
      }
    }
    if (was?.isUnclean === true && !now.isUnclean && now.primary === node.id) {
      this.#forgiveWhatLacks(node, "started from what its disk kept");
    }
  }

  onRecord(was: WitnessRecord | null, now: WitnessRecord): void {
    this.#judge((checker) => checker.onRecord?.(was, now, this));
    if (now.primary === null || now.isRecovering || now.epoch < this.authority.epoch) return;
    const isForced = this.#historyId !== null && now.historyId !== this.#historyId;
    this.#historyId = now.historyId;
    if (isForced) {
      this.trace.add({ ev: "force", node: now.primary, epoch: now.epoch });
      this.see("forced start");
      this.#forcedEpoch = now.epoch;
      const forced = this.both().find((node) => node.id === now.primary);
      if (forced !== undefined) this.#forgiveWhatLacks(forced, "forced");
    }
    this.#decided(now.epoch, now.primary, now.inSync);
  }

  onStoreRestored(record: WitnessRecord | null): void {
    this.see("W restored");
    this.note(`the table was put back to epoch ${record?.epoch ?? 0}`);
  }

  onIssued(node: SimNode, op: Op): void {
    this.operations += 1;
    const [kind = "", source = ""] = op.what.split(" ");
    if (kind === "rename" || kind === "unlink") this.#bySource.set(`${kind} ${source}`, op);
    this.trace.add({ ev: "note", text: `${node.id} ${op.what} is operation ${op.id}` });
  }

  onReply(node: SimNode, call: Call, answer: Answer): void {
    const { op } = answer;
    if (op === null) {
      if (answer.result < 0) this.note(`${node.id} ${call.kind} fails with ${-answer.result}`);
      return;
    }
    if (op.epoch >= this.#forcedEpoch) this.oracle.acknowledged(op);
    this.trace.add({ ev: "ack", node: node.id, epoch: op.epoch, op: op.id });
  }

  onApplied(node: SimNode, applied: Applied): void {
    const op =
      "id" in applied
        ? this.oracle.op(applied.id)
        : this.#bySource.get(`${applied.kind} ${applied.source}`);
    if (op === undefined) return;
    this.trace.add({ ev: "apply", node: node.id, epoch: op.epoch, op: op.id });
  }

  onAddress(node: SimNode): void {
    if (this.settings.addressDriver === "local-proxy") return;
    this.#showAddress(node.application.hasAddress ? node.id : this.#holder());
  }

  moveCloudAddress(to: string | null): void {
    this.cloudAddress = to;
    this.#showAddress(to);
  }

  /** A node's copy, or a part of it, is gone. */
  onLoss(node: SimNode, what: "cached" | "all"): void {
    this.trace.add({ ev: "lose", node: node.id, ops: ["*"] });
    const set = this.authority.inSync;
    const survivors = this.both().filter(
      (one) => set.includes(one.id) && (one.quorum?.outdated === false || one === node),
    );
    const count = this.oracle.forgive(
      survivors.map((one) => one.disk.tree),
      what,
    );
    if (count > 0) this.note(`${count} promises died with the last copy that kept them`);
  }

  afterChange(): void {
    this.#lastWorkMs = this.clock.nowMs;
  }

  picture(): string {
    const nodes = this.both().map((node) => {
      const { quorum, agent } = node;
      const state = agent?.hosted?.module.service.view;
      const disk =
        quorum === null
          ? "no quorum file"
          : `epoch ${quorum.epoch}/${quorum.primary} {${quorum.inSync}} asked ${quorum.asked}` +
            `${quorum.outdated ? " outdated" : ""}${quorum.isUnclean ? " unclean" : ""}` +
            `${quorum.joining === null ? "" : ` joining ${quorum.joining}`}`;
      const shown = `${state?.state ?? "-"}${state?.runsScripts === true ? "*" : ""}`;
      const why = agent?.hosted?.module.why ?? (node.machine.isOn ? "no agent" : "off");
      return `${node.id} ${shown} ${node.accepts ? "accepts " : ""}${disk}: ${why}`;
    });
    const r = this.controlPlane.record;
    const record = r === null ? "-" : `${r.epoch}/${r.primary} {${r.inSync}} v${r.version}`;
    return `W ${record}${r?.isRecovering === true ? " recovering" : ""}; ${nodes.join("; ")}`;
  }

  onPublish(node: SimNode, state: Parameters<NonNullable<Checker["onPublish"]>>[1]): void {
    const view = this.view(node.id);
    this.#judge((checker) => checker.onPublish?.(view, state, this));
  }

  /** A heartbeat, its answer or a request leaves that node. */
  onMessage(node: SimNode): void {
    this.#judge((checker) => checker.onMessage?.(this.view(node.id), this));
  }

  onAsk(node: SimNode, request: Parameters<NonNullable<Checker["onAsk"]>>[1]): void {
    this.onMessage(node);
    const view = this.view(node.id);
    this.#judge((checker) => checker.onAsk?.(view, request, this));
  }

  onPromise(node: SimNode, epoch: number | null): void {
    const view = this.view(node.id);
    this.#judge((checker) => checker.onPromise?.(view, epoch, this));
  }

  /**
   * Asks every judge. What one finds ends the run, and is not thrown from here: the code that led
   * here may take it for a failure of its own.
   */
  #judge(ask: (checker: Checker) => void): void {
    for (const checker of this.#checkers) {
      try {
        ask(checker);
      } catch (error) {
        this.bug(error);
      }
    }
  }

  #forgiveWhatLacks(node: SimNode, why: string): void {
    const count = this.oracle.forgive([node.disk.tree], "all");
    if (count > 0) this.note(`${node.id} ${why}: ${count} promises are given up`);
  }

  #decided(epoch: number, primary: string, inSync: readonly string[]): void {
    const { authority } = this;
    const isNew = epoch > authority.epoch;
    if (isNew) this.#seeTakeOver(authority.primary, primary);
    if (isNew) this.trace.add({ ev: "grant", node: primary, epoch });
    const isSame = !isNew && authority.inSync.join() === inSync.join();
    this.authority = { epoch, primary, inSync: [...inSync] };
    if (inSync.length === 2) this.#forgetful.clear();
    if (!isSame) this.trace.add({ ev: "insync", epoch, set: inSync });
    if (epoch >= 10) this.see("epoch >= 10");
    this.see(`in-sync set of ${inSync.length}`);
    if (isNew) this.see(`${primary} took over`);
  }

  #seeTakeOver(from: string | null, to: string): void {
    const old = this.both().find((node) => node.id === from)?.quorum;
    if (from === to || old === null || old === undefined) return;
    if (old.joining !== null) this.see("an unanswered grow at a failover");
    if (old.standingVotes.length > 0) this.see("a standing vote at a failover");
    if (old.released !== null) this.see("a release taken up");
  }

  #holder(): string | null {
    return this.both().find((node) => node.application.hasAddress)?.id ?? null;
  }

  #showAddress(at: string | null): void {
    if (at === this.#shownAddress) return;
    this.#shownAddress = at;
    this.trace.add({ ev: "vip", node: at });
  }

  #viewOf(node: SimNode): NodeView {
    const { world } = node;
    return {
      id: node.id,
      tree: node.disk.tree,
      get accepts() {
        return world.#writable.get(node.id) !== 0;
      },
      get servedEpoch() {
        return node.servedEpoch;
      },
      get mayAnswer() {
        return node.accepts;
      },
      get quorum() {
        return node.quorum;
      },
      get isHalfWritten() {
        return node.disk.markers.has(INCOMPLETE);
      },
      get hasAddress() {
        return node.application.hasAddress;
      },
      get isFrozen() {
        return node.machine.freeze !== null;
      },
      get isOn() {
        return node.machine.isOn;
      },
      get resumedForMs() {
        return world.clock.nowMs - node.machine.resumedMs;
      },
    };
  }

  #afterStep(): void {
    // A lease ends by itself; but a node only begins to accept in a step that is no routine.
    const { clock } = this;
    const isRoutine = clock.running === "routine";
    if (isRoutine && clock.nowMs - this.#lookedMs < LOOK_MS) {
      if (this.#skips) this.#skipQuiet();
      return;
    }
    this.#lookedMs = clock.nowMs;
    this.#lookAtWritable(this.a);
    this.#lookAtWritable(this.b);
    for (const checker of this.#checkers) checker.onStep?.(this);
    if (!isRoutine) this.#lastWorkMs = clock.nowMs;
    else if (this.#skips) this.#skipQuiet();
  }

  #lookAtWritable(node: SimNode): void {
    const epoch = node.acceptedEpoch;
    const was = this.#writable.get(node.id) ?? 0;
    if (epoch === was) return;
    this.#writable.set(node.id, epoch);
    if (was !== 0) this.trace.add({ ev: "writable", node: node.id, epoch: was, on: false });
    if (epoch !== 0) this.trace.add({ ev: "writable", node: node.id, epoch, on: true });
  }

  /** Leaves out a stretch in which nothing can happen but heartbeats. */
  #skipQuiet(): void {
    const { clock } = this;
    if (this.troubles > 0 || clock.nowMs - this.#lastWorkMs < SETTLED_MS) return;
    if (this.a.readMs < this.#lastWorkMs || this.b.readMs < this.#lastWorkMs) return;
    const untilMs = clock.calendarMs ?? Number.POSITIVE_INFINITY;
    const periods = Math.floor((Math.min(untilMs, clock.endMs) - clock.nowMs - 1) / PERIOD_MS);
    if (periods < 1 || clock.nextMs("work") !== null) return;
    if (!this.net.isCalm || !this.#isSteady() || !this.isInSync()) return;
    clock.skip(periods * PERIOD_MS);
    this.see("skipped");
  }

  #isSteady(): boolean {
    return this.both().every(({ machine }) => machine.rate === 1 && machine.freeze === null);
  }

  #brokerAgain(): void {
    this.clock.after("routine", this.#broker.look(), () => this.#brokerAgain());
  }
}

const settings = (
  timers: ClusterSettings["timers"],
  addressMovedBy: "nodes" | "cloud",
): ClusterSettings => ({
  id: CLUSTER,
  networks: ["default"],
  nodes: ["a", "b"].map((id, index) => ({ id, addresses: { default: `10.0.0.${index + 1}` } })),
  timers,
  addressDriver: addressMovedBy === "cloud" ? "local-proxy" : "none",
});
