import type { NodeCommand, NodeCommandKind } from "#model/contract/commands.ts";
import type { NodeDisk } from "#model/quorum/disk.ts";
import { runCommand } from "../../node-agent/mirror/commands.ts";
import type { HostedMirror } from "../../node-agent/mirror/hosted-mirror.ts";
import type { NodeView } from "./checkers/checker.ts";
import { INCOMPLETE } from "./engine/resync-run.ts";
import type { SimEngine } from "./engine/sim-engine.ts";
import type { SimServer } from "./engine/sim-server.ts";
import { SimDisk } from "./sim-disk.ts";
import type { SimModule } from "./sim-module.ts";
import type { SimNode } from "./sim-node.ts";
import { SimApplication } from "./sim-service.ts";

/** As the control plane allows it. */
const COMMAND_MS = 60_000;

/** One module on one node: its copy and state, its application, and the engines that serve it. */
export class SimPart {
  readonly node: SimNode;
  readonly module: SimModule;
  readonly disk: SimDisk;
  readonly application = new SimApplication();
  resyncPhase = "";
  /** Its module file is on this node's disk. */
  isConfigured = true;
  /** When it last asked the witness for nothing but the record. */
  readMs = 0;
  #startedMs = 0;

  constructor(node: SimNode, module: SimModule) {
    this.node = node;
    this.module = module;
    this.disk = new SimDisk(() => node.world.clock.trueMs, node.faults);
    this.disk.onPersist = (was, now) => {
      if (now.isStartWanted && was?.isStartWanted !== true) {
        this.#startedMs = node.world.clock.nowMs;
      }
      module.onPersist(this, was, now);
    };
  }

  get id(): "a" | "b" {
    return this.node.id;
  }

  get peer(): SimPart {
    return this.module.part(this.node.peerId);
  }

  get quorum(): NodeDisk | null {
    return this.disk.quorum;
  }

  get hosted(): HostedMirror | null {
    return this.node.agent?.host(this.module.id)?.hosted ?? null;
  }

  get engines(): Iterable<SimEngine> {
    return this.node.agent?.host(this.module.id)?.engines ?? [];
  }

  get server(): SimServer | null {
    for (const engine of this.engines) if (engine.server !== null) return engine.server;
    return null;
  }

  /** Wanted here, and nothing about its machine, disk and agent is amiss. */
  get isAble(): boolean {
    const { machine, faults, agent, hadDiskFault } = this.node;
    if (!machine.isOn || machine.freeze !== null || machine.hung.size > 0) return false;
    if (agent === null || agent.isLeaving || hadDiskFault || this.hosted === null) return false;
    if (faults.dataError !== null || faults.stateError !== null || faults.slowMs > 0) return false;
    return this.quorum?.isStartWanted === true;
  }

  get isInMaintenance(): boolean {
    return this.quorum?.maintenance?.isOver === false;
  }

  /** Its programs are being stopped, which takes what it takes. */
  get isStopping(): boolean {
    const view = this.hosted?.module.service.view;
    return view?.runsScripts === true && !this.accepts;
  }

  /** Would an application's call that comes now be carried out and answered? */
  get accepts(): boolean {
    const { agent, machine } = this.node;
    if (agent === null || !machine.isOn || machine.freeze !== null) return false;
    for (const engine of this.engines) {
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
    for (const engine of this.engines) {
      if (engine.isPrimary) return engine.cell?.servingEpoch ?? null;
    }
    return null;
  }

  /** For how long it has taken part since its machine came up, or a person started it. */
  get takesPartMs(): number {
    const { machine, world } = this.node;
    return Math.min(machine.upMs, world.clock.nowMs - this.#startedMs);
  }

  get boundEpoch(): number {
    return Math.max(0, ...[...this.engines].map((engine) => engine.boundEpoch));
  }

  /** A person's word, as the control plane hands it out; what is told of it goes to the judges. */
  order(kind: NodeCommandKind, more: Partial<NodeCommand> = {}): void {
    const { hosted, module, node } = this;
    const { agent } = node;
    if (hosted === null) return;
    const id = node.world.newId();
    const before = { epoch: this.quorum?.epoch ?? 0, historyId: this.quorum?.historyId ?? null };
    const command: NodeCommand = {
      ...{ id, operationId: id, moduleId: module.id, kind, remainingMs: COMMAND_MS },
      ...{ actor: "person:ann", ...more },
    };
    module.judge((checker) => checker.onOrdered?.(module.view(this.id), kind));
    runCommand(command, hosted).then(
      ({ outcome, text }) => {
        // One that died has told nobody anything.
        if (agent?.life.isAlive !== true) return;
        node.world.see(`${kind}: ${outcome}`);
        module.note(`${this.id} ${kind} is ${outcome}: ${text}`);
        const answered = { kind, outcome, text, before };
        module.judge((checker) => checker.onAnswered?.(module.view(this.id), answered, module));
      },
      (error: unknown) => node.world.bug(error),
    );
  }

  inspectData(): "empty" | "hasData" | "unknown" {
    if (this.disk.faults.dataError === "EIO") return "unknown";
    return this.disk.tree.isEmpty ? "empty" : "hasData";
  }

  /** An application has called: the loops that serve it have something to do. */
  wakeEngines(): void {
    for (const engine of this.engines) engine.wake();
  }
}

/** What judges see of it; what it accepts is as it was after the last step. */
export function viewOf(part: SimPart, acceptedEpoch: () => number): NodeView {
  const { node, disk, application } = part;
  const { machine } = node;
  return {
    id: node.id,
    tree: disk.tree,
    get accepts() {
      return acceptedEpoch() !== 0;
    },
    get servedEpoch() {
      return part.servedEpoch;
    },
    get boundEpoch() {
      return part.boundEpoch;
    },
    get mayAnswer() {
      return part.accepts;
    },
    get quorum() {
      return part.quorum;
    },
    get isHalfWritten() {
      return disk.markers.has(INCOMPLETE);
    },
    get hasAddress() {
      return application.hasAddress;
    },
    get isRunning() {
      return application.isRunning;
    },
    get isFrozen() {
      return machine.freeze !== null;
    },
    get isOn() {
      return machine.isOn;
    },
    get resumedForMs() {
      return machine.clock.nowMs - machine.resumedMs;
    },
  };
}
