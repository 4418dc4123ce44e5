import type { ModuleView } from "#model/contract/snapshot.ts";
import { lossByOwnWord } from "#model/quorum/possible-loss.ts";
import type { LocalStatus } from "./local-agent.ts";
import { age, plain } from "./terminal.ts";

/** What a forced primary may cost, in numbers as far as they were noted, before it is confirmed. */
export function forceConsequence(view: ModuleView, node: string, nowMs: number): readonly string[] {
  const lines = [`This makes ${node} primary of ${view.id} whatever its data is.`];
  const loss = view.nodes.find(({ nodeId }) => nodeId === node)?.possibleLoss ?? null;
  lines.push(loss === null ? `What ${node} lacks, nobody can tell.` : plain(loss.text));
  if (loss !== null && loss.sinceMs !== null) {
    lines.push(`Up to ${age(loss.sinceMs, nowMs)} of writes may be lost.`);
  }
  for (const other of view.nodes.filter(({ nodeId }) => nodeId !== node)) {
    const { receivedAtMs, nodeId, report } = other;
    const seen = receivedAtMs === null ? "never" : `${age(receivedAtMs, nowMs)} ago`;
    lines.push(`${nodeId} last reported ${seen}${report === null ? "" : `, as ${report.state}`}.`);
  }
  return lines;
}

/** The same on the node itself, which knows its own part only. */
export function localForceConsequence(status: LocalStatus, moduleId: string): readonly string[] {
  const found = status.report.modules.find((one) => one.moduleId === moduleId);
  const quorum = found?.quorum ?? null;
  const own =
    quorum === null
      ? null
      : {
          epoch: quorum.epoch,
          historyId: quorum.copyHistoryId ?? null,
          outdated: quorum.outdated,
          isUnclean: quorum.unclean ?? false,
          isHalfWritten: found?.replication?.halfWritten ?? false,
          outdatedSinceMs: quorum.outdatedSinceMs ?? null,
        };
  return [
    `This makes this node primary of ${moduleId} although it may lack acknowledged writes,`,
    "and although the other node may still be primary: be sure that it is off.",
    own === null ? "What it lacks, nobody can tell." : lossByOwnWord(status.nodeId, own).text,
  ];
}
