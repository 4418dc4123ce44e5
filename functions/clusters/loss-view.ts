/**
 * What forcing a node may lose, from what the control plane has been told: the witness's row and
 * the last reports, with all times brought to the control plane's clock.
 */
import type { WitnessRow } from "#model/contract/votes.ts";
import { type PossibleLoss, possibleLoss } from "#model/quorum/possible-loss.ts";
import type { ReportRecord } from "./records.ts";
import { isSilent } from "./reports.ts";

export function lossOf(
  moduleId: string,
  nodeId: string,
  row: WitnessRow | null,
  reports: ReadonlyMap<string, ReportRecord>,
  nowMs: number,
): PossibleLoss {
  const told = [...reports].flatMap(([id, record]) => {
    const module = record.report.modules.find((one) => one.moduleId === moduleId);
    return module === undefined ? [] : [{ nodeId: id, record, module }];
  });
  const own = told.find((one) => one.nodeId === nodeId);
  const quorum = own?.module.quorum ?? null;
  const outdatedAtMs = quorum?.outdatedSinceMs ?? null;
  const leftAtMs = row?.leavers?.find((one) => one.nodeId === nodeId)?.atMs ?? null;
  return possibleLoss({
    node: nodeId,
    record:
      row === null || row.isRecovering || row.primary === null
        ? null
        : { inSync: row.inSync, historyId: row.historyId, leftAtMs },
    own:
      own === undefined || quorum === null
        ? null
        : {
            epoch: quorum.epoch,
            historyId: quorum.copyHistoryId ?? null,
            outdated: quorum.outdated,
            saidAtMs: own.record.receivedAtMs,
            isSilent: isSilent(own.record.receivedAtMs, nowMs),
            isUnclean: quorum.unclean ?? false,
            isHalfWritten: own.module.replication?.halfWritten ?? false,
            outdatedSinceMs: outdatedAtMs === null ? null : outdatedAtMs + own.record.offsetMs,
          },
    alone: told.flatMap((one) => {
      const alone = one.module.replication?.alone;
      if (one.nodeId === nodeId || alone === undefined) return [];
      return [{ nodeId: one.nodeId, ...alone, asOfMs: one.record.receivedAtMs }];
    }),
  });
}
