/**
 * Takes a node's report: the state replaces the one before, the events are appended with times
 * brought to our clock. A node that has not reported for a while is called silent; its last state
 * is shown as such and never as current.
 */

import type { ApiFailure } from "#model/contract/errors.ts";
import { failure } from "#model/contract/errors.ts";
import type { EventDraft } from "#model/contract/events.ts";
import type { NodeReport, NodeReportAnswer } from "#model/contract/report.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { NewEvent } from "./event-book.ts";
import { pendingCommands } from "./operations.ts";
import { EVERYWHERE, type ReportRecord } from "./records.ts";
import { clusterTopic } from "./signals.ts";

/** How often agents report while something moves, and when all is calm. */
const REPORT_BUSY_MS = 1_000;
const REPORT_CALM_MS = 5_000;
/** Three calm reports missed. */
const SILENT_AFTER_MS = 3 * REPORT_CALM_MS;
/** An unmeasured offset contains the request's journey: nothing finer than this can be claimed. */
const UNMEASURED_ERROR_MS = 1_000;

/** Stores a report and paces the next one. */
export async function takeReport(
  cp: ControlPlane,
  clusterId: string,
  nodeId: string,
  { events, ...report }: NodeReport,
): Promise<Result<NodeReportAnswer, ApiFailure>> {
  const cluster = await cp.clusters.read(EVERYWHERE, clusterId);
  if (cluster === null) return err(failure("notFound", `there is no cluster ${clusterId}`));
  const nowMs = cp.clock.nowMs();
  const clock = report.clock ?? {
    offsetMs: nowMs - report.sentAtMs,
    errorMs: UNMEASURED_ERROR_MS,
  };
  const was = await cp.reports.read(clusterId, nodeId);
  const record: ReportRecord = {
    report,
    receivedAtMs: nowMs,
    ...clock,
    silenceTold: false,
  };
  // Reports of one node come one after the other; should two race, either is the truth.
  await cp.reports.write(clusterId, nodeId, was?.version ?? 0, record);
  const drafts = events.map((draft) => fromNode(nodeId, draft, clock, nowMs));
  if (was?.value.silenceTold) drafts.push(back(nodeId, nowMs));
  await cp.events.append(clusterId, drafts);
  cp.signals.notify(clusterTopic(clusterId));
  const commandsWaiting = (await pendingCommands(cp, clusterId, nodeId)).length;
  const isCalm = report.modules.every((module) => module.readiness === "Ready");
  return ok({
    serverTimeMs: nowMs,
    nextReportMs: isCalm && commandsWaiting === 0 ? REPORT_CALM_MS : REPORT_BUSY_MS,
    configurationVersion: cluster.value.version,
    commandsWaiting,
  });
}

function fromNode(
  nodeId: string,
  { id, ...draft }: EventDraft,
  clock: { offsetMs: number; errorMs: number },
  nowMs: number,
): NewEvent {
  // Nothing happened after we heard of it, whatever the node's clock says.
  const atMs = Math.max(0, Math.min(draft.atMs + clock.offsetMs, nowMs));
  const actor = `node:${nodeId}`;
  const dedupeKey = `${nodeId}/${id}`;
  return { ...draft, atMs, offsetErrMs: clock.errorMs, nodeId, actor, dedupeKey };
}

const back = (nodeId: string, atMs: number): NewEvent => ({
  atMs,
  offsetErrMs: 0,
  nodeId,
  kind: "nodeBack",
  severity: "I",
  text: `${nodeId} reports again`,
  actor: "control-plane",
});

/** True once the report is too old to be shown as current. */
export const isSilent = (receivedAtMs: number, nowMs: number): boolean =>
  nowMs - receivedAtMs > SILENT_AFTER_MS;

/** Tells once of each node that fell silent. Part of the sweep. */
export async function tellSilences(cp: ControlPlane, clusterId: string): Promise<void> {
  for (const { id, version, value } of await cp.reports.list(clusterId)) {
    if (value.silenceTold || !isSilent(value.receivedAtMs, cp.clock.nowMs())) continue;
    const isOurs = await cp.reports.write(clusterId, id, version, { ...value, silenceTold: true });
    if (!isOurs) continue;
    const seconds = Math.round((cp.clock.nowMs() - value.receivedAtMs) / 1000);
    await cp.events.tell(clusterId, {
      kind: "nodeSilent",
      severity: "E",
      nodeId: id,
      text: `${id} has not reported for ${seconds} s`,
    });
  }
}
