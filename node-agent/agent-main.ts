/**
 * The agent as a process, started by main.ts. This file puts the parts together; what they do stands
 * in agent.ts.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import type { NodeConfiguration } from "#model/contract/configuration.ts";
import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import { bootMs } from "./adapters/linux/clock.ts";
import { systemTimers } from "./adapters/timers.ts";
import { Agent, type AgentParts } from "./agent.ts";
import { ConfigurationStore } from "./configuration/configuration-store.ts";
import { ModuleStore } from "./configuration/module-store.ts";
import { ControlPlaneClient } from "./control-plane/client.ts";
import { DataProcesses } from "./data-process/survivor.ts";
import { loadIdentity, type NodeIdentity } from "./identity/identity-store.ts";
import { signingKey, signText } from "./identity/node-signature.ts";
import { keepCertificateFresh } from "./identity/renewal.ts";
import { openLocalApi } from "./local-api.ts";
import type { NodeClock } from "./mirror/clock.ts";
import { thisMachine } from "./mirror/machine.ts";
import type { MirrorPortsBase } from "./mirror/open-mirror.ts";
import type { Witness } from "./mirror/witness.ts";
import { writeCommandDirectory } from "./modules/command-directory.ts";
import { startHeartbeats } from "./peer/start-heartbeats.ts";
import { startLink } from "./peer/tls-link.ts";
import { Peering } from "./peering.ts";
import { startProbe } from "./probe/probe-server.ts";
import { EventOutbox } from "./reporting/event-outbox.ts";
import { type AgentSettings, REPLICATION_PORTS_MAX, readSettings } from "./settings.ts";

const BOOT_ID = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
const VERSION = "0.1.0";
/** Folder of the state directory that modules' scripts find first on their PATH. */
const COMMANDS = "commands";
/** Shorter than the guard's patience with an agent that it has asked to make room. */
const SCRIPTS_MS_MAX = 45_000;
const dataProcesses = new DataProcesses();
const clock: NodeClock = { bootMs, unixMs: () => Date.now() };

/** One line on standard error: severity, what, text. Never a secret. */
const log = (text: string): void => {
  process.stderr.write(`${new Date().toISOString()} ${text}\n`);
};

/** Variables that modules may name as `%X%`: not those that may hold something of the agent's. */
const moduleEnvironment = (): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || /^(MIRRORFARM|NODE|AWS|AZURE|GOOGLE)_/.test(name)
        ? []
        : [[name, value] as const],
    ),
  );

/** The guard hands over the descriptor of its socket by this name; absent without a guard. */
function guardDescriptor(): number | null {
  const text = process.env["MIRRORFARM_GUARD_DESCRIPTOR"];
  delete process.env["MIRRORFARM_GUARD_DESCRIPTOR"];
  return text === undefined ? null : Number(text);
}

type Made = {
  readonly settings: AgentSettings;
  readonly identity: NodeIdentity;
  readonly client: ControlPlaneClient;
  readonly instanceId: string;
  readonly guard: number | null;
  /** Ends what runs for as long as the agent does. */
  readonly stopping: AbortController;
};

async function openPeering(made: Made, configuration: NodeConfiguration): Promise<Peering | null> {
  const { identity, settings, instanceId } = made;
  const { cluster } = configuration;
  const self = cluster.nodes.find((node) => node.id === identity.nodeId);
  const others = cluster.nodes.filter((node) => node.id !== identity.nodeId);
  const [peer] = others;
  if (self === undefined || peer === undefined) return null;
  if (others.length > 1) {
    throw new Error(`a cluster of ${cluster.nodes.length} nodes: this agent speaks to one peer`);
  }
  const networks = cluster.networks.flatMap((name) => {
    const localAddress = settings.bindAddresses.get(name) ?? self.addresses[name];
    const peerAddress = peer.addresses[name];
    if (localAddress === undefined || peerAddress === undefined) return [];
    return [{ name, localAddress, peerAddress }];
  });
  const { heartbeatMs, hangAfterMs, detectAfterMs } = TIMER_PROFILES[cluster.timers];
  const heartbeats = await startHeartbeats({
    ...{ nodeId: identity.nodeId, instanceId, bootId: BOOT_ID, heartbeatMs, hangAfterMs },
    networks: networks.map((network) => ({
      ...network,
      localPort: settings.heartbeatPort,
      peerPort: settings.heartbeatPort,
    })),
    guardDescriptor: made.guard,
  });
  // An agent whose heartbeats ended can promise nothing and is promised nothing: start anew.
  heartbeats.onFailure((cause) => die(`the heartbeat thread failed: ${cause.message}`));
  // Without a guard nobody would fence this node if the agent hung.
  heartbeats.onGuardLost(() => die("the guard is gone"));
  heartbeats.onNetworkFailed((network, detail) => log(`E network ${network}: ${detail}`));
  const link = await startLink({
    clusterId: identity.clusterId,
    peerId: peer.id,
    self: { nodeId: identity.nodeId, instanceId, bootId: BOOT_ID, agentVersion: VERSION },
    identity,
    listen: networks.map(({ localAddress }) => ({ host: localAddress, port: settings.linkPort })),
    peerAddresses: networks.map(({ peerAddress }) => ({
      host: peerAddress,
      port: settings.linkPort,
    })),
    log,
  });
  link.onDuplicatePeer((refused, live) => {
    log(`C a second ${peer.id} was refused: agent ${refused}, while ${live} is alive`);
  });
  void keepCertificateFresh(identity, {
    ...{ nowMs: clock.unixMs, stateDirectory: settings.stateDirectory },
    renew: (csr) => made.client.renewCertificate(csr),
    onRenewed: (renewed) => {
      link.replaceIdentity(renewed);
      made.client.setCa(renewed.caPem);
      log("I agent has a new certificate");
    },
    signal: made.stopping.signal,
  });
  const peerHosts = networks.map(({ peerAddress }) => peerAddress);
  return new Peering({
    ...{ peerId: peer.id, peerHosts, link, heartbeats, detectAfterMs, nowBootMs: bootMs },
  });
}

function mirrorPorts(
  made: Made,
  peering: Peering,
  { cluster }: NodeConfiguration,
  slot: number,
): MirrorPortsBase {
  const { identity, settings, client } = made;
  const key = signingKey(identity.keyPem);
  const [network = "default"] = cluster.networks;
  const self = cluster.nodes.find((node) => node.id === identity.nodeId);
  const host = settings.bindAddresses.get(network) ?? self?.addresses[network] ?? "127.0.0.1";
  const witness: Witness = {
    async ask(request, timeoutMs) {
      const outcome = await client.ask(request, timeoutMs);
      return outcome.kind === "answered" ? outcome : { kind: "unknown", cause: outcome.detail };
    },
  };
  return {
    ...{ nodeId: identity.nodeId, cluster, clock, witness, bootId: BOOT_ID },
    ...{ heartbeats: peering.heartbeats, timers: systemTimers, machine: thisMachine },
    stateDirectory: settings.stateDirectory,
    productDirectory: join(import.meta.dirname, ".."),
    commandsDirectory: join(settings.stateDirectory, COMMANDS),
    sparedProcessIds: () => [process.pid, process.ppid, ...dataProcesses.processIds],
    replicationListen: {
      host,
      port: settings.replicationPort + (slot % REPLICATION_PORTS_MAX),
    },
    sign: (text) => signText(text, key),
    newId: () => randomUUID(),
    newEngine: () => dataProcesses.newEngine(),
    newMemory: dataProcesses.newMemory,
    findSurvivor: (folder) => dataProcesses.find(folder),
    restartAgent: die,
  };
}

function die(text: string): never {
  log(`C agent ${text}`);
  // The guard fences what this agent served and starts a new one.
  process.exit(1);
}

async function main(): Promise<void> {
  const settings = readSettings(process.argv.slice(2));
  if (!settings.ok) {
    process.stderr.write(`${settings.error}\n`);
    process.exit(2);
  }
  const { stateDirectory } = settings.value;
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const identity = await loadIdentity(stateDirectory);
  if (!identity.ok) {
    const { error } = identity;
    const text =
      error.kind === "notEnrolled"
        ? `${stateDirectory} belongs to no cluster yet: run mirrorfarm join --token … first`
        : `${stateDirectory}: ${error.detail}`;
    process.stderr.write(`${text}\n`);
    process.exit(2);
  }
  writeCommandDirectory(
    join(stateDirectory, COMMANDS),
    process.execPath,
    join(import.meta.dirname, "modules", "safekit-command.ts"),
    join(stateDirectory, "agent.sock"),
  );
  const instanceId = randomBytes(8).toString("hex");
  const client = new ControlPlaneClient(identity.value, {
    nowMs: clock.unixMs,
    bootMs: clock.bootMs,
    random: Math.random,
  });
  const made: Made = {
    ...{ settings: settings.value, identity: identity.value, client, instanceId },
    guard: guardDescriptor(),
    stopping: new AbortController(),
  };
  const parts: AgentParts = {
    ...{ client, instanceId, log, version: VERSION, bootId: BOOT_ID, nowUnixMs: clock.unixMs },
    random: Math.random,
    nodeId: identity.value.nodeId,
    configurations: new ConfigurationStore(stateDirectory),
    modules: new ModuleStore(stateDirectory, moduleEnvironment()),
    events: new EventOutbox(instanceId, clock.unixMs),
    openPeering: (configuration) => openPeering(made, configuration),
    mirrorPorts: (peering, configuration, slot) => mirrorPorts(made, peering, configuration, slot),
  };
  await run(new Agent(parts), made);
}

async function run(agent: Agent, { settings, identity, stopping }: Made): Promise<void> {
  const local = openLocalApi({
    ...{ stateDirectory: settings.stateDirectory, clusterId: identity.clusterId },
    nodeId: identity.nodeId,
    report: () => agent.report(),
    command: (moduleId, request) => agent.command(moduleId, request, "local"),
    verb: (request) => agent.mirrors.get(request.moduleId)?.verb(request) ?? null,
  });
  if (settings.probe !== null) {
    const probe = await startProbe({
      ...settings.probe,
      answer: (moduleId) => agent.probe(moduleId),
    });
    if (!probe.ok) log(`E probe: ${probe.error}; load balancers will see this node as down`);
  }
  let isStopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (isStopping) return;
      isStopping = true;
      log(`I agent stops in order (${signal})`);
      stopping.abort();
      local.close();
      void agent.stop().then(() => process.exit(0));
    });
  }
  process.on("SIGHUP", () => {
    log("I agent makes room for the next one; nothing is stopped for it");
    // A script that was cut in the middle would keep the next agent from going on.
    void agent.scriptsEnded(SCRIPTS_MS_MAX).then(() => process.exit(0));
  });
  await agent.start();
  flushCompileCache();
}

process.on("uncaughtException", (error) => die(error.stack ?? error.message));
process.on("unhandledRejection", (reason) =>
  die(reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)),
);
await main();
