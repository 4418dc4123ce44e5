import { assert } from "../shared/assert.ts";
import type { ModuleId, NodeId } from "../shared/ids.ts";
import type { PairDecision } from "./pair.ts";
import type { NodeReport, WitnessRecord } from "./record.ts";
import { canDecideWithoutWitness } from "./voters.ts";
import type { ReportRequest, WitnessSettings } from "./votes.ts";

/**
 * A witness that lost its memory, or was put back to an old one, must not guess: what it promised
 * since is known to the data nodes alone. So it promotes nobody until *every* data node has told
 * it what its disk says (or a person forces a primary), and rebuilds the record from that.
 */

/** Before the first primary. */
export const freshRecord = (moduleId: ModuleId, storeId: string): WitnessRecord => ({
  moduleId,
  storeId,
  version: 0,
  epoch: 0,
  historyId: null,
  primary: null,
  inSync: [],
  grant: null,
  requests: [],
  isRecovering: false,
  reports: [],
});

/** A record written by another incarnation of the store is a backup: only a hint from then on. */
export function openRecord(stored: WitnessRecord, storeId: string): WitnessRecord {
  if (stored.storeId === storeId) return stored;
  return { ...stored, storeId, isRecovering: true, grant: null, requests: [], reports: [] };
}

/** What both data nodes signed counts more than a record that is behind it. */
export function adoptDecision(
  record: WitnessRecord,
  shown: PairDecision | null,
  nodes: readonly NodeId[],
): WitnessRecord {
  if (shown === null || shown.terms.epoch <= record.epoch) return record;
  if (!canDecideWithoutWitness(nodes)) return record;
  const { epoch, primary, inSync, historyId } = shown.terms;
  // A grant for an older epoch died with it: its holder, being one of the two, signed that away.
  return { ...record, epoch, primary, inSync, historyId, grant: null };
}

/** Keeps the report; with the last one missing, rebuilds the record. Does not raise the version. */
export function takeReport(
  was: WitnessRecord | null,
  ask: ReportRequest,
  settings: WitnessSettings,
): { readonly record: WitnessRecord; readonly reason: string } {
  if (was !== null && !was.isRecovering) {
    const record = adoptDecision(was, ask.pairDecision, settings.nodes);
    return { record, reason: "the record is known" };
  }
  const hint = was ?? { ...freshRecord(ask.moduleId, settings.storeId), isRecovering: true };
  const others = hint.reports.filter((r) => r.nodeId !== ask.nodeId);
  const reports = [...others, { nodeId: ask.nodeId, disk: ask.disk }].sort((a, b) =>
    a.nodeId < b.nodeId ? -1 : 1,
  );
  const gathered = { ...adoptDecision(hint, ask.pairDecision, settings.nodes), reports };
  const missing = settings.nodes.filter((n) => !reports.some((r) => r.nodeId === n));
  if (missing.length > 0) {
    return { record: gathered, reason: `waiting for the report of ${missing.join(", ")}` };
  }
  return rebuild(gathered);
}

/**
 * The highest epoch decides; within it the disk of that epoch's primary decides about the set, as
 * only the primary may change it. Where that disk does not know the epoch (it asked and never
 * acted, or was lost), nobody but that primary may continue.
 */
function rebuild(gathered: WitnessRecord) {
  const top = Math.max(gathered.epoch, ...gathered.reports.map((r) => r.disk.epoch));
  const atTop = gathered.reports.filter((r) => r.disk.epoch === top);
  const histories = new Set(atTop.map((r) => r.disk.historyId));
  if (histories.size > 1) {
    const reason = "two nodes report the same epoch of two histories: a person must choose";
    return { record: gathered, reason };
  }
  const known = atTop[0]?.disk ?? gathered;
  if (top === 0 || known.primary === null) {
    const reason = "no node has ever led: a person names the good copy";
    return { record: { ...gathered, reports: gathered.reports }, reason };
  }
  const { primary, historyId } = known;
  const inSync = rebuildSet(atTop, gathered, primary, top);
  assert(inSync.includes(primary), "a rebuilt set holds its primary");
  const record = {
    ...gathered,
    epoch: top,
    primary,
    historyId,
    inSync,
    isRecovering: false,
    reports: [],
  };
  return { record, reason: `rebuilt from every node's disk at epoch ${top}` };
}

function rebuildSet(
  atTop: readonly NodeReport[],
  gathered: WitnessRecord,
  primary: string,
  top: number,
): readonly string[] {
  const own = atTop.find((r) => r.nodeId === primary)?.disk;
  if (own === undefined) return [primary];
  const isOutdated = (n: string) =>
    gathered.reports.some((r) => r.nodeId === n && (r.disk.outdated || r.disk.epoch < top));
  return own.inSync.filter((n) => n === primary || !isOutdated(n));
}
