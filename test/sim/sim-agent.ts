import type { MirrorConfig } from "#model/module/config.ts";
import type { NodeDisk } from "#model/quorum/disk.ts";
import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import type { InstalledModule } from "../../node-agent/configuration/module-store.ts";
import type { GuardReport } from "../../node-agent/guard/fence-order.ts";
import type { NodeTimers } from "../../node-agent/mirror/clock.ts";
import { HostedMirror } from "../../node-agent/mirror/hosted-mirror.ts";
import type { ModuleHappening } from "../../node-agent/mirror/mirror-module.ts";
import type { MirrorPortsBase } from "../../node-agent/mirror/open-mirror.ts";
import type { Witness } from "../../node-agent/mirror/witness.ts";
import type { Containment } from "../../node-agent/modules/containment.ts";
import { MEMORY_BYTES } from "../../node-agent/peer/module-memory.ts";
import { Peering } from "../../node-agent/peering.ts";
import type { EngineHost } from "./engine/sim-engine.ts";
import { SimEngine } from "./engine/sim-engine.ts";
import { INCOMPLETE } from "./engine/sim-resync.ts";
import type { Life } from "./machine.ts";
import { SimHeartbeats } from "./sim-heartbeats.ts";
import { SimLink } from "./sim-link.ts";
import type { SimNode } from "./sim-node.ts";
import { simServiceParts } from "./sim-service.ts";

export const MODULE = "shop";
export const CLUSTER = "cluster1";
const FOLDER = "/state/shop";

/**
 * One life of the agent on a simulated node: the production parts, put together as agent-main.ts and
 * agent.ts do. When its life has ended, whatever it still waits for never comes.
 */
export class SimAgent {
  readonly node: SimNode;
  readonly life: Life = { isAlive: true };
  readonly heartbeats: SimHeartbeats;
  readonly link: SimLink;
  readonly engines = new Set<SimEngine>();
  hosted: HostedMirror | null = null;
  /** Dies at the n-th place from now at which it touches the world. */
  dieAt: number | null = null;
  isLeaving = false;
  readonly #deaths: (() => void)[] = [];
  #ids = 0;
  #hasReportPlanned = false;
  readonly #number: number;

  constructor(node: SimNode, number: number) {
    this.node = node;
    this.#number = number;
    const { world, machine } = node;
    this.heartbeats = new SimHeartbeats({
      ...{ machine, life: this.life, net: world.net, peer: node.peerId },
      instanceId: `${machine.id}-${number}`,
      heartbeatMs: TIMER_PROFILES[world.profile].heartbeatMs,
      hangAfterMs: TIMER_PROFILES[world.profile].hangAfterMs,
      onGuardReport: (report) => this.#onGuardReport(report),
      onPublish: (state) => {
        if (!this.life.isAlive) return true;
        world.onPublish(node, state);
        return this.point("publish");
      },
      onPromise: (epoch) => {
        if (!this.life.isAlive) return true;
        world.onPromise(node, epoch);
        return this.point("promise");
      },
      onSent: () => world.onMessage(node),
    });
    this.heartbeats.onDatagram = (datagram) => node.peer.deliver(machine.id, datagram);
    this.link = new SimLink(machine, this.life, world.net);
    this.#open();
  }

  get server() {
    for (const engine of this.engines) if (engine.server !== null) return engine.server;
    return null;
  }

  /** A place at which a process may die: true when it has just done so here. */
  point(name: string): boolean {
    if (!this.life.isAlive) return true;
    if (this.dieAt === null) return false;
    this.dieAt -= 1;
    if (this.dieAt >= 0) return false;
    this.node.world.see(`crash at ${name}`);
    this.node.agentDies(`crashed at ${name}`);
    return true;
  }

  die(): void {
    this.life.isAlive = false;
    for (const death of this.#deaths) death();
  }

  /** Stops in order and is then started anew, as an upgrade does. */
  async leave(): Promise<void> {
    if (this.isLeaving) return;
    this.isLeaving = true;
    try {
      await this.hosted?.leave("agentEnds");
    } catch (error) {
      // As agent.ts has it: one that cannot leave in order ends all the same.
      this.node.world.note(`${this.node.id} cannot leave in order: ${String(error)}`);
    }
    if (this.life.isAlive) this.node.agentDies("left in order");
  }

  #open(): void {
    const { node } = this;
    const { machine, world } = node;
    const peering = new Peering({
      ...{ peerId: node.peerId, peerHosts: [node.peerId], link: this.link },
      ...{ heartbeats: this.heartbeats, nowBootMs: machine.bootMs },
      detectAfterMs: TIMER_PROFILES[world.profile].detectAfterMs,
    });
    const installed: InstalledModule = {
      ...{ moduleId: MODULE, version: 1, sha256: "0".repeat(64), config: world.config },
      ...{ folder: "/modules/shop", warnings: [] },
    };
    const opened = HostedMirror.open({
      ...{ ports: this.#ports(world.config), peering, installed, config: world.config },
      ...{ nodes: ["a", "b"], folder: FOLDER, nowUnixMs: machine.unixMs },
      tell: (happening) => this.#tell(happening),
      onChanged: () => this.#reportSoon(40),
    });
    if (!opened.ok) throw new Error(opened.error);
    this.hosted = opened.value;
    opened.value.start().then(
      () => this.#reportSoon(40),
      (error: unknown) => world.bug(error),
    );
  }

  #ports(config: MirrorConfig): MirrorPortsBase {
    const { node, life } = this;
    const { machine, world } = node;
    const timers: NodeTimers = {
      after: (delayMs, fire) => {
        // The module's own tick is what comes again and again.
        const kind = delayMs <= 100 || delayMs === 600 ? "routine" : "work";
        return { cancel: machine.after(life, "main", kind, delayMs, fire) };
      },
    };
    return {
      ...{ nodeId: machine.id, timers, heartbeats: this.heartbeats, witness: this.#witness() },
      cluster: world.settings,
      clock: { bootMs: machine.bootMs, unixMs: machine.unixMs },
      bootId: machine.bootId,
      ...{ stateDirectory: "/state", productDirectory: "/product" },
      ...{ commandsDirectory: "/commands", sparedProcessIds: () => [] },
      // Here all of an agent dies with it, as before a takeover that was refused.
      ...{ newMemory: () => new SharedArrayBuffer(MEMORY_BYTES), findSurvivor: () => null },
      replicationListen: { host: machine.id, port: 7410 },
      sign: (text) => signatureOf(machine.id, text),
      newId: () => {
        this.#ids += 1;
        return `${machine.id}-${this.#number}-${this.#ids}`;
      },
      newEngine: () => new SimEngine(this.#engineHost()),
      restartAgent: (why) => {
        world.note(`${machine.id} restarts its agent: ${why}`);
        node.agentDies(why);
      },
      machine: {
        openContainment: () => CONTAINMENT,
        openStore: () => ({
          read: () => node.disk.readQuorum(),
          write: (disk) => this.#persist(disk),
        }),
        makeFolder: () => undefined,
        inspectData: () => node.inspectData(),
        isHalfWritten: () => node.disk.markers.has(INCOMPLETE),
        serviceParts: () =>
          simServiceParts({
            ...{ machine, life, config, timers, application: node.application },
            ...{ prng: world.prng.fork(`service ${machine.id} ${this.#number}`) },
            ...{ startMs: world.startMs, stopMs: world.stopMs },
            onAddress: () => world.onAddress(node),
          }),
      },
    };
  }

  #persist(disk: NodeDisk): void {
    if (this.point("persist")) return;
    const was = this.node.disk.quorum;
    this.node.disk.writeQuorum(disk);
    if (this.dieAt === 0) {
      for (const field of changedFields(was, disk)) this.node.world.see(`crash after ${field}`);
    }
    this.point("persisted");
  }

  #witness(): Witness {
    const { node, life } = this;
    return {
      ask: (request, timeoutMs) => {
        const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<Witness["ask"]>>>();
        if (this.point("ask")) return promise;
        node.world.onAsk(node, request);
        node.world.controlPlane.ask(node, life, request, timeoutMs, resolve);
        this.point("asked");
        return promise;
      },
    };
  }

  #engineHost(): EngineHost {
    const { node, life } = this;
    const { world, machine, disk } = node;
    return {
      ...{ machine, life, disk, sockets: world.sockets, oracle: world.oracle },
      prng: world.prng.fork(`engine ${machine.id} ${this.#number}`),
      resyncFileMs: world.resyncFileMs,
      onIssued: (op) => world.onIssued(node, op),
      onReply: (call, answer) => world.onReply(node, call, answer),
      onApplied: (applied) => world.onApplied(node, applied),
      onDurable: () => undefined,
      onPhase: (phase) => {
        node.resyncPhase = phase;
      },
      onDeath: (closeAll) => {
        this.#deaths.push(closeAll);
      },
      onOpened: (engine) => this.engines.add(engine),
      onClosed: (engine) => this.engines.delete(engine),
    };
  }

  #onGuardReport(report: GuardReport): void {
    if (this.life.isAlive) this.node.guard?.note(report);
  }

  #tell(happening: ModuleHappening): void {
    const { world, machine } = this.node;
    world.note(`${machine.id} ${happening.severity} ${happening.text}`);
  }

  #reportSoon(delayMs: number): void {
    if (this.#hasReportPlanned || !this.life.isAlive) return;
    this.#hasReportPlanned = true;
    const { machine } = this.node;
    machine.after(this.life, "main", "work", delayMs, () => {
      this.#hasReportPlanned = false;
      void this.#report();
    });
  }

  async #report(): Promise<void> {
    const report = await this.hosted?.report();
    if (report !== undefined) this.node.world.controlPlane.report(this.node, report);
  }
}

/** In the form of a real signature, and as hard to mistake, if not to forge. */
export function signatureOf(node: string, text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return `${node}-${(hash >>> 0).toString(16)}-${text.length}-`.padEnd(86, "s");
}

const CONTAINMENT: Containment = {
  ...{ kind: "marked", cgroupPath: "/cgroup/shop", warnings: [], environment: {} },
  wrap: (command) => command,
  processIds: () => [],
  isEmpty: () => true,
  freeze: async () => ({ isComplete: true, stuckProcessIds: [] }),
  thaw: () => undefined,
  kill: async () => ({ isComplete: true, stuckProcessIds: [] }),
  remove: () => undefined,
};

function changedFields(was: NodeDisk | null, now: NodeDisk): readonly string[] {
  const before = new Map<string, unknown>(Object.entries(was ?? {}));
  return Object.entries(now)
    .filter(([field, value]) => JSON.stringify(before.get(field)) !== JSON.stringify(value))
    .map(([field]) => field);
}
