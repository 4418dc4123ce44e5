/**
 * The view of each cluster, kept ready for streams and polls. It is built anew when something was
 * signalled or a second has passed (silence makes no signal), and compared part by part; a part
 * that differs gets the next revision. Readers ask for what is newer than they saw, so a slow one
 * skips what is outdated instead of queueing it.
 */
import type { Change, ClusterSnapshot, ClusterSummary, Health } from "#model/contract/snapshot.ts";
import type { Arbiter } from "../arbiter/step.ts";
import type { FailoverBook } from "../failovers/failover-book.ts";
import { buildParts, keyOf, type Part, type ViewSource } from "./build-view.ts";
import type { ControlPlane } from "./control-plane.ts";
import { EVERYWHERE } from "./records.ts";
import { clusterTopic } from "./signals.ts";

/** Without any signal, a view is at most this old. */
const VIEW_AGE_MS_MAX = 1_000;
/** Events inside a snapshot. */
const SNAPSHOT_EVENTS_MAX = 100;
/** Finished operations are shown this long. */
const OPERATIONS_SHOWN_MS = 10 * 60_000;

interface Kept {
  readonly text: string;
  readonly change: Change;
}
interface LiveView {
  parts: Map<string, Kept>;
  generation: number;
  builtAtMs: number;
  building: Promise<boolean> | null;
}

export class LiveViews {
  readonly #cp: ControlPlane;
  readonly #arbiter: Arbiter;
  readonly #failovers: FailoverBook;
  readonly #views = new Map<string, LiveView>();
  #revision: number;

  constructor(cp: ControlPlane, arbiter: Arbiter, failovers: FailoverBook) {
    this.#cp = cp;
    this.#arbiter = arbiter;
    this.#failovers = failovers;
    // Greater than any revision of an earlier process, so that its readers see all parts anew.
    this.#revision = cp.clock.nowMs() * 1000;
  }

  /** All parts, in the order of the view; null when there is no such cluster. */
  async changes(clusterId: string, afterRevision: number): Promise<readonly Change[] | null> {
    const view = this.#views.get(clusterId) ?? {
      parts: new Map(),
      generation: -1,
      builtAtMs: 0,
      building: null,
    };
    this.#views.set(clusterId, view);
    if (!(await this.#refresh(clusterId, view))) {
      this.#views.delete(clusterId);
      return null;
    }
    const all = [...view.parts.values()].map((kept) => kept.change);
    return all.filter((change) => change.revision > afterRevision);
  }

  async #refresh(clusterId: string, view: LiveView): Promise<boolean> {
    // A build under way may have read before the last signal: wait for it, then judge again.
    while (view.building !== null) await view.building;
    const generation = this.#cp.signals.generation(clusterTopic(clusterId));
    const ageMs = this.#cp.clock.nowMs() - view.builtAtMs;
    if (generation === view.generation && ageMs >= 0 && ageMs < VIEW_AGE_MS_MAX) return true;
    view.building = this.#build(clusterId, view).finally(() => {
      view.building = null;
    });
    const exists = await view.building;
    view.generation = generation;
    return exists;
  }

  async #build(clusterId: string, view: LiveView): Promise<boolean> {
    const source = await this.#read(clusterId);
    if (source === null) return false;
    const parts = new Map<string, Kept>();
    for (const part of buildParts(source)) {
      const text = JSON.stringify(part);
      const was = view.parts.get(keyOf(part));
      parts.set(keyOf(part), was?.text === text ? was : this.#next(part, text));
    }
    for (const [key, was] of view.parts) {
      if (parts.has(key) || !key.startsWith("module/")) continue;
      const id = key.slice("module/".length);
      // Kept once more, so that a reader who polls now and then learns that it is gone.
      parts.set(key, was.change.part === "removed" ? was : this.#next({ part: "removed", id }, ""));
    }
    view.parts = parts;
    view.builtAtMs = source.nowMs;
    return true;
  }

  #next(part: Part, text: string): Kept {
    this.#revision += 1;
    return { text, change: { ...part, revision: this.#revision } };
  }

  async #read(clusterId: string): Promise<ViewSource | null> {
    const cp = this.#cp;
    const cluster = await cp.clusters.read(EVERYWHERE, clusterId);
    if (cluster === null) return null;
    const [nodes, reports, addresses, wanted, operations] = await Promise.all([
      cp.nodes.list(clusterId),
      cp.reports.list(clusterId),
      cp.addresses.list(clusterId),
      cp.wanted.list(clusterId),
      cp.operations.list(clusterId),
    ]);
    const witness = new Map();
    const lastFailovers = new Map();
    for (const { id } of cluster.value.modules) {
      const record = await this.#arbiter.record(clusterId, id);
      if (record !== null) witness.set(id, record);
      const [last] = await this.#failovers.summaries(clusterId, id);
      if (last !== undefined) lastFailovers.set(id, last);
    }
    const nowMs = cp.clock.nowMs();
    const isShown = (finishedAtMs: number | null) =>
      finishedAtMs === null || nowMs - finishedAtMs < OPERATIONS_SHOWN_MS;
    return {
      cluster: cluster.value,
      nodes: new Map(nodes.map(({ id, value }) => [id, value])),
      reports: new Map(reports.map(({ id, value }) => [id, value])),
      addresses: new Map(addresses.map(({ id, value }) => [id, value])),
      wanted: new Map(wanted.map(({ id, value }) => [id, value.isWanted])),
      operations: operations
        .map(({ value }) => value.operation)
        .filter((operation) => isShown(operation.finishedAtMs))
        .sort((a, b) => b.createdAtMs - a.createdAtMs),
      witness,
      lastFailovers,
      nowMs,
    };
  }

  /** The whole state; null when there is no such cluster. */
  async snapshot(clusterId: string): Promise<ClusterSnapshot | null> {
    // The log first: a later event is then told twice at worst, and never missed.
    const events = await this.#cp.events.newest(clusterId, SNAPSHOT_EVENTS_MAX);
    const { lastSeq } = await this.#cp.events.range(clusterId);
    const changes = await this.changes(clusterId, 0);
    const cluster = changes?.find((change) => change.part === "cluster");
    if (changes === null || cluster === undefined) return null;
    return {
      clusterId,
      storeId: this.#cp.storeId,
      serverTimeMs: this.#cp.clock.nowMs(),
      lastSeq: events.at(-1)?.seq ?? lastSeq,
      revision: revisionOf(changes),
      cluster,
      nodes: changes.filter((change) => change.part === "node"),
      modules: changes.filter((change) => change.part === "module"),
      operations: changes.filter((change) => change.part === "operation"),
      events: [...events],
    };
  }

  /** One line about a cluster: its worst module speaks for it. */
  async summary(clusterId: string): Promise<ClusterSummary | null> {
    const changes = await this.changes(clusterId, 0);
    if (changes === null) return null;
    const nodes = changes.filter((change) => change.part === "node");
    const modules = changes.filter((change) => change.part === "module");
    const counts: Partial<Record<Health, number>> = {};
    for (const { health } of modules) counts[health] = (counts[health] ?? 0) + 1;
    const byRank = (a: { health: Health }, b: { health: Health }) =>
      RANK[a.health] - RANK[b.health];
    const [worst] = [...modules].sort(byRank);
    return {
      id: clusterId,
      health: worst?.health ?? "Unknown",
      why: worst === undefined ? "No module is installed." : `${worst.id}: ${worst.why}`,
      nodes: nodes.length,
      nodesSilent: nodes.filter((node) => node.silent).length,
      modules: counts,
    };
  }
}

/** Worst first. */
const RANK: Readonly<Record<Health, number>> = {
  Down: 0,
  "Failing over": 1,
  Unknown: 2,
  Unprotected: 3,
  Recovering: 4,
  Stopped: 5,
  Protected: 6,
};

/** The newest revision among some changes; what a reader names next time. */
export const revisionOf = (changes: readonly Change[], atLeast = 0): number =>
  changes.reduce((newest, change) => Math.max(newest, change.revision), atLeast);
