/**
 * The control plane in one process: SQLite behind the ports, two listeners, a sweep. Everything
 * here is wiring; whatever decides is in the folders beside it and knows nothing of this one.
 */
import { join } from "node:path";
import { formatModuleError, loadModule } from "#model/archive/load-module.ts";
import { failure } from "#model/contract/errors.ts";
import { formatProblem } from "#model/module/problem.ts";
import { decideVote } from "#model/quorum/decide-vote.ts";
import { err, ok } from "#model/shared/result.ts";
import type { ApiParts } from "../api/api-parts.ts";
import { buildApp } from "../api/app.ts";
import { authenticateNodes, authenticatePeople } from "../api/authenticate.ts";
import { browserGuard, SECURITY_HEADERS } from "../api/browser-guard.ts";
import { serveConsole } from "../api/console-files.ts";
import { routeTables } from "../api/routes.ts";
import { openArbiter } from "../arbiter/step.ts";
import { arpDriver } from "../clouds/arp/arp-driver.ts";
import {
  type LocalProxyOptions,
  localProxyDriver,
} from "../clouds/local-proxy/local-proxy-driver.ts";
import { type JudgeModule, putCluster } from "../clusters/configure.ts";
import { type ControlPlane, openControlPlane } from "../clusters/control-plane.ts";
import { EVENTS_KEPT_MAX } from "../clusters/event-book.ts";
import { LiveViews } from "../clusters/live-views.ts";
import { sweepOperations } from "../clusters/operations.ts";
import { EVERYWHERE } from "../clusters/records.ts";
import { tellSilences } from "../clusters/reports.ts";
import { FailoverBook } from "../failovers/failover-book.ts";
import { openCa } from "../identity/certificate-authority.ts";
import { isSignedBy } from "../identity/node-signature.ts";
import { People } from "../identity/people.ts";
import { SignatureJudge } from "../identity/request-signature.ts";
import { Reconciler } from "../reconciler/reconciler.ts";
import { Database } from "../stores/sqlite/database.ts";
import {
  sqliteBlobStore,
  sqliteEventLog,
  sqliteRecordStore,
} from "../stores/sqlite/sqlite-store.ts";
import { stderrLogger, systemClock, systemRandom, systemTimers } from "./adapters.ts";
import { listenForAgents, listenForPeople, type Place, placeText } from "./listeners.ts";
import { openStateFolder } from "./state-folder.ts";

/** Silences and expired steps are found within this. */
const SWEEP_MS = 1_000;
/** Addresses are looked at anew by every so many sweeps: a minute. */
const SWEEPS_PER_LOOK = 60;

export interface ServeOptions {
  readonly stateFolder: string;
  readonly people: Place;
  readonly agents: Place;
  /** Further names and addresses that agents and browsers use for this machine. */
  readonly names: readonly string[];
  readonly consoleFolder: string;
  readonly proxy: LocalProxyOptions | null;
  /** Virtual addresses may be loopback ones. */
  readonly allowLoopback: boolean;
  readonly version: string;
  /** A cluster to make at the first start. */
  readonly cluster: FirstCluster | null;
}
export interface FirstCluster {
  readonly id: string;
  readonly nodes: readonly { readonly id: string; readonly addresses: Record<string, string> }[];
  readonly addressDriver: "arp" | "local-proxy" | "none";
  readonly timers: "fast" | "default" | "tolerant";
}
export interface Served {
  /** With the secret: opens the console, once per browser. */
  readonly url: string;
  /** Without it. */
  readonly apiUrl: string;
  readonly agentUrl: string;
  readonly secretFile: string;
  readonly caFile: string;
  /** PEM. */
  readonly caCertificate: string;
  readonly caFingerprint: string;
  readonly storeId: string;
  close(): Promise<void>;
}

/** Starts everything; resolves when both doors are open. */
export async function serve(options: ServeOptions): Promise<Served> {
  const folder = await openStateFolder(options.stateFolder, systemClock.nowMs());
  const database = new Database(folder.databaseFile, systemRandom.id("store"));
  const cp = openControlPlane({
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    records: sqliteRecordStore(database),
    log: sqliteEventLog(database, EVENTS_KEPT_MAX),
    blobs: sqliteBlobStore(database),
    logger: stderrLogger,
  });
  const ca = await openCa(folder.ca, cp.clock.nowMs);
  const people = new People(cp.records, folder.secret, cp.clock.nowMs);
  await people.admit({ id: "admin", name: "admin", role: "admin" }, folder.secret);
  let agentUrl = "";
  const parts = wire(cp, options, { ca, people, agentUrl: () => agentUrl });
  await makeFirstCluster(cp, options.cluster);
  const { peopleDoor, agentDoor } = await openDoors(parts, options);
  agentUrl = `https://${placeText({ host: reachable(options), port: agentDoor.port })}`;
  const sweeping = sweep(parts);
  const apiUrl = `http://${placeText(peopleDoor)}`;
  return {
    url: `${apiUrl}/?secret=${folder.secret}`,
    apiUrl,
    agentUrl,
    secretFile: folder.secretFile,
    caFile: folder.caFile,
    caCertificate: ca.certificatePem,
    caFingerprint: ca.fingerprint,
    storeId: cp.storeId,
    async close() {
      sweeping.close();
      parts.reconciler.close();
      cp.signals.close();
      await Promise.all([peopleDoor.close(), agentDoor.close()]);
      database.close();
    },
  };
}

/** Listening everywhere is no address that an agent can call: then the first name is. */
const reachable = ({ agents, names }: ServeOptions): string =>
  ["0.0.0.0", "::"].includes(agents.host) ? (names[0] ?? "127.0.0.1") : agents.host;

function wire(
  cp: ControlPlane,
  options: ServeOptions,
  identity: Pick<ApiParts, "ca" | "people" | "agentUrl">,
): ApiParts {
  const findKey = findNodeKey(cp);
  const { records, clock, events, logger } = cp;
  // The two know each other: a vote asks for a look, a look reads the vote's record.
  const reconcile = (clusterId: string, moduleId: string) => reconciler.ask(clusterId, moduleId);
  const arbiter = openArbiter({
    isSignedBy,
    records,
    clock,
    events,
    logger,
    findKey,
    reconcile,
    decide: decideVote,
  });
  const arp = arpDriver(cp);
  const proxy = options.proxy === null ? null : localProxyDriver(options.proxy);
  const driverOf = (kind: string) => (kind === "arp" ? arp : kind === "local-proxy" ? proxy : null);
  const reconciler = new Reconciler({ cp, arbiter, driverOf });
  const failovers = new FailoverBook(events);
  const live = new LiveViews(cp, arbiter, failovers);
  const judgeModule = moduleJudge(options.allowLoopback);
  const { version } = options;
  return { ...identity, cp, arbiter, reconciler, failovers, live, judgeModule, version };
}

/** A node that was taken out of its cluster is a stranger from then on. */
const findNodeKey = (cp: ControlPlane) => async (clusterId: string, nodeId: string) => {
  const cluster = await cp.clusters.read(EVERYWHERE, clusterId);
  const isMember = cluster?.value.settings.nodes.some((node) => node.id === nodeId) ?? false;
  return isMember ? ((await cp.nodes.read(clusterId, nodeId))?.value.publicKey ?? null) : null;
};

/** Judges a .safe file exactly as an agent will, short of what only a node can know. */
const moduleJudge =
  (allowLoopback: boolean): JudgeModule =>
  async (bytes, timers) => {
    const loaded = await loadModule(bytes, {
      allowLoopback,
      ...(timers === undefined ? {} : { timers }),
    });
    if (loaded.ok) {
      const { config, warnings } = loaded.value;
      return ok({ mode: config.mode, warnings: warnings.map(formatProblem), config });
    }
    const { error } = loaded;
    const isArchive = error.kind === "archive";
    return err(isArchive ? [formatModuleError(error)] : error.problems.map(formatProblem));
  };

async function makeFirstCluster(cp: ControlPlane, first: FirstCluster | null): Promise<void> {
  if (first === null || (await cp.clusters.read(EVERYWHERE, first.id)) !== null) return;
  const nodes = first.nodes.map((node) => ({ ...node }));
  const { addressDriver, timers } = first;
  const made = await putCluster(
    cp,
    first.id,
    { nodes, addressDriver, timers, seenVersion: 0 },
    "control-plane",
  );
  if (!made.ok) throw new Error(`cluster ${first.id}: ${made.error.message}`);
}

async function openDoors(parts: ApiParts, options: ServeOptions) {
  const { cp, people, ca } = parts;
  const tables = routeTables(parts);
  // Cookies do not tell ports apart: two control planes on one machine need two names.
  const cookieName = `mirrorfarm_${cp.storeId.slice(-8)}`;
  let hosts: ReadonlySet<string> = new Set();
  const peopleApp = buildApp({
    routes: tables.people,
    authenticate: authenticatePeople(people, cookieName),
    judgeHeaders: browserGuard(() => hosts),
    headers: SECURITY_HEADERS,
    random: cp.random,
    logger: cp.logger,
  });
  serveConsole(peopleApp, { folder: options.consoleFolder, people, cookieName });
  const agentApp = buildApp({
    routes: tables.agents,
    authenticate: authenticateNodes(new SignatureJudge(findNodeKey(cp), cp.clock.nowMs)),
    // No browser has business here: nothing is trusted but signatures.
    judgeHeaders: ({ header }) =>
      header("origin") === undefined ? null : failure("originRefused", "this is for agents"),
    headers: { "x-content-type-options": "nosniff" },
    random: cp.random,
    logger: cp.logger,
  });
  const agentDoor = await listenForAgents(agentApp, options.agents, {
    ca,
    names: [...new Set([options.agents.host, "localhost", "127.0.0.1", ...options.names])],
    timers: cp.timers,
    logger: cp.logger,
  });
  const peopleDoor = await listenForPeople(peopleApp, options.people);
  const names = [options.people.host, "127.0.0.1", "localhost", "::1", ...options.names];
  hosts = new Set(names.map((host) => placeText({ host, port: peopleDoor.port }).toLowerCase()));
  return { peopleDoor, agentDoor };
}

/** The backstop for everything that nobody told. */
function sweep({ cp, reconciler }: ApiParts): { close(): void } {
  let turn = 0;
  let isClosed = false;
  let timer = cp.timers.after(0, run);
  function run() {
    once()
      .catch((error) => cp.logger.log("E", `sweep: ${String(error)}`))
      .finally(() => {
        if (!isClosed) timer = cp.timers.after(SWEEP_MS, run);
      });
  }
  async function once(): Promise<void> {
    for (const { id } of await cp.clusters.list(EVERYWHERE)) {
      if (isClosed) return;
      await tellSilences(cp, id);
      await sweepOperations(cp, id);
      if (turn % SWEEPS_PER_LOOK === 0) await reconciler.sweep(id);
    }
    turn += 1;
  }
  return {
    close() {
      isClosed = true;
      timer.cancel();
    },
  };
}

/** Where the built console lies, beside this folder. */
export const CONSOLE_FOLDER = join(import.meta.dirname, "../../console/dist");
