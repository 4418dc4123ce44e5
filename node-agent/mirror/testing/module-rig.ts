import { join } from "node:path";
import type { MirrorConfig } from "#model/module/config.ts";
import { decideVote } from "#model/quorum/decide-vote.ts";
import { freshDisk } from "#model/quorum/disk.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import type { NodeConfig } from "#model/quorum/types.ts";
import { assert } from "#model/shared/assert.ts";
import { systemTimers } from "../../adapters/timers.ts";
import { moduleConfig } from "../../modules/testing/test-config.ts";
import { TestModule, until } from "../../modules/testing/test-module.ts";
import type { Heartbeats } from "../../peer/heartbeats.ts";
import { LeaseCell } from "../../peer/lease-cell.ts";
import { DataPlane } from "../data-plane.ts";
import { LifeCycleWord } from "../life-cycle-word.ts";
import { MirrorModule, type ModuleHappening } from "../mirror-module.ts";
import { QuorumStore } from "../quorum-store.ts";
import { Service } from "../service.ts";
import { machineParts } from "../service-parts.ts";
import { FakeEngine } from "./fake-engine.ts";

const QUORUM: NodeConfig = {
  ...{ moduleId: "shop", self: "node1", peers: ["node2"], timers: TIMER_PROFILES.fast },
  ...{ hasFailover: true, defaultPrimary: { kind: "alone" }, addressMovedBy: "nodes" },
};

/**
 * A mirror module with a real protocol, witness, disk and life cycle. The peer is what a test
 * says of it, replication is a fake, and the clock is real time plus what a test adds.
 */
export class ModuleRig {
  readonly files = new TestModule();
  readonly cell = new LeaseCell();
  readonly lifeCycle = new LifeCycleWord(this.cell.buffer);
  readonly calls: string[] = [];
  readonly engines: FakeEngine[] = [];
  readonly told: ModuleHappening[] = [];
  readonly store = new QuorumStore(join(this.files.directory, "quorum.json"), "shop", "node1");
  readonly module: MirrorModule;
  record: WitnessRecord | null = null;
  isWitnessAway = false;
  /** What the peer says of itself; null: it is not heard. */
  peer: PeerState | null = null;
  /** Prepares each engine before it is opened. */
  onEngine: (engine: FakeEngine) => void = () => undefined;
  #aheadMs = 0;
  #ids = 0;

  constructor() {
    const config = moduleConfig({});
    assert(config.mode === "mirror", "the test's configuration is of a mirror");
    this.module = this.#open(config);
  }

  get engine(): FakeEngine {
    const engine = this.engines.at(-1);
    assert(engine !== undefined, "no engine was opened yet");
    return engine;
  }

  readonly nowMs = (): number => Math.floor(performance.now()) + 1_000_000 + this.#aheadMs;

  /** Time passes at once, in steps that are too small to look like a stall. */
  pass(durationMs: number): void {
    for (let leftMs = durationMs; leftMs > 0; leftMs -= 200) {
      this.#aheadMs += Math.min(200, leftMs);
      this.tick();
    }
  }

  tick(): void {
    const lastHeardBootMs = this.peer === null ? null : this.nowMs();
    if (this.peer !== null) this.module.onPeerState(this.peer);
    this.module.onView({
      ...{ atBootMs: this.nowMs(), lastHeardBootMs, lastAnsweredBootMs: lastHeardBootMs },
      ...{ peerInstanceId: null, peerBootId: null, grants: {}, networks: [] },
      dropped: { malformed: 0, unknownSession: 0, unauthentic: 0, replayed: 0 },
      ...{ hungModules: [], hasHungMainThread: false },
      lastListedBootMs: lastHeardBootMs === null ? {} : { shop: lastHeardBootMs },
    });
  }

  /** As a first start ever, with this node's copy as the good one. */
  async lead(): Promise<void> {
    await this.module.start("asBefore");
    this.module.command({ kind: "start", dataFrom: "node1" });
    await this.comesTo(() => this.module.service.state === "ALONE");
  }

  /** As a secondary of the peer's epoch 3 whose copy is complete. */
  async follow(): Promise<void> {
    const known = { epoch: 3, historyId: "h1", primary: "node2", inSync: ["node1", "node2"] };
    const fresh = freshDisk("shop", "node1", "boot1", false);
    this.store.write({ ...fresh, ...known, copyHistoryId: "h1", isStartWanted: true });
    this.peer = {
      ...{ protocol: 1, moduleId: "shop", nodeId: "node2", role: "leading", ...known },
      ...{ copyHistoryId: "h1", outdated: false, isUnclean: false, joining: null, asked: 0 },
      ...{ pairVote: null, pairDecision: null, release: null, data: "hasData" },
      ...{ isStartWanted: true, isLeaving: false, hearsPeer: true, witnessIsAway: false },
      ...{ standingVoteAsk: null, standingVoteGiven: null, isStandingVoteHeld: false },
      ...{ isAttached: false, isReady: false, fault: null },
    };
    await this.module.start("asBefore");
    await this.comesTo(() => this.calls.includes("e1 follow 3"));
  }

  /** Waits for a state while time passes faster than it does. */
  async comesTo(holds: () => boolean): Promise<void> {
    await until(() => {
      this.pass(50);
      return holds();
    });
  }

  async close(): Promise<void> {
    await this.module.close();
    await this.files.close();
  }

  #open(config: MirrorConfig): MirrorModule {
    const { files, cell, nowMs } = this;
    return new MirrorModule({
      ...{ moduleId: "shop", config, quorum: QUORUM, cell, store: this.store },
      lifeCycle: this.lifeCycle,
      ...{ bootId: "boot1", incarnation: "run1", clock: { bootMs: nowMs, unixMs: nowMs } },
      timers: systemTimers,
      heartbeats: silentHeartbeats,
      witness: {
        ask: async (request) => {
          if (this.isWitnessAway) return { kind: "unknown", cause: "away" };
          const settings = { storeId: "store1", nodes: ["node1", "node2"] };
          const { timers } = QUORUM;
          const vote = decideVote(this.record, request, nowMs(), { ...settings, timers });
          this.record = vote.record;
          return { kind: "answered", answer: vote.answer };
        },
      },
      sign: (text) => `signed ${text}`,
      newId: () => {
        this.#ids += 1;
        return `id${this.#ids}`;
      },
      inspectData: () => "hasData",
      newDataPlane: (onEvent) =>
        new DataPlane({
          sync: async () => true,
          ...{ cell, onEvent, onEngineEvent: () => undefined },
          takeOver: async () => null,
          newEngine: () => {
            const engine = new FakeEngine(`e${this.engines.length + 1}`, this.calls);
            this.engines.push(engine);
            this.onEngine(engine);
            return engine;
          },
          open: {
            ...{ moduleId: "shop", nodeId: "node1", trees: [], leaseCell: cell.buffer },
            ...{ listen: { host: "127.0.0.1", port: 0 }, stateDirectory: files.directory },
          },
        }),
      newService: (onEvent, beforeServing, isInMaintenance) =>
        new Service({
          ...{ onEvent, beforeServing, isInMaintenance },
          save: (record) => this.lifeCycle.write(record),
          parts: machineParts({
            ...{ moduleId: "shop", nodeId: "node1", config },
            ...{ directories: files.directories, containment: files.containment },
            ...{ mountPoints: [], sparedProcessIds: () => [], nowUnixMs: nowMs },
          }),
        }),
      tell: (happening) => this.told.push(happening),
      onChanged: () => undefined,
    });
  }
}

const silentHeartbeats: Heartbeats = {
  setModule: () => undefined,
  removeModule: () => undefined,
  publish: () => undefined,
  seekGrant: () => undefined,
  promise: async () => ({ lastPromiseEndsBootMs: null, longestPromiseMs: 0 }),
  addSession: () => undefined,
  guard: () => undefined,
  onPeerState: () => undefined,
  onView: () => undefined,
  onGuardLost: () => undefined,
  onNetworkFailed: () => undefined,
  onFailure: () => undefined,
  close: async () => undefined,
};
