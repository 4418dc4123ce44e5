/**
 * What people see, made from records by pure functions: nothing here is stored, so the page can
 * never disagree with what the cluster is. Health and its sentence come from model/states, where
 * the command line and the agents take them from too.
 */
import type { Operation } from "#model/contract/commands.ts";
import type { ModuleEntry } from "#model/contract/configuration.ts";
import type { FailoverSummary } from "#model/contract/failover.ts";
import type { MaintenanceFacts } from "#model/contract/report.ts";
import type { AddressView, Change, ModuleOnNode, ModuleView } from "#model/contract/snapshot.ts";
import type { WitnessRow } from "#model/contract/votes.ts";
import { utcText } from "#model/shared/utc-text.ts";
import { moduleHealth, type NodeInModule } from "#model/states/module-health.ts";
import { lossOf } from "./loss-view.ts";
import { maintenanceOf } from "./maintenance-view.ts";
import type { ClusterRecord, NodeRecord, ReportRecord } from "./records.ts";
import { isSilent } from "./reports.ts";

/** All that a cluster's view is made of, as of one moment. */
export interface ViewSource {
  readonly cluster: ClusterRecord;
  readonly nodes: ReadonlyMap<string, NodeRecord>;
  readonly reports: ReadonlyMap<string, ReportRecord>;
  readonly witness: ReadonlyMap<string, WitnessRow>;
  readonly addresses: ReadonlyMap<string, AddressView>;
  readonly wanted: ReadonlyMap<string, boolean>;
  readonly operations: readonly Operation[];
  readonly lastFailovers: ReadonlyMap<string, FailoverSummary>;
  readonly nowMs: number;
}
/** `Omit` that keeps a union a union. */
type WithoutRevision<T> = T extends unknown ? Omit<T, "revision"> : never;
export type Part = WithoutRevision<Change>;

/** Every part of the view, in a stable order. */
export function buildParts(source: ViewSource): readonly Part[] {
  const { settings, version, modules } = source.cluster;
  return [
    { part: "cluster", version, settings },
    ...settings.nodes.map((node): Part => nodePart(source, node.id, node.addresses)),
    ...modules.map((module): Part => ({ part: "module", ...modulePart(source, module) })),
    ...source.operations.map((operation): Part => ({ part: "operation", operation })),
  ];
}

/** What tells one part from another; a newer part with the same key replaces it. */
export function keyOf(part: Part): string {
  if (part.part === "cluster") return "cluster";
  if (part.part === "operation") return `operation/${part.operation.id}`;
  if (part.part === "removed") return `module/${part.id}`;
  return `${part.part}/${part.id}`;
}

function nodePart(source: ViewSource, id: string, addresses: Record<string, string>): Part {
  const identity = source.nodes.get(id);
  const report = source.reports.get(id);
  return {
    part: "node",
    id,
    addresses,
    enrolled: identity !== undefined,
    certificateEndsAtMs: identity?.certificateEndsAtMs ?? null,
    agentVersion: report?.report.agentVersion ?? null,
    bootId: report?.report.bootId ?? null,
    instanceId: report?.report.instanceId ?? null,
    lastReportAtMs: report?.receivedAtMs ?? null,
    silent: report === undefined || isSilent(report.receivedAtMs, source.nowMs),
    clockOffsetMs: report?.offsetMs ?? null,
    links: report?.report.links ?? [],
    warnings: report?.report.warnings ?? [],
  };
}

function modulePart(
  source: ViewSource,
  configuration: ModuleEntry,
): Omit<ModuleView, "revision" | "part"> {
  const nodes = configuration.nodes.map((nodeId) => onNode(source, configuration, nodeId));
  const maintenance = maintenanceOf(configuration.id, source.reports, source.nowMs);
  const witness = source.witness.get(configuration.id) ?? null;
  const { health, why } = moduleHealth({
    kind: configuration.mode,
    nodes: nodes.flatMap((node) => (node.report === null ? [] : [asNodeInModule(node)])),
    inSync: witness?.inSync ?? null,
    primary: witness?.primary ?? null,
    isWanted: isWanted(source, configuration.id, nodes),
    isTakeoverUnderWay: isTakeoverUnderWay(witness, nodes),
  });
  const since = nodes.map((node) => sinceMs(source, node));
  return {
    id: configuration.id,
    configuration,
    health,
    why: maintenance === null ? why : `${why} ${maintenanceText(maintenance)}`,
    sinceMs: Math.max(configuration.uploadedAtMs, ...since),
    witness:
      witness === null
        ? null
        : {
            epoch: witness.epoch,
            primary: witness.primary,
            inSync: [...witness.inSync],
            grant: witness.grant,
          },
    address: source.addresses.get(configuration.id) ?? NO_ADDRESS,
    nodes,
    lastFailover: source.lastFailovers.get(configuration.id) ?? null,
    maintenance,
  };
}

const NO_ADDRESS: AddressView = {
  driver: "none",
  address: null,
  wantedNode: null,
  epoch: 0,
  state: "none",
  text: "",
  sinceMs: 0,
};

const maintenanceText = ({ untilMs, by }: MaintenanceFacts): string =>
  `In maintenance until ${utcText(untilMs)}, by ${by}: no automatic action.`;

function onNode(
  source: ViewSource,
  { id: moduleId, mode }: ModuleEntry,
  nodeId: string,
): ModuleOnNode {
  const record = source.reports.get(nodeId);
  const report = record?.report.modules.find((module) => module.moduleId === moduleId) ?? null;
  return {
    nodeId,
    report,
    receivedAtMs: record?.receivedAtMs ?? null,
    silent: record === undefined || isSilent(record.receivedAtMs, source.nowMs),
    possibleLoss:
      mode === "mirror"
        ? lossOf(
            moduleId,
            nodeId,
            source.witness.get(moduleId) ?? null,
            source.reports,
            source.nowMs,
          )
        : null,
  };
}

function asNodeInModule({ nodeId, report, silent }: ModuleOnNode): NodeInModule {
  const resync = report?.replication?.resync ?? null;
  return {
    nodeId,
    state: report?.state ?? "STOP",
    status: report?.readiness ?? "NotReady",
    isFenced: report?.quorum?.fenced ?? false,
    isReachable: report !== null && !silent,
    resyncPercent: resync === null ? null : percent(resync.doneBytes, resync.totalBytes),
    reason: report?.why ?? "",
  };
}

const percent = (done: number, total: number): number =>
  total === 0 ? 100 : Math.min(100, (100 * done) / total);

/** Nobody said anything yet: then what runs is wanted. */
function isWanted(source: ViewSource, moduleId: string, nodes: readonly ModuleOnNode[]): boolean {
  const said = source.wanted.get(moduleId);
  if (said !== undefined) return said;
  return nodes.some(({ report }) => report !== null && report.state !== "STOP");
}

/** The record names a primary that does not yet say that it leads under that epoch. */
function isTakeoverUnderWay(witness: WitnessRow | null, nodes: readonly ModuleOnNode[]): boolean {
  if (witness === null || witness.primary === null) return false;
  const chosen = nodes.find((node) => node.nodeId === witness.primary);
  if (chosen === undefined || chosen.silent || chosen.report === null) return false;
  const { state, readiness, quorum } = chosen.report;
  if (state === "STOP" || quorum?.fenced === true) return false;
  const leads = (state === "PRIM" || state === "ALONE") && readiness === "Ready";
  return !leads || quorum === null || quorum.epoch < witness.epoch;
}

function sinceMs(source: ViewSource, { nodeId, report }: ModuleOnNode): number {
  const offsetMs = source.reports.get(nodeId)?.offsetMs ?? 0;
  return report === null ? 0 : Math.max(0, report.sinceMs + offsetMs);
}
