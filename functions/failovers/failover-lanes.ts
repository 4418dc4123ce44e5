/** The lanes under a failover's axis: each node's role, the service, the address, the epoch. */
import type { EventRecord } from "#model/contract/events.ts";
import type { FailoverPicture } from "#model/contract/failover.ts";

type Lane = FailoverPicture["lanes"][number];
type Span = Lane["spans"][number];
const SPANS_MAX = 100;

export interface LaneSource {
  readonly before: readonly EventRecord[];
  readonly shown: readonly EventRecord[];
  readonly change: EventRecord;
  readonly startedAtMs: number;
  readonly endMs: number;
  readonly isUp: boolean;
}

/** A moment at which a lane takes another look. */
interface Turn {
  readonly atMs: number;
  readonly state: string;
  readonly tone: Span["tone"];
}

/** All lanes, nodes first. */
export function buildLanes(source: LaneSource): Lane[] {
  const { change, startedAtMs, endMs, isUp } = source;
  const fromNode = String(change.data?.["fromNode"] ?? "");
  const toNode = String(change.data?.["toNode"] ?? "");
  const service: Turn[] = [{ atMs: startedAtMs, state: "down", tone: "bad" }];
  if (isUp) service.push({ atMs: endMs, state: "up", tone: "good" });
  const epochs: Turn[] = [
    { atMs: startedAtMs, state: `epoch ${change.data?.["epochBefore"] ?? "?"}`, tone: "idle" },
    { atMs: change.atMs, state: `epoch ${change.data?.["epoch"] ?? "?"}`, tone: "good" },
  ];
  const nodes = [fromNode, toNode].filter((node) => node !== "");
  return [
    ...[...new Set(nodes)].map((node) => lane(node, nodeTurns(source, node), source)),
    lane("service", service, source),
    lane("address", addressTurns(source, fromNode), source),
    lane("witness", epochs, source),
  ];
}

function nodeTurns({ before, shown, startedAtMs, change }: LaneSource, node: string): Turn[] {
  const wasPrimary = node === change.data?.["fromNode"];
  const known = before.findLast(
    (event) => event.nodeId === node && event.kind === "stateChanged" && event.atMs < startedAtMs,
  );
  const first = String(known?.data?.["to"] ?? (wasPrimary ? "PRIM" : "SECOND"));
  const turns: Turn[] = [{ atMs: startedAtMs, state: first, tone: toneOf(first, true) }];
  for (const event of shown) {
    if (event.kind === "peerLost" && event.data?.["peer"] === node) {
      turns.push({ atMs: event.atMs, state: "unreachable", tone: "bad" });
    }
    if (event.nodeId !== node) continue;
    if (event.kind === "fenced") turns.push({ atMs: event.atMs, state: "fenced", tone: "bad" });
    if (event.kind !== "stateChanged") continue;
    const state = String(event.data?.["to"] ?? "?");
    turns.push({ atMs: event.atMs, state, tone: toneOf(state, event.data?.["ready"] === "Ready") });
  }
  return turns;
}

function addressTurns({ shown, startedAtMs }: LaneSource, fromNode: string): Turn[] {
  const turns: Turn[] = [{ atMs: startedAtMs, state: fromNode || "nowhere", tone: "idle" }];
  for (const event of shown) {
    const to = String(event.data?.["toNode"] ?? event.nodeId ?? "?");
    if (event.kind === "addressMoved") turns.push({ atMs: event.atMs, state: to, tone: "busy" });
    if (event.kind === "addressConfirmed") {
      turns.push({ atMs: event.atMs, state: `${to} confirmed`, tone: "good" });
    }
    if (event.kind === "addressFailed") {
      turns.push({ atMs: event.atMs, state: "failed", tone: "bad" });
    }
  }
  return turns;
}

function toneOf(state: string, isReady: boolean): Span["tone"] {
  if (state === "STOP") return "idle";
  if (state === "WAIT") return "warning";
  if (!isReady) return "busy";
  return state === "ALONE" ? "warning" : "good";
}

/** Turns to spans: each lasts until the next, the last to the end of the picture. */
function lane(id: string, turns: readonly Turn[], { endMs }: LaneSource): Lane {
  const spans = turns.map(({ atMs, state, tone }, index): Span => {
    const toMs = Math.max(atMs, turns[index + 1]?.atMs ?? endMs);
    return { fromMs: atMs, toMs, state, tone };
  });
  return { id, spans: spans.slice(0, SPANS_MAX) };
}
