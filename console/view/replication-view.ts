/** Replication of a module as words and shares, one entry a node. Pure. */
import type { ReplicationFacts, ReplicationTraffic } from "#model/contract/report.ts";
import type { ModuleOnNode, ModuleView } from "#model/contract/snapshot.ts";
import type { Tone } from "#model/states/node-state.ts";
import { bytesText, durationText, lastingText, listText } from "./format.ts";

export type ReplicationEntry = {
  readonly nodeId: string;
  readonly stream: { readonly text: string; readonly tone: Tone };
  /** Label and text, in the order in which they are read. */
  readonly facts: readonly { readonly label: string; readonly text: string }[];
  /** How long callers waited: share of each bucket, 0..1. Empty when nobody did. */
  readonly waits: readonly {
    readonly label: string;
    readonly share: number;
    readonly count: number;
  }[];
};

/** Nodes that report replication; a silent one is not shown as if it were now. */
export function replicationOf(module: ModuleView, nowMs: number): readonly ReplicationEntry[] {
  return module.nodes.flatMap(({ nodeId, report, silent }: ModuleOnNode) => {
    const replication = report?.replication ?? null;
    if (replication === null || silent) return [];
    const traffic = replication.traffic ?? null;
    const isPrimary = report?.quorum?.primary === nodeId;
    return [
      {
        nodeId,
        stream: streamOf(replication, nowMs),
        facts: [
          ...trafficFacts(traffic),
          ...(isPrimary ? backlogFacts(replication) : []),
          { label: "Directories", text: listText(replication.trees) },
        ],
        waits: waitsOf(traffic),
      },
    ];
  });
}

function streamOf(replication: ReplicationFacts, nowMs: number): ReplicationEntry["stream"] {
  if (replication.resync !== null) return { text: "resynchronising", tone: "progress" };
  if (!replication.attached) {
    return replication.halfWritten === true
      ? { text: "not attached, and this copy is incomplete", tone: "warning" }
      : { text: "not attached", tone: "stopped" };
  }
  const since = replication.attachedSinceMs ?? null;
  const age = since === null ? "" : ` for ${lastingText(since, nowMs)}`;
  return { text: `attached${age}`, tone: "success" };
}

function trafficFacts(traffic: ReplicationTraffic | null): ReplicationEntry["facts"] {
  if (traffic === null) return [];
  const { acknowledgement } = traffic;
  const atMost = (ms: number | null): string => (ms === null ? "over 16 s" : waitText(ms));
  return [
    { label: "Operations", text: `${rateText(traffic.operationsPerSecond)}/s` },
    { label: "Written", text: `${bytesText(traffic.bytesPerSecond)}/s` },
    {
      label: "Waited for the other node",
      text:
        acknowledgement === null
          ? "nobody had to"
          : `half ${atMost(acknowledgement.medianMs)}, 99 % ${atMost(acknowledgement.p99Ms)} at most`,
    },
  ];
}

function backlogFacts(replication: ReplicationFacts): ReplicationEntry["facts"] {
  const { alone } = replication;
  const isAlone = alone !== undefined && alone.changes > 0;
  return [
    { label: "Not yet acknowledged", text: bytesText(replication.backlogBytes) },
    { label: "Oldest of it", text: durationText(replication.lagMs) },
    ...(isAlone
      ? [
          {
            label: "Changed without the other node",
            text: `${alone.changes} times, ${bytesText(alone.bytes)} written`,
          },
        ]
      : []),
  ];
}

function waitsOf(traffic: ReplicationTraffic | null): ReplicationEntry["waits"] {
  const acknowledgement = traffic?.acknowledgement ?? null;
  if (acknowledgement === null) return [];
  return acknowledgement.buckets.map(({ upToMs, count }) => ({
    label: upToMs === null ? "over 16 s" : `up to ${waitText(upToMs)}`,
    share: count / acknowledgement.count,
    count,
  }));
}

/** `0.25 ms`, `32 ms`, `1.0 s`: finer than other durations, as most waits are short. */
const waitText = (ms: number): string =>
  ms < 1 ? `${Number(ms.toFixed(2))} ms` : durationText(ms);

const rateText = (perSecond: number): string =>
  perSecond >= 100 ? `${Math.round(perSecond)}` : `${Number(perSecond.toFixed(1))}`;
