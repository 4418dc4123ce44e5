import type { NodeDisk } from "#model/quorum/disk.ts";
import type { InstalledModule } from "../../node-agent/configuration/module-store.ts";
import type { NodeTimers } from "../../node-agent/mirror/clock.ts";
import { HostedMirror } from "../../node-agent/mirror/hosted-mirror.ts";
import type { ModuleHappening } from "../../node-agent/mirror/mirror-module.ts";
import type { MirrorPortsBase } from "../../node-agent/mirror/open-mirror.ts";
import type { Witness } from "../../node-agent/mirror/witness.ts";
import type { Containment } from "../../node-agent/modules/containment.ts";
import { MEMORY_BYTES } from "../../node-agent/peer/module-memory.ts";
import { INCOMPLETE } from "./engine/resync-run.ts";
import { type EngineHost, SimEngine } from "./engine/sim-engine.ts";
import type { SimAgent } from "./sim-agent.ts";
import type { SimPart } from "./sim-part.ts";
import { simServiceParts } from "./sim-service.ts";

/** One module in one life of an agent: the production parts, given what is simulated below them. */
export class SimHosted {
  readonly part: SimPart;
  readonly engines = new Set<SimEngine>();
  readonly hosted: HostedMirror;
  readonly #agent: SimAgent;
  readonly #deaths: (() => void)[] = [];
  #ids = 0;
  #hasReportPlanned = false;

  constructor(agent: SimAgent, part: SimPart) {
    this.#agent = agent;
    this.part = part;
    const { config, id } = part.module;
    const { machine } = part.node;
    const installed: InstalledModule = {
      ...{ moduleId: id, version: 1, sha256: "0".repeat(64), config },
      ...{ folder: `/modules/${id}`, warnings: [] },
    };
    const opened = HostedMirror.open({
      ...{ ports: this.#ports(), peering: agent.peering, installed, config },
      ...{ nodes: ["a", "b"], folder: `/state/${id}`, nowUnixMs: machine.unixMs },
      tell: (happening) => this.#tell(happening),
      onChanged: () => this.#reportSoon(),
    });
    if (!opened.ok) throw new Error(opened.error);
    this.hosted = opened.value;
    opened.value.start().then(
      () => this.#reportSoon(),
      (error: unknown) => part.node.world.bug(error),
    );
  }

  /** The process has ended. */
  die(): void {
    for (const death of this.#deaths) death();
  }

  #ports(): MirrorPortsBase {
    const { node, disk, module } = this.part;
    const { machine, world } = node;
    const { life } = this.#agent;
    const timers: NodeTimers = {
      after: (delayMs, fire) => {
        // The module's own tick is what comes again and again.
        const kind = delayMs <= 100 || delayMs === 600 ? "routine" : "work";
        return { cancel: machine.after(life, "main", kind, delayMs, fire) };
      },
    };
    return {
      ...{ nodeId: machine.id, timers, heartbeats: this.#agent.heartbeats },
      ...{ witness: this.#witness(), cluster: world.settings },
      clock: { bootMs: machine.bootMs, unixMs: machine.unixMs },
      bootId: machine.bootId,
      ...{ stateDirectory: "/state", productDirectory: "/product" },
      ...{ commandsDirectory: "/commands", sparedProcessIds: () => [] },
      // Here all of an agent dies with it, as where a takeover is refused.
      ...{ newMemory: () => new SharedArrayBuffer(MEMORY_BYTES), findSurvivor: () => null },
      replicationListen: { host: machine.id, port: 7410 },
      sign: (text) => signatureOf(machine.id, text),
      newId: () => this.#newId(),
      newEngine: () => new SimEngine(this.#engineHost()),
      restartAgent: (why) => {
        world.note(`${machine.id} restarts its agent: ${why}`, module.id);
        node.agentDies(why);
      },
      machine: {
        openContainment: () => CONTAINMENT,
        openStore: () => ({
          read: () => disk.readQuorum(),
          write: (quorum) => this.#persist(quorum),
        }),
        makeFolder: () => undefined,
        inspectData: () => this.part.inspectData(),
        syncData: () => this.#syncData(),
        isHalfWritten: () => disk.markers.has(INCOMPLETE),
        serviceParts: () =>
          simServiceParts({
            ...{ machine, life, config: module.config, timers },
            application: this.part.application,
            prng: this.#chance("service"),
            ...{ startMs: module.startMs, stopMs: module.stopMs },
            onAddress: () => module.onAddress(),
          }),
      },
    };
  }

  async #syncData(): Promise<boolean> {
    const { disk, node } = this.part;
    const mark = disk.tree.mark();
    const { promise, resolve } = Promise.withResolvers<void>();
    const takesMs = Math.min(SYNC_MS_MAX, SYNC_MS + disk.faults.slowMs);
    node.machine.after(this.#agent.life, "helper", "work", takesMs, resolve);
    await promise;
    if (disk.faults.dataError !== null || takesMs === SYNC_MS_MAX) return false;
    disk.tree.flushAll(mark);
    return true;
  }

  #newId(): string {
    const { node, module } = this.part;
    this.#ids += 1;
    return `${node.id}-${module.id}-${this.#agent.number}-${this.#ids}`;
  }

  #chance(what: string) {
    const { node, module } = this.part;
    return node.world.prng.fork(`${what} ${node.id} ${module.id} ${this.#agent.number}`);
  }

  #persist(disk: NodeDisk): void {
    const { node } = this.part;
    if (this.#agent.point("persist")) return;
    const was = this.part.disk.quorum;
    this.part.disk.writeQuorum(disk);
    if (this.#agent.dieAt === 0) {
      for (const field of changedFields(was, disk)) node.world.see(`crash after ${field}`);
    }
    this.#agent.point("persisted");
  }

  #witness(): Witness {
    const { node, module } = this.part;
    const agent = this.#agent;
    return {
      ask: (request, timeoutMs) => {
        const { promise, resolve } = Promise.withResolvers<Awaited<ReturnType<Witness["ask"]>>>();
        if (agent.point("ask")) return promise;
        node.world.onMessage(node);
        module.onAsk(this.part, request);
        node.world.controlPlane.ask(node, agent.life, request, timeoutMs, resolve);
        agent.point("asked");
        return promise;
      },
    };
  }

  #engineHost(): EngineHost {
    const { part } = this;
    const { node, module, disk } = part;
    const { world, machine } = node;
    return {
      ...{ machine, life: this.#agent.life, disk, sockets: world.sockets },
      ...{ oracle: module.oracle, prng: this.#chance("engine") },
      resyncFileMs: module.resyncFileMs,
      onIssued: (op) => module.onIssued(part, op),
      onReply: (call, answer, isDone) => module.onReply(part, call, answer, isDone),
      onApplied: (applied) => module.onApplied(part, applied),
      onDurable: () => undefined,
      onPhase: (phase) => {
        part.resyncPhase = phase;
      },
      onDeath: (closeAll) => {
        this.#deaths.push(closeAll);
      },
      onOpened: (engine) => this.engines.add(engine),
      onClosed: (engine) => this.engines.delete(engine),
    };
  }

  #tell(happening: ModuleHappening): void {
    const { node, module } = this.part;
    module.note(`${node.id} ${happening.severity} ${happening.text}`);
  }

  #reportSoon(): void {
    const { life } = this.#agent;
    if (this.#hasReportPlanned || !life.isAlive) return;
    this.#hasReportPlanned = true;
    const { machine } = this.part.node;
    machine.after(life, "main", "work", REPORT_MS, () => {
      this.#hasReportPlanned = false;
      void this.#report();
    });
  }

  async #report(): Promise<void> {
    const { node } = this.part;
    node.world.controlPlane.report(node, await this.hosted.report());
  }
}

const REPORT_MS = 40;
/** Of a disk that is well, and how long one that is not is waited for. */
const SYNC_MS = 5;
const SYNC_MS_MAX = 60_000;

/** In the form of a real signature, and as hard to mistake, if not to forge. */
export function signatureOf(node: string, text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return `${node}-${(hash >>> 0).toString(16)}-${text.length}-`.padEnd(86, "s");
}

const CONTAINMENT: Containment = {
  ...{ kind: "marked", cgroupPath: "/cgroup/module", warnings: [], environment: {} },
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
