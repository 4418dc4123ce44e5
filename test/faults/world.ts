/** The cluster that the rows of faults.test.ts break one after the other, and its common judgements. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { EventRecord } from "#model/contract/events.ts";
import type { TimerProfile } from "#model/quorum/timers.ts";
import { LocalAgent, type LocalStatus } from "../../node-agent/cli/local-agent.ts";
import {
  type LabCluster,
  type NodeName,
  startCluster,
  startControlPlane,
  startServices,
  witnessDoor,
} from "../lab/cluster.ts";
import { run, waitFor } from "../lab/command.ts";
import { troubleDisk } from "../lab/faulty-disk/trouble-disk.ts";
import { Lab, type LabOptions } from "../lab/lab.ts";
import type { VirtualMachine } from "../lab/virtual-machine.ts";
import { canStepClocks, stepClock } from "../lab/wall-clock.ts";
import type { WitnessDoor } from "../lab/witness-door.ts";
import { type Ack, LedgerJudge } from "./ledger-judge.ts";
import { MODULE, type NodeFacts, nodeFacts, stableProcesses } from "./node-facts.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const DIGEST = join(ROOT, "node-agent", "resync", "tree-digest-cli.ts");
const LEDGER = join(import.meta.dirname, "ledger");
/** Generous: a busy machine is no fault of the product. Measured times are printed instead. */
export const SETTLED_MS = 60_000;
export const SOON_MS = 15_000;

export const other = (node: NodeName): NodeName => (node === "node1" ? "node2" : "node1");

export type WorldOptions = Pick<LabOptions, "dataDiskMiB"> & { readonly timers?: TimerProfile };

export class World {
  readonly lab: Lab;
  readonly cluster: LabCluster;
  readonly judge: LedgerJudge;
  readonly door: WitnessDoor;
  readonly timers: TimerProfile;
  /** What was measured, by row; printed at the end. */
  readonly measured: Record<string, Record<string, number>> = {};
  /** Lines that a person gave up by forcing another copy. */
  isExcused: (ack: Ack) => boolean = () => false;

  private constructor(lab: Lab, cluster: LabCluster, timers: TimerProfile) {
    this.lab = lab;
    this.timers = timers;
    this.cluster = cluster;
    this.judge = new LedgerJudge(lab, cluster.vip);
    this.door = witnessDoor(lab);
  }

  static async create({ timers = "default", ...disks }: WorldOptions = {}): Promise<World> {
    const lab = await Lab.up(disks);
    try {
      const say = () => undefined;
      const options = { say, module: MODULE, folder: LEDGER, hasFaults: true, timers };
      const world = new World(lab, await startCluster(lab, options), timers);
      await world.settled();
      world.judge.start();
      return world;
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  async end(): Promise<void> {
    await this.cluster.close();
    await this.judge.close();
    await this.lab.down();
  }

  address(name: string): string {
    return this.lab.network.address(name);
  }

  /** Whatever a row that failed has left: the next one begins with everything in order. */
  async repair(): Promise<void> {
    await this.lab.network.heal();
    for (const machine of this.lab.machines) {
      if (machine.dataDisk !== null) await troubleDisk(machine, "ok");
      if (machine.initPid !== null) machine.thaw();
    }
    if (this.machine("control").initPid === null) await this.bootControl();
    if (!(await this.cluster.people.snapshot()).ok) startControlPlane(this.lab, "default");
    this.door.fault({ kind: "none" });
    for (const node of ["node1", "node2"] as const) {
      if (this.machine(node).initPid === null) await this.bootNode(node);
      if (canStepClocks) stepClock(this.machine(node), 0);
    }
    await this.freshReports();
    await this.settled();
  }

  machine(name: string): VirtualMachine {
    return this.lab.machine(name);
  }

  facts(node: NodeName): Promise<NodeFacts> {
    return nodeFacts(this.lab, this.judge, node);
  }

  note(row: string, name: string, value: number): void {
    this.measured[row] = { ...this.measured[row], [name]: Math.round(value) };
  }

  /** Waits until one node leads, the other is in step, and the record says so. */
  async settled(limitMs = SETTLED_MS): Promise<NodeName> {
    let seen = "";
    return await waitFor(
      "one PRIM and one SECOND",
      async () => {
        const view = await this.cluster.view();
        const told = view.nodes.map(({ nodeId, report, silent }) => {
          const facts =
            silent || report === null ? "silent" : `${report.state} ${report.readiness}`;
          return { nodeId, facts, why: report?.why };
        });
        seen = JSON.stringify([told, view.witness]);
        const primary = told.find(({ facts }) => facts === "PRIM Ready")?.nodeId;
        const isPaired = told.some(({ facts }) => facts === "SECOND Ready");
        const isRecorded = view.witness?.primary === primary && view.witness?.inSync.length === 2;
        if (primary !== "node1" && primary !== "node2") return null;
        // What the start script has begun in the background may still be on its way.
        const isStarted = stableProcesses(this.lab, primary).length === 2;
        return isPaired && isRecorded && isStarted ? primary : null;
      },
      limitMs,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; last seen: ${seen}`);
    });
  }

  /** A person's command to one node. */
  async command(node: NodeName, kind: "start" | "stop"): Promise<void> {
    await this.cluster.command({ kind, node });
  }

  async epoch(): Promise<number> {
    return (await this.cluster.view()).witness?.epoch ?? 0;
  }

  /** Where the events are now: what comes later is asked for with it. */
  async mark(): Promise<number> {
    return (await this.cluster.snapshot()).lastSeq;
  }

  /** The events of these kinds (comma separated) since a mark. */
  async told(kinds: string, mark: number): Promise<readonly EventRecord[]> {
    const path = `/v1/clusters/lab/events?module=${MODULE}&kind=${kinds}&after=${mark}&limit=500`;
    const answer = await this.cluster.people.call<{ events: EventRecord[] }>("GET", path);
    if (!answer.ok) throw new Error(`events: ${answer.status} ${answer.text}`);
    return answer.value.events;
  }

  /** How the copies that were brought up to date since a mark were compared. */
  async comparisons(mark: number): Promise<readonly string[]> {
    const told = await this.told("resyncFinished", mark);
    return told.flatMap(({ text }) => /\((delta|full) resync: .*\)/.exec(text)?.[0] ?? []);
  }

  /** Only what may differ was compared since the mark, and it was compared. */
  async comparedOnlyChanges(mark: number): Promise<void> {
    const comparisons = await this.comparisons(mark);
    expect(comparisons).not.toEqual([]);
    expect(comparisons.filter((one) => !one.startsWith("(delta"))).toEqual([]);
  }

  /** Waits until the witness has recorded a set of one; the wall clock of that record. */
  async recordedAlone(primary: NodeName): Promise<number> {
    await this.timed(`a set of ${primary} alone`, async () => {
      const { witness } = await this.cluster.view();
      return witness?.primary === primary && witness.inSync.join() === primary;
    });
    const changes = await this.told("inSyncChanged", 0);
    return changes.at(-1)?.atMs ?? Number.NaN;
  }

  /** What a node says of itself, asked on its own socket: no network is needed. */
  async local(node: NodeName): Promise<LocalStatus> {
    return await this.localAgent(node).status();
  }

  async localModule(node: NodeName) {
    return (await this.local(node)).report.modules.find(({ moduleId }) => moduleId === MODULE);
  }

  localAgent(node: NodeName): LocalAgent {
    return new LocalAgent(this.machine(node).path("/srv/mirrorfarm"), AbortSignal.timeout(60_000));
  }

  /**
   * Nothing of who leads may change, and the application must be the one that it was. `during`
   * answers false when it took so long, on a busy machine, that a change would be right.
   */
  async unchanged(primary: NodeName, during: () => Promise<unknown>): Promise<void> {
    const facts = async () => ({
      epoch: (await this.localModule(primary))?.quorum?.epoch,
      processes: stableProcesses(this.lab, primary),
    });
    const before = await facts();
    const isTelling = await during();
    await this.judge.acknowledges(5, SOON_MS);
    if (isTelling !== false) expect(await facts()).toEqual(before);
  }

  /** Every process of these machines stands still for a time; resolves with how long it was. */
  async freezeFor(nodes: readonly NodeName[], durationMs: number): Promise<number> {
    const atMs = performance.now();
    for (const node of nodes) this.machine(node).freeze();
    try {
      await sleep(durationMs);
    } finally {
      for (const node of nodes) this.machine(node).thaw();
    }
    return performance.now() - atMs;
  }

  /** Out of reach of the other node and of the control plane; clients still reach it. */
  async isolate(node: NodeName): Promise<void> {
    await this.lab.network.cut(node, other(node));
    await this.lab.network.cut(node, "control");
  }

  async bootControl(): Promise<void> {
    await this.machine("control").boot();
    await startServices(this.lab, "control", true);
  }

  /**
   * A control plane that was away shows what it knew before, until the nodes report again: what
   * both say from now on is waited for.
   */
  async freshReports(): Promise<void> {
    const fromMs = Date.now();
    await this.timed("fresh reports", async () => {
      const { nodes } = await this.cluster.view();
      return nodes.every(({ receivedAtMs }) => (receivedAtMs ?? 0) > fromMs);
    });
  }

  async bootNode(node: NodeName): Promise<void> {
    await this.machine(node).boot();
    await startServices(this.lab, node, true);
  }

  /** How long it took until `isTrue`, from now on. */
  async timed(what: string, isTrue: () => Promise<boolean>, limitMs = SOON_MS): Promise<number> {
    const atMs = performance.now();
    await waitFor(what, async () => ((await isTrue()) ? true : null), limitMs, 10);
    return performance.now() - atMs;
  }

  /**
   * Waits for the fence as it can be seen from outside: the address is off, the probe says no, no
   * process of the module can run, and no file operation is answered.
   */
  async fenced(node: NodeName): Promise<Fence> {
    const processes = stableProcesses(this.lab, node);
    let seen: NodeFacts | null = null;
    const isFenced = async () => {
      seen = await this.facts(node);
      return !seen.hasVip && [404, 503].includes(seen.probe) && seen.running.length === 0;
    };
    await this.timed(`${node} to be fenced`, isFenced).catch((error: unknown) => {
      throw new Error(`${String(error)}; last seen: ${JSON.stringify(seen)}`);
    });
    const calls = CALLS.map(([name, command]) => new MountCall(this.machine(node), name, command));
    const ticker = () => readFileSync(this.machine(node).path("/run/ticker"), "utf8");
    const ticked = ticker();
    await sleep(300);
    expect(calls.filter((call) => call.hasEnded).map(({ name }) => name)).toEqual([]);
    expect(ticker()).toBe(ticked);
    // Frozen, not gone: the same processes wait.
    expect(stableProcesses(this.lab, node)).toEqual(processes);
    return { node, processes, calls };
  }

  /**
   * Everything that the fence took is back, in the same processes, and every call has ended well.
   * Resolves with how long that took.
   */
  async thawed({ node, processes, calls }: Fence): Promise<number> {
    const tookMs = await this.timed(`${node} to be thawed`, async () => {
      const { hasVip, probe, running } = await this.facts(node);
      return hasVip && probe === 200 && running.length > 0;
    });
    for (const call of calls) expect(await call.ended).toBe(0);
    expect(stableProcesses(this.lab, node)).toEqual(processes);
    await this.judge.acknowledges(5, SOON_MS);
    return tookMs;
  }

  /** Are both copies the same, in all that a tree digest covers? Nothing writes meanwhile. */
  async sameTrees(): Promise<boolean> {
    const primary = await this.settled();
    const paths = ["node1", "node2"].map((node) => this.machine(node).path("/srv/data"));
    await this.machine(primary).mustExec(["pkill", "-STOP", "-f", "ledger.mjs"]);
    try {
      const isSame = async () => (await run(NODE, [DIGEST, ...paths])).code === 0;
      await this.timed("equal trees", isSame);
      return true;
    } finally {
      await this.machine(primary).mustExec(["pkill", "-CONT", "-f", "ledger.mjs"]);
    }
  }

  /** After every row: nothing acknowledged is missing, the pair is in step, exactly one node serves. */
  async judged(): Promise<void> {
    const primary = await this.settled();
    await this.judge.acknowledges(5, SOON_MS);
    expect(await this.judge.lost(this.isExcused)).toEqual([]);
    const [serving, standing] = [await this.facts(primary), await this.facts(other(primary))];
    expect(serving).toMatchObject({ hasVip: true, probe: 200 });
    expect(standing).toEqual({ hasVip: false, probe: 404, processIds: [], running: [] });
    const answers = await Promise.allSettled(
      [primary, other(primary)].map((node) =>
        this.judge.get(`http://${this.lab.network.address(node)}:8080/ping`),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  }
}

/** A fence as it was seen, to be compared when it has ended. */
export type Fence = {
  readonly node: NodeName;
  readonly processes: readonly number[];
  readonly calls: readonly MountCall[];
};

const CALLS: readonly (readonly [name: string, command: string])[] = [
  ["open and read", "head -c 1 /srv/data/ledger"],
  ["create and write", "echo x >> /srv/data/beside"],
  ["list", "ls -l /srv/data"],
];

/** One file operation, begun inside a machine by a program of its own. */
class MountCall {
  readonly name: string;
  readonly ended: Promise<number>;
  hasEnded = false;

  constructor(machine: VirtualMachine, name: string, command: string) {
    this.name = name;
    this.ended = machine.exec(["sh", "-c", command], { limitMs: 120_000 }).then(({ code }) => {
      this.hasEnded = true;
      return code;
    });
  }
}
