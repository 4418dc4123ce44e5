import type { Buffer } from "node:buffer";
import type { NodeDisk } from "#model/quorum/disk.ts";
import type { FenceTargets } from "../../node-agent/guard/fence-order.ts";
import { Machine } from "./machine.ts";
import { SimAgent } from "./sim-agent.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimGuard } from "./sim-guard.ts";
import { SimApplication } from "./sim-service.ts";
import type { World } from "./world.ts";

/** A data node: its machine, its disk, the guard, the agent and the application on it. */
export class SimNode {
  readonly id: "a" | "b";
  readonly world: World;
  readonly machine: Machine;
  readonly disk: SimDisk;
  readonly application = new SimApplication();
  guard: SimGuard | null = null;
  agent: SimAgent | null = null;
  resyncPhase = "";
  /** When it last asked the witness for nothing but the record. */
  readMs = 0;
  /** Its disk failed since somebody last looked after it. */
  hadDiskFault = false;
  #agents = 0;

  constructor(world: World, id: "a" | "b", unixOffsetMs: number, phaseMs: number) {
    this.world = world;
    this.id = id;
    this.machine = new Machine(id, world.clock, unixOffsetMs, phaseMs);
    this.disk = new SimDisk(() => world.clock.trueMs);
    this.disk.onPersist = (was, now) => world.onPersist(this, was, now);
  }

  get peerId(): "a" | "b" {
    return this.id === "a" ? "b" : "a";
  }

  get peer(): SimNode {
    return this.world.node(this.peerId);
  }

  get quorum(): NodeDisk | null {
    return this.disk.quorum;
  }

  /** Would an application's call that comes now be carried out and answered? */
  get accepts(): boolean {
    const { agent, machine } = this;
    if (agent === null || !machine.isOn || machine.freeze !== null) return false;
    for (const engine of agent.engines) {
      const { cell, server } = engine;
      if (!engine.isPrimary || cell === null || server === null || server.isGone) continue;
      if (!machine.hung.has("data") && cell.isLive(machine.bootMs())) return true;
    }
    return false;
  }

  /** The same, with the epoch; 0 when it does not accept. */
  get acceptedEpoch(): number {
    return this.accepts ? (this.servedEpoch ?? 0) : 0;
  }

  get servedEpoch(): number | null {
    for (const engine of this.agent?.engines ?? []) {
      if (engine.isPrimary) return engine.cell?.servingEpoch ?? null;
    }
    return null;
  }

  inspectData(): "empty" | "hasData" | "unknown" {
    if (this.disk.faults.dataError === "EIO") return "unknown";
    return this.disk.tree.isEmpty ? "empty" : "hasData";
  }

  boot(): void {
    if (this.machine.isOn) return;
    this.machine.powerOn();
    const { machine } = this;
    this.guard = new SimGuard({
      machine,
      startAgent: () => this.#startAgent(),
      killAgent: () => this.agentDies("the guard killed it"),
      takeDown: (targets) => this.#takeDown(targets),
    });
  }

  /** The power goes: what was in memory and in caches is lost. */
  powerCut(): void {
    if (!this.machine.isOn) return;
    this.agent?.die();
    this.agent = null;
    if (this.guard !== null) this.guard.life.isAlive = false;
    this.guard = null;
    this.machine.powerOff();
    this.application.kill();
    this.application.hasAddress = false;
    this.world.onAddress(this);
    this.disk.losePower(this.world.prng.fork(`power ${this.id} ${this.machine.bootNumber}`));
    this.world.onLoss(this, "cached");
  }

  /** The agent's process ends. Its mounts end with it; the application and the address stay. */
  agentDies(why: string): void {
    const { agent } = this;
    if (agent === null) return;
    this.world.note(`${this.id} agent ended: ${why}`);
    this.agent = null;
    agent.die();
    this.guard?.agentDied();
    this.world.afterChange();
  }

  /** An application has called: the loops that serve it have something to do. */
  wakeEngines(): void {
    for (const engine of this.agent?.engines ?? []) engine.wake();
  }

  deliver(from: string, datagram: Buffer): void {
    const { machine } = this;
    const { agent } = this;
    if (!machine.isOn || agent === null || machine.freeze === "paused") return;
    const bytes = this.world.net.damaged(from, this.id, datagram);
    machine.run(agent.life, "heartbeat", () => agent.heartbeats.receive(bytes));
  }

  #startAgent(): void {
    this.#agents += 1;
    this.agent = new SimAgent(this, this.#agents);
  }

  #takeDown(targets: FenceTargets): void {
    this.world.note(`${this.id} guard takes down`);
    this.world.see("guard fences");
    if (targets.addresses.length > 0) this.application.hasAddress = false;
    this.world.onAddress(this);
    this.application.kill();
    for (const engine of this.agent?.engines ?? []) engine.takeMountAway();
  }
}
