/** The facts of a module that its page begins with. Pure. */
import type { ModuleView } from "#model/contract/snapshot.ts";
import type { Tone } from "#model/states/node-state.ts";
import { durationText, listText, momentText } from "./format.ts";
import { holderOf } from "./node-look.ts";

export interface KeyFact {
  readonly label: string;
  readonly text: string;
  /** Drawn as an indicator where it says how good that is. */
  readonly tone?: Tone;
}

/** In the order in which they are read. */
export function keyFacts(module: ModuleView): readonly KeyFact[] {
  const holder = holderOf(module);
  const { witness, configuration } = module;
  const isMirror = configuration.mode === "mirror";
  return [
    { label: "Active on", text: holder?.nodeId ?? "no node" },
    ...(isMirror
      ? [
          { label: "Epoch", text: `${witness?.epoch ?? 0}` },
          { label: "In-sync set", ...inSyncFact(module) },
          { label: "Grant", ...grantFact(module) },
        ]
      : []),
    { label: "Address", ...addressFact(module) },
    ...(isMirror ? [{ label: "Replication", ...replicationFact(module) }] : []),
    ...maintenanceFact(module),
    {
      label: "Configuration",
      text: `version ${configuration.version}${versionsBehind(module)}`,
    },
  ];
}

function maintenanceFact({ maintenance }: ModuleView): readonly KeyFact[] {
  if (maintenance === null) return [];
  const { untilMs, by, reason } = maintenance;
  const why = reason === "" || reason === "-" ? "" : `: ${reason}`;
  const text = `until ${momentText(untilMs)}, by ${by}${why}`;
  return [{ label: "Maintenance", text, tone: "info" }];
}

type Fact = Omit<KeyFact, "label">;

function inSyncFact({ witness, configuration }: ModuleView): Fact {
  const inSync = witness?.inSync ?? [];
  if (inSync.length === 0) return { text: "nobody yet" };
  const isFull = inSync.length >= configuration.nodes.length;
  return { text: listText(inSync), tone: isFull ? "success" : "warning" };
}

/** Who leads, and whose promise that rests on. */
function grantFact(module: ModuleView): Fact {
  const leader = module.nodes.find(
    ({ report, silent }) => !silent && (report?.quorum?.grant ?? null) !== null,
  );
  const grant = leader?.report?.quorum?.grant ?? null;
  if (leader !== undefined && grant !== null) {
    const voters = grant.voters.length === 0 ? "" : `, by the word of ${listText(grant.voters)}`;
    return { text: `${leader.nodeId}${voters}`, tone: "success" };
  }
  const fenced = module.nodes.find(({ report, silent }) => !silent && report?.quorum?.fenced);
  if (fenced !== undefined) return { text: `none: ${fenced.nodeId} is fenced`, tone: "error" };
  return { text: "nobody holds one" };
}

function addressFact({ address, nodes }: ModuleView): Fact {
  const own = nodes.flatMap(({ report }) => report?.vips ?? [])[0]?.address;
  const shown = address.address ?? own ?? "";
  const holder = nodes.find(
    ({ report, silent }) => !silent && report?.vips.some((vip) => vip.present),
  );
  const on = address.wantedNode ?? holder?.nodeId ?? "no node";
  switch (address.state) {
    case "confirmed":
      return { text: `${shown} on ${on}, confirmed`.trim(), tone: "success" };
    case "requested":
      if (on === "no node") return { text: `${shown}: nobody leads`.trim() };
      return { text: `${shown} to ${on}, asked for`.trim(), tone: "progress" };
    case "failed":
      return { text: `${shown}: ${address.text}`, tone: "error" };
    case "unknown":
      return {
        text: `${shown}: not known${address.text === "" ? "" : ` (${address.text})`}`,
        tone: "pending",
      };
    case "none":
      return { text: shown === "" ? "none" : `${shown}, driven by the node` };
  }
}

function replicationFact(module: ModuleView): Fact {
  const facts = module.nodes.filter(({ silent }) => !silent);
  const isCopying = facts.some(({ report }) => report?.replication?.resync != null);
  if (isCopying) return { text: "resynchronising", tone: "progress" };
  const attached = facts.filter(({ report }) => report?.replication?.attached === true);
  if (attached.length === 0) return { text: "not attached", tone: "stopped" };
  const lagMs = Math.max(...attached.map(({ report }) => report?.replication?.lagMs ?? 0));
  return { text: `attached, lag ${durationText(lagMs)}`, tone: "success" };
}

/** Nodes that run another version than the one that is configured. */
function versionsBehind({ nodes, configuration }: ModuleView): string {
  const behind = nodes
    .filter(
      ({ report }) => report !== null && report.configurationVersion !== configuration.version,
    )
    .map(({ nodeId, report }) => `${nodeId} has ${report?.configurationVersion}`);
  return behind.length === 0 ? "" : ` (${listText(behind)})`;
}
