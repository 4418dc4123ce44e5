import type { Buffer } from "node:buffer";
import type { NodeCommand, NodeCommandKind } from "#model/contract/commands.ts";
import type { FenceTargets } from "../../node-agent/guard/fence-order.ts";
import { Machine } from "./machine.ts";
import type { Prng } from "./prng.ts";
import { SimAgent } from "./sim-agent.ts";
import { type DiskFaults, WELL } from "./sim-disk.ts";
import { SimGuard } from "./sim-guard.ts";
import { SimPart } from "./sim-part.ts";
import type { World } from "./world.ts";

/** A data node: its machine, its disk, the guard, the agent, and what it has of each module. */
export class SimNode {
  readonly id: "a" | "b";
  readonly world: World;
  readonly machine: Machine;
  /** Of the disk, which all modules share. */
  readonly faults: DiskFaults = { ...WELL };
  readonly parts: readonly SimPart[];
  guard: SimGuard | null = null;
  agent: SimAgent | null = null;
  /** Its disk failed since somebody last looked after it. */
  hadDiskFault = false;
  readonly #chance: Prng;
  #agents = 0;

  constructor(world: World, id: "a" | "b", unixOffsetMs: number, phaseMs: number) {
    this.world = world;
    this.id = id;
    this.machine = new Machine(id, world.clock, unixOffsetMs, phaseMs);
    this.parts = world.modules.map((module) => new SimPart(this, module));
    this.#chance = world.prng.fork(`orders ${id}`);
  }

  get peerId(): "a" | "b" {
    return this.id === "a" ? "b" : "a";
  }

  get peer(): SimNode {
    return this.world.node(this.peerId);
  }

  part(moduleId: string): SimPart {
    const found = this.parts.find((part) => part.module.id === moduleId);
    if (found === undefined) throw new Error(`there is no module ${moduleId}`);
    return found;
  }

  /** What it has of the module that is always there. */
  get shop(): SimPart {
    return this.part("shop");
  }

  /** One of its modules, when there are several. */
  anyPart(): SimPart {
    return this.parts.length === 1 ? this.shop : this.#chance.pick(this.parts);
  }

  /** A person's word about one of its modules; nobody hears it where no agent runs. */
  order(kind: NodeCommandKind, more: Partial<NodeCommand> = {}): void {
    this.anyPart().order(kind, more);
  }

  boot(): void {
    if (this.machine.isOn) return;
    this.machine.powerOn();
    this.world.disturb();
    const { machine } = this;
    this.guard = new SimGuard({
      machine,
      startAgent: () => this.#startAgent(),
      killAgent: () => this.agentDies("the guard killed it"),
      takeDown: (moduleId, targets) => this.#takeDown(moduleId, targets),
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
    const chance = this.world.prng.fork(`power ${this.id} ${this.machine.bootNumber}`);
    for (const part of this.parts) {
      part.application.kill();
      part.application.hasAddress = false;
      part.module.onAddress();
      part.disk.losePower(chance);
      part.module.onLoss(part, "cached");
    }
  }

  /** An empty disk is put in its place. */
  replaceDisk(): void {
    for (const part of this.parts) {
      part.disk.replace();
      part.module.onLoss(part, "all");
    }
  }

  /** Everything on its disk as it is now, to be put back later. */
  snapshotDisk(): () => void {
    const puttingBack = this.parts.map((part) => part.disk.snapshot());
    return () => {
      for (const putBack of puttingBack) putBack();
      for (const part of this.parts) part.module.onLoss(part, "all");
    };
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

  #takeDown(moduleId: string, targets: FenceTargets): void {
    this.world.note(`${this.id} guard takes down`, moduleId);
    this.world.see("guard fences");
    const part = this.part(moduleId);
    if (targets.addresses.length > 0) part.application.hasAddress = false;
    part.module.onAddress();
    part.application.kill();
    for (const engine of part.engines) engine.takeMountAway();
  }
}
