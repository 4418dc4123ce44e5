import type { ClusterSettings } from "#model/contract/configuration.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import { type Checker, Violation } from "./checkers/checker.ts";
import type { Decided } from "./majority.ts";
import { moduleConfig } from "./module-config.ts";
import { pictureOf } from "./picture.ts";
import { Prng } from "./prng.ts";
import { Quiet } from "./quiet.ts";
import { CLUSTER } from "./sim-agent.ts";
import { SimControlPlane } from "./sim-control-plane.ts";
import { LinkBroker } from "./sim-link.ts";
import { SimModule } from "./sim-module.ts";
import { SimNet } from "./sim-net.ts";
import { SimNode } from "./sim-node.ts";
import type { SimPart } from "./sim-part.ts";
import { SimSockets } from "./sim-sockets.ts";
import { Trace } from "./trace.ts";
import { VirtualClock } from "./virtual-clock.ts";

export type WorldOptions = {
  readonly seed: number;
  /** Judges, anew for each module. */
  readonly checkers: () => readonly Checker[];
  readonly profile?: "fast" | "default" | "tolerant";
  readonly addressMovedBy?: "nodes" | "cloud";
  readonly defaultPrimary?: "alone" | "a";
  readonly sync?: "write" | "fsync";
  /** A second module on the same nodes that prefers the other one. @default false */
  readonly isCrossed?: boolean;
  readonly write?: (line: string) => void;
  /** Leave out what changes nothing. @default true */
  readonly skips?: boolean;
  /** The control run: the witness's table reads stale. */
  readonly isEventual?: boolean;
};

/**
 * The whole simulated world: two data nodes, the control plane, the network between them, the
 * clients, and the judges who look on. It runs the production code of all three; what is simulated
 * lies below its interfaces.
 */
export class World {
  readonly clock = new VirtualClock();
  readonly prng: Prng;
  readonly net: SimNet;
  readonly sockets: SimSockets;
  readonly trace: Trace;
  readonly profile: "fast" | "default" | "tolerant";
  readonly settings: ClusterSettings;
  readonly isMovedByCloud: boolean;
  readonly modules: readonly SimModule[];
  readonly controlPlane: SimControlPlane;
  readonly a: SimNode;
  readonly b: SimNode;
  readonly seen = new Set<string>();
  faultsBegun = 0;
  /** No new faults: everything is to come back now. */
  isHealing = false;
  /** Rises whenever everything is mended. */
  era = 0;
  /** Ends of faults that are at work. */
  readonly undoing = new Set<() => void>();
  /** When something was last done to it. */
  disturbedMs = 0;
  /** How many faults are at work: nothing is skipped then. */
  troubles = 0;
  /** A copy or a quorum file is lost for good: perhaps only a person can say what goes on. */
  needsPerson = false;
  /** Voters that lost their memory since the pair was in sync last. */
  readonly #forgetful = new Set<string>();
  readonly #broker: LinkBroker;
  readonly #quiet: Quiet;
  #ids = 0;
  readonly #skips: boolean;

  constructor(options: WorldOptions) {
    this.prng = new Prng(options.seed);
    this.#skips = options.skips ?? true;
    this.profile = options.profile ?? "default";
    this.net = new SimNet(this.clock, this.prng.fork("network"));
    this.sockets = new SimSockets(this.net);
    this.trace = new Trace(() => this.clock.trueMs, options.write ?? null);
    this.#quiet = new Quiet(this);
    this.isMovedByCloud = options.addressMovedBy === "cloud";
    this.settings = settings(this.profile, this.isMovedByCloud);
    const chance = this.prng.fork("world");
    this.modules = this.#newModules(options, chance);
    this.controlPlane = new SimControlPlane(this);
    if (options.isEventual === true) this.controlPlane.store.staleForMs = 5000;
    this.a = new SimNode(this, "a", chance.between(-3_600_000, 3_600_000), chance.int(0, 49));
    this.b = new SimNode(this, "b", chance.between(-3_600_000, 3_600_000), chance.int(0, 49));
    for (const module of this.modules) {
      module.stand([this.a.part(module.id), this.b.part(module.id)]);
    }
    this.#broker = new LinkBroker(this.net, this.prng.fork("link"), () => [
      this.a.agent?.link ?? null,
      this.b.agent?.link ?? null,
    ]);
    this.#brokerAgain();
    void this.controlPlane.begin().catch((error: unknown) => this.bug(error));
  }

  #newModules(options: WorldOptions, chance: Prng) {
    const { checkers, defaultPrimary = "alone", sync = "write", isCrossed } = options;
    const config = moduleConfig(defaultPrimary, sync);
    const shop = new SimModule(this, "shop", checkers(), chance, config);
    this.see(`sync=${sync}`);
    if (isCrossed !== true) return [shop];
    this.see("two modules");
    const other = moduleConfig("b", "write");
    return [shop, new SimModule(this, "bank", checkers(), this.prng.fork("bank"), other)];
  }

  /** The module that is always there. */
  get shop(): SimModule {
    const [shop] = this.modules;
    if (shop === undefined) throw new Error("a world has a module");
    return shop;
  }

  /** What a majority has decided about it. */
  get authority(): Decided {
    return this.shop.authority;
  }

  module(id: string): SimModule {
    const found = this.modules.find((module) => module.id === id);
    if (found === undefined) throw new Error(`there is no module ${id}`);
    return found;
  }

  node(id: "a" | "b"): SimNode {
    return id === "a" ? this.a : this.b;
  }

  both(): readonly SimNode[] {
    return [this.a, this.b];
  }

  parts(): readonly SimPart[] {
    return this.modules.flatMap((module) => module.both());
  }

  /** The node that serves the first module. */
  leader(): SimNode | null {
    return this.shop.leader()?.node ?? null;
  }

  /** Every module is served, and both copies of each count. */
  isInSync(): boolean {
    return this.modules.every((module) => module.isInSync);
  }

  get isServed(): boolean {
    return this.modules.every((module) => module.leader() !== null);
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

  /** The set of some module is whole: if those of all are, nobody's loss counts any more. */
  everybodyKnows(): void {
    if (this.modules.every(({ authority }) => authority.inSync.length === 2)) {
      this.#forgetful.clear();
    }
  }

  newId(): string {
    this.#ids += 1;
    return `order-${this.#ids}`;
  }

  see(what: string): void {
    this.seen.add(what);
  }

  note(text: string, moduleId = "shop"): void {
    this.scan(text);
    this.trace.add({ ev: "note", text }, moduleId);
  }

  /** Something is done to the world. */
  disturb(): void {
    this.#quiet.end();
    this.disturbedMs = this.clock.nowMs;
  }

  fault(text: string): void {
    this.disturb();
    this.trace.add({ ev: "fault", text });
  }

  /** Something that people can read. */
  scan(text: string): void {
    this.shop.judge((checker) => checker.onText?.(text));
  }

  /** An exception that nobody expects: in production the agent would end. */
  bug(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.clock.fail(error instanceof Violation ? error : new Violation("BUG", text));
  }

  onStoreRestored(record: WitnessRecord | null): void {
    this.see("W restored");
    this.note(`the table was put back to epoch ${record?.epoch ?? 0}`);
  }

  /** A heartbeat, its answer or a request leaves that node. */
  onMessage(node: SimNode): void {
    const { shop } = this;
    shop.judge((checker) => checker.onMessage?.(shop.view(node.id), shop));
  }

  afterChange(): void {
    this.#quiet.end();
  }

  picture(): string {
    return pictureOf(this);
  }

  #afterStep(): void {
    const isRoutine = this.clock.running === "routine";
    for (const module of this.modules) module.look(isRoutine);
    if (!isRoutine) this.#quiet.end();
    else if (this.#skips) this.#quiet.skip();
  }

  #brokerAgain(): void {
    this.clock.after("routine", this.#broker.look(), () => this.#brokerAgain());
  }
}

const settings = (timers: ClusterSettings["timers"], isMovedByCloud: boolean): ClusterSettings => ({
  id: CLUSTER,
  networks: ["default"],
  nodes: ["a", "b"].map((id, index) => ({ id, addresses: { default: `10.0.0.${index + 1}` } })),
  timers,
  addressDriver: isMovedByCloud ? "local-proxy" : "none",
});
