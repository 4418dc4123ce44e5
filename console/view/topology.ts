/** What the topology picture says, before anyone draws it. Pure. */
import type { ModuleOnNode, ModuleView } from "#model/contract/snapshot.ts";
import type { Tone } from "#model/states/node-state.ts";
import { bytesText, durationText } from "./format.ts";
import { lookOf, resyncPercent } from "./node-look.ts";

export interface TopologyNode {
  readonly id: string;
  readonly shape: string;
  readonly word: string;
  readonly tone: Tone;
  /** The address that clients use, on the node that has it now. */
  readonly address: string | null;
  /** The same in words; of a stale picture what was known last. */
  readonly addressText: string;
  /** False: drawn dotted, as its votes do not reach the witness. */
  readonly reachesWitness: boolean;
}
export interface TopologyLink {
  readonly kind: "inSync" | "resync" | "broken" | "unknown";
  /** Two short lines at most. */
  readonly label: readonly string[];
  /** Copying goes from this node to the other one; null when nothing is copied. */
  readonly from: string | null;
}
export interface Topology {
  readonly nodes: readonly TopologyNode[];
  /** Null for a module without replication. */
  readonly link: TopologyLink | null;
  /** Null for a module without a witness. */
  readonly witness: { readonly label: string } | null;
  /** All of it in words, for those who do not see it. */
  readonly title: string;
}

/** `isStale`: shown as it was, and nothing in it claims to be so now. */
export function topologyOf(module: ModuleView, isStale: boolean): Topology {
  const isMirror = module.configuration.mode === "mirror";
  const nodes = module.nodes.map((node) => topologyNode(module, node, isStale));
  const link = isMirror && module.nodes.length === 2 ? linkOf(module, isStale) : null;
  const holder = nodes.find((node) => node.address !== null);
  const states = nodes.map((node) => `${node.id}: ${node.word}`).join("; ");
  const sentences = [
    isStale ? "As it was when the control plane was last heard." : "",
    module.why,
    `${states}.`,
    holder === undefined ? "" : `Address ${holder.address} is on ${holder.id}.`,
    link === null ? "" : `Replication: ${link.label.join(", ")}.`,
  ];
  return {
    nodes,
    link,
    witness: isMirror ? { label: witnessLabel(module) } : null,
    title: sentences.filter((sentence) => sentence !== "").join(" "),
  };
}

const witnessLabel = ({ witness }: ModuleView): string =>
  witness === null ? "no record yet" : `epoch ${witness.epoch}`;

function topologyNode(module: ModuleView, node: ModuleOnNode, isStale: boolean): TopologyNode {
  const { shape, word, tone } = lookOf(node);
  const address = addressOn(module, node);
  return {
    id: node.nodeId,
    shape,
    word: isStale ? `was ${word}` : word,
    tone: isStale ? "pending" : tone,
    address: isStale ? null : address,
    addressText: address === null ? "no address" : `${isStale ? "had" : "address"} ${address}`,
    reachesWitness: !node.silent && !isStale,
  };
}

/** The kernel of the node says it where it can; else the control plane's driver does. */
function addressOn(module: ModuleView, node: ModuleOnNode): string | null {
  const own = node.report?.vips.find((vip) => vip.present)?.address;
  if (own !== undefined && !node.silent) return own;
  const { address, wantedNode, state } = module.address;
  const isDriven = state === "confirmed" && (node.report?.vips.length ?? 0) === 0;
  return isDriven && wantedNode === node.nodeId ? address : null;
}

function linkOf(module: ModuleView, isStale: boolean): TopologyLink {
  if (isStale) return { kind: "unknown", label: ["not known"], from: null };
  const target = module.nodes.find(({ report, silent }) => {
    return !silent && report?.replication?.resync != null;
  });
  if (target !== undefined) {
    const resync = target.report?.replication?.resync ?? null;
    const from = module.nodes.find(({ nodeId }) => nodeId !== target.nodeId)?.nodeId ?? null;
    return { kind: "resync", label: resyncLabel(resync), from };
  }
  const facts = module.nodes.filter((node) => !node.silent);
  const inSync = module.witness?.inSync ?? [];
  const isAttached = facts.some(({ report }) => report?.replication?.attached === true);
  if (isAttached && inSync.length >= 2) {
    const lags = facts.map(({ report }) => report?.replication?.lagMs ?? 0);
    return {
      kind: "inSync",
      label: ["in sync", `lag ${durationText(Math.max(...lags))}`],
      from: null,
    };
  }
  if (isAttached) return { kind: "resync", label: ["joining"], from: null };
  const isRunning = facts.some(({ report }) => report !== null && report.state !== "STOP");
  if (!isRunning || module.witness === null || module.witness.epoch === 0) {
    return { kind: "unknown", label: ["not running"], from: null };
  }
  return { kind: "broken", label: ["no replication"], from: null };
}

type Resync = NonNullable<
  NonNullable<NonNullable<ModuleOnNode["report"]>["replication"]>["resync"]
>;

const WAITS_FOR: Readonly<Partial<Record<Resync["phase"], string>>> = {
  attaching: "attaching the live stream",
  recording: "recording as in sync",
};

function resyncLabel(resync: Resync | null): readonly string[] {
  if (resync === null) return ["resync"];
  const percent = `resync ${Math.floor(resyncPercent(resync) ?? 0)} %`;
  const waits = WAITS_FOR[resync.phase];
  if (waits !== undefined) return [percent, waits];
  if (resync.bytesPerSecond === 0) return [percent, resync.phase];
  const leftMs = (1_000 * (resync.totalBytes - resync.doneBytes)) / resync.bytesPerSecond;
  return [percent, `${bytesText(resync.bytesPerSecond)}/s, ${durationText(leftMs)} left`];
}
