import type { ModuleReport } from "#model/contract/report.ts";
import type { ClusterSnapshot, ModuleOnNode, ModuleView } from "#model/contract/snapshot.ts";
import { HEALTH_LOOKS } from "#model/states/module-health.ts";
import { describeNodeState, type StateLook } from "#model/states/node-state.ts";
import { HEALTH_EXIT } from "./exit.ts";
import { age, plain, table, toned } from "./terminal.ts";

/** The words for a module on one node, from its report. */
function lookOf(report: ModuleReport, isReachable: boolean): StateLook {
  const resync = report.replication?.resync ?? null;
  const percent =
    resync === null || resync.totalBytes === 0
      ? null
      : Math.min(100, (100 * resync.doneBytes) / resync.totalBytes);
  return describeNodeState({
    state: report.state,
    status: report.readiness,
    isFenced: report.quorum?.fenced ?? false,
    isReachable,
    resyncPercent: percent,
  });
}

/** The row of a module on one node: module, node, state, since, epoch, why. */
export function nodeRow(
  moduleId: string,
  { nodeId, report, silent }: Pick<ModuleOnNode, "nodeId" | "report" | "silent">,
  nowMs: number,
): readonly string[] {
  if (report === null) return [moduleId, nodeId, "no report yet", "", "", ""];
  const look = lookOf(report, !silent);
  const epoch = report.quorum === null ? "" : `${report.quorum.epoch}`;
  const state = toned(look.tone, `${look.shape} ${look.word}`);
  return [moduleId, nodeId, state, age(report.sinceMs, nowMs), epoch, plain(report.why)];
}

/** Header of the rows above. */
export const NODE_HEADER = ["MODULE", "NODE", "STATE", "SINCE", "EPOCH", "WHY"] as const;

function moduleRow(module: ModuleView, nowMs: number): readonly string[] {
  const { address } = module;
  const health = toned(HEALTH_LOOKS[module.health].tone, module.health);
  const where = address.state === "none" ? "" : `${address.address ?? ""} ${address.state}`.trim();
  return [module.id, health, age(module.sinceMs, nowMs), where, plain(module.why)];
}

/** A cluster for people: modules with their health and why, then every module on every node. */
export function renderStatus(snapshot: ClusterSnapshot): string {
  const { modules, nodes, serverTimeMs: nowMs, clusterId } = snapshot;
  const silent = nodes.filter((node) => node.silent).map(({ id }) => id);
  const online = `${nodes.length - silent.length} of ${nodes.length} nodes report`;
  const lines = [
    `${clusterId}: ${online}${silent.length > 0 ? `; silent: ${silent.join(", ")}` : ""}`,
  ];
  if (modules.length === 0) {
    return [...lines, "", "No modules. Install one: mirrorfarm module install FILE.safe"].join(
      "\n",
    );
  }
  const rows = modules.map((module) => moduleRow(module, nowMs));
  lines.push("", table(["MODULE", "HEALTH", "SINCE", "ADDRESS", "WHY"], rows));
  const onNodes = modules.flatMap((module) =>
    module.nodes.map((onNode) => nodeRow(module.id, onNode, nowMs)),
  );
  return [...lines, "", table(NODE_HEADER, onNodes)].join("\n");
}

/** `status --exit-code`: how bad the worst module is. A module that a person stopped is no alarm. */
export function healthExit(modules: readonly Pick<ModuleView, "health">[]): number {
  const healths = new Set(modules.map(({ health }) => health));
  if (healths.has("Down") || healths.has("Failing over") || healths.has("Unknown")) {
    return HEALTH_EXIT.down;
  }
  if (healths.has("Unprotected") || healths.has("Recovering")) return HEALTH_EXIT.unprotected;
  return HEALTH_EXIT.protected;
}
