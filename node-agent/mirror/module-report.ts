import type { ModuleReport, ReplicationFacts, ReplicationTraffic } from "#model/contract/report.ts";
import type { UnixMs } from "#model/shared/ids.ts";
import { statusOf } from "#model/states/node-state.ts";
import type { EngineMetrics, ResyncProgress } from "../replication/engine.ts";
import type { MirrorModule } from "./mirror-module.ts";

export type ReportInputs = {
  readonly module: MirrorModule;
  readonly moduleId: string;
  readonly nodeId: string;
  readonly now: { readonly bootMs: number; readonly unixMs: number };
  readonly version: number;
  readonly warnings: readonly string[];
  readonly trees: readonly string[];
  readonly sinceMs: UnixMs;
  readonly metrics: EngineMetrics | null;
  readonly resync: ResyncProgress | null;
  readonly traffic: ReplicationTraffic | null;
  readonly isAttached: boolean;
  readonly attachedSinceMs: UnixMs | null;
  /** See replication/incomplete-marker.ts. */
  readonly isHalfWritten: boolean;
  readonly leaseRemainingMs: number | null;
  readonly grantVoters: readonly string[];
};

/** What a wire sentence may hold at most (model/contract/common.ts). */
const SENTENCE_MAX = 500;
const sentence = (text: string): string => text.slice(0, SENTENCE_MAX) || "-";

/** A mirror module on this node, as the control plane is told. */
export function moduleReport(inputs: ReportInputs): ModuleReport {
  const { module } = inputs;
  const { disk } = module;
  const { view } = module.service;
  const readiness = statusOf({
    state: view.state,
    runsScripts: view.runsScripts || view.state !== view.target,
    isResynchronising: view.state === "SECOND" && !module.target.isReady,
    awaitsFirstResults: module.service.checks.awaitsFirstResults,
  });
  const { leaseRemainingMs, grantVoters } = inputs;
  return {
    moduleId: inputs.moduleId,
    mode: "mirror",
    state: view.state,
    readiness: module.isFenced ? "NotReady" : readiness,
    why: sentence(module.why),
    sinceMs: inputs.sinceMs,
    quorum: {
      epoch: disk.epoch,
      primary: disk.primary,
      inSync: [...disk.inSync],
      outdated: disk.outdated,
      grant:
        leaseRemainingMs === null
          ? null
          : { voters: [...grantVoters], remainingMs: Math.max(0, Math.floor(leaseRemainingMs)) },
      fenced: module.isFenced,
      historyId: disk.historyId,
      copyHistoryId: disk.copyHistoryId,
      unclean: disk.isUnclean,
      outdatedSinceMs: disk.outdatedSinceMs,
    },
    replication: replicationFacts(inputs),
    vips: module.service.addresses.map((address) => {
      const held = address.observe()[0] ?? null;
      return {
        address: address.plan.address,
        interface: held?.interfaceName ?? null,
        present: held !== null,
        epoch: disk.epoch,
      };
    }),
    resources: [...module.service.checks.facts()].map((fact) => ({
      ...fact,
      text: sentence(fact.text ?? "-"),
    })),
    configurationVersion: inputs.version,
    maintenance: maintenanceFacts(inputs),
    warnings: inputs.warnings.slice(0, 20).map(sentence),
  };
}

/** By the wall clock of now, which may have been stepped since it began. */
function maintenanceFacts({ module, now }: ReportInputs): ModuleReport["maintenance"] {
  const { maintenance } = module.disk;
  if (maintenance === null || maintenance.isOver) return null;
  const leftMs = maintenance.untilBootMs - now.bootMs;
  // Whole seconds, so that two readings of two clocks do not make a change of it.
  const untilMs = Math.max(0, Math.round((now.unixMs + leftMs) / 1000) * 1000);
  return { untilMs, by: maintenance.by, reason: sentence(maintenance.reason) };
}

function replicationFacts(inputs: ReportInputs): ReplicationFacts {
  const { metrics, resync } = inputs;
  return {
    attached: inputs.isAttached,
    lagMs: Math.max(0, Math.round(metrics?.oldestUnacknowledgedMs ?? 0)),
    backlogBytes: metrics?.bytesUnacknowledged ?? 0,
    traffic: inputs.traffic,
    attachedSinceMs: inputs.attachedSinceMs,
    halfWritten: inputs.isHalfWritten,
    ...(metrics === null || inputs.module.disk.primary !== inputs.nodeId
      ? {}
      : { alone: { changes: metrics.changesAlone, bytes: metrics.bytesAlone } }),
    resync:
      resync === null
        ? null
        : {
            kind: resync.comparison?.kind ?? "full",
            ...(resync.comparison === null ? {} : { why: sentence(resync.comparison.why) }),
            phase: PHASES[resync.phase] ?? "copying",
            doneBytes: Math.min(resync.bytesChecked, resync.bytesTotal),
            totalBytes: resync.bytesTotal,
            bytesPerSecond: Math.round(resync.bytesPerSecond),
          },
    trees: inputs.trees.map(sentence),
  };
}

/** Phases of a resync (node-agent/resync) in the words that people are shown. */
const PHASES: Readonly<Record<string, "comparing" | "copying" | "attaching" | "recording">> = {
  counting: "comparing",
  comparing: "comparing",
  catchingUp: "copying",
  finalPass: "attaching",
  syncing: "attaching",
  finished: "recording",
};
