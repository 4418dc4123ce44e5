import { join } from "node:path";
import type { ClusterSettings } from "#model/contract/configuration.ts";
import type { MirrorConfig } from "#model/module/config.ts";
import {
  checkTimers,
  type QuorumTimers,
  TIMER_PROFILES,
  timersFromHeart,
} from "#model/quorum/timers.ts";
import type { NodeConfig } from "#model/quorum/types.ts";
import type { NodeId } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { InstalledModule } from "../configuration/module-store.ts";
import type { Containment } from "../modules/containment.ts";
import type { Heartbeats } from "../peer/heartbeats.ts";
import { LeaseCell } from "../peer/lease-cell.ts";
import type { ModuleMemory } from "../peer/module-memory.ts";
import type { EngineEvent, OpenOptions, ReplicationEngine } from "../replication/engine.ts";
import type { NodeClock, NodeTimers } from "./clock.ts";
import { DataPlane, type TakenOverEngine } from "./data-plane.ts";
import { LifeCycleWord } from "./life-cycle-word.ts";
import type { MirrorMachine } from "./machine.ts";
import { MirrorModule, type ModuleHappening } from "./mirror-module.ts";
import { Service } from "./service.ts";

import type { Witness } from "./witness.ts";

/** What an earlier agent left of a module: see node-agent/data-process/survivor.ts. */
export interface Survivor {
  /** The memory that the module's parts share, as it was when that agent ended. */
  readonly memory: ModuleMemory;
  /**
   * The engine that goes on, with where it stands; null when it cannot be taken over. Then it has
   * been ended, and its mounts are gone.
   */
  takeOver(open: OpenOptions): Promise<TakenOverEngine | null>;
}

/** What the agent offers to each of its mirror modules. */
export type MirrorPorts = {
  readonly nodeId: NodeId;
  readonly cluster: ClusterSettings;
  readonly machine: MirrorMachine;
  readonly clock: NodeClock;
  readonly timers: NodeTimers;
  readonly heartbeats: Heartbeats;
  readonly witness: Witness;
  readonly bootId: string;
  readonly stateDirectory: string;
  /** Folder of this product's own programs. */
  readonly productDirectory: string;
  /** Folder of the commands that scripts may call. */
  readonly commandsDirectory: string;
  /** The agent, its guard, what answers file operations: never stopped by a fence. */
  sparedProcessIds(): readonly number[];
  readonly replicationListen: { readonly host: string; readonly port: number };
  sign(text: string): string;
  newId(): string;
  newEngine(): ReplicationEngine;
  newMemory(): ModuleMemory;
  /** What an earlier agent left of a module, by the module's folder in the state directory. */
  findSurvivor(folder: string): Survivor | null;
  /** This agent cannot go on: the guard fences what is left of it and starts a new one. */
  restartAgent(why: string): void;
  tell(happening: ModuleHappening): void;
  onChanged(): void;
  onEngineEvent(event: EngineEvent): void;
  /** The data plane listens: tell the peer where. */
  onListening(port: number): void;
};

/** What the agent gives; `HostedMirror` adds the module's own reactions. */
export type MirrorPortsBase = Omit<
  MirrorPorts,
  "tell" | "onChanged" | "onEngineEvent" | "onListening"
>;

/** A mirror module as it runs, with the parts that reports are made from. */
export type OpenMirror = {
  readonly module: MirrorModule;
  readonly cell: LeaseCell;
  readonly timers: QuorumTimers;
  readonly trees: readonly string[];
  readonly containment: Containment;
};

const INCARNATION_LENGTH = 16;

/** Puts a mirror module together from its configuration; an error is a sentence for people. */
export function openMirror(
  ports: MirrorPorts,
  installed: InstalledModule,
  config: MirrorConfig,
  nodes: readonly NodeId[],
  folder: string,
): Result<OpenMirror, string> {
  const quorum = quorumConfig(ports, installed, config, nodes);
  if (!quorum.ok) return quorum;
  const { moduleId } = installed;
  const survivor = ports.findSurvivor(folder);
  const cell = new LeaseCell(survivor?.memory ?? ports.newMemory());
  const lifeCycle = new LifeCycleWord(cell.buffer);
  const { machine } = ports;
  const containment = machine.openContainment(ports.nodeId, moduleId);
  const trees = (config.rfs?.replicated ?? []).map(({ dir }) => dir);
  const userVar = join(folder, "log");
  machine.makeFolder(userVar);
  const parts = machine.serviceParts({
    ...{ moduleId, config, containment, nodeId: ports.nodeId, mountPoints: trees },
    sparedProcessIds: ports.sparedProcessIds,
    nowUnixMs: ports.clock.unixMs,
    directories: {
      product: ports.productDirectory,
      state: ports.stateDirectory,
      commands: ports.commandsDirectory,
      bin: join(installed.folder, "bin"),
      conf: join(installed.folder, "conf"),
      userVar,
    },
  });
  const module = new MirrorModule({
    ...{ moduleId, config, cell, lifeCycle, quorum: quorum.value },
    clock: ports.clock,
    timers: ports.timers,
    heartbeats: ports.heartbeats,
    witness: ports.witness,
    bootId: ports.bootId,
    // New at each opening, not only at each start of the agent: ids of requests and asks begin
    // with it, and one that was used before would be answered with what was granted then.
    incarnation: ports.newId().replaceAll("-", "").slice(0, INCARNATION_LENGTH),
    store: machine.openStore(join(folder, "quorum.json"), moduleId, ports.nodeId),
    sign: ports.sign,
    newId: ports.newId,
    tell: ports.tell,
    onChanged: ports.onChanged,
    inspectData: () => machine.inspectData(trees),
    newDataPlane: (onEvent) =>
      new DataPlane({
        newEngine: ports.newEngine,
        takeOver: async (open) => (await survivor?.takeOver(open)) ?? null,
        sync: () => machine.syncData(trees),
        cell,
        onEngineEvent: ports.onEngineEvent,
        onEvent: (event) => {
          if (event.kind === "opened") ports.onListening(event.port);
          onEvent(event);
        },
        open: {
          ...{ moduleId, nodeId: ports.nodeId, leaseCell: cell.buffer },
          trees: treesOf(config),
          listen: ports.replicationListen,
          stateDirectory: folder,
          syncMode: config.rfs?.sync ?? "write",
          replTimeoutMs: quorum.value.timers.replTimeoutMs,
          resyncBytesPerSecond: config.rfs?.resyncBandwidthMax ?? null,
        },
      }),
    newService: (onEvent, beforeServing, isInMaintenance) =>
      new Service({
        ...{ parts, beforeServing, isInMaintenance, onEvent },
        save: (record) => lifeCycle.write(record),
      }),
  });
  const { timers } = quorum.value;
  return ok({ module, cell, timers, trees, containment });
}

function quorumConfig(
  ports: MirrorPorts,
  { moduleId }: InstalledModule,
  config: MirrorConfig,
  nodes: readonly NodeId[],
): Result<NodeConfig, string> {
  const others = nodes.filter((node) => node !== ports.nodeId);
  const [peer] = others;
  if (peer === undefined || others.length !== 1) {
    return err(
      `${moduleId}: a mirror has two nodes, this one is configured for ${nodes.join(", ")}`,
    );
  }
  const base = TIMER_PROFILES[ports.cluster.timers];
  const timers = checkTimers(timersFromHeart(base, config.heart));
  if (!timers.ok) return err(`${moduleId}: ${timers.error.message}`);
  const { defaultPrim, failover } = config.service;
  return ok({
    moduleId,
    self: ports.nodeId,
    peers: [peer],
    timers: timers.value,
    hasFailover: failover,
    defaultPrimary:
      defaultPrim.kind === "node"
        ? { kind: "node", nodeId: defaultPrim.node }
        : { kind: defaultPrim.kind === "alone" ? "alone" : "lastPrimary" },
    addressMovedBy: ports.cluster.addressDriver === "local-proxy" ? "cloud" : "nodes",
  });
}

const treesOf = (config: MirrorConfig) =>
  (config.rfs?.replicated ?? []).map(({ dir, toCheck, notReplicated }) => ({
    path: dir,
    toCheck,
    notReplicated: notReplicated.flatMap((one) => (one.kind === "path" ? [one.path] : [])),
  }));
