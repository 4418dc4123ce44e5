/**
 * The picture of a failover, from events alone: what was seen, when, by whom, and how long the
 * service was away. Pure, so that console, command line and an export show the same. A change of
 * epoch makes a failover; what belongs to it is found around that moment.
 */
import type { EventRecord } from "#model/contract/events.ts";
import type { FailoverPicture, FailoverSummary } from "#model/contract/failover.ts";
import { buildLanes } from "./failover-lanes.ts";

/** What led to a failover is looked for this long before it, at most back to the one before. */
const BEFORE_MS_MAX = 60_000;
/** A service that has not answered this long after the decision is not waited for in the picture. */
const AFTER_MS_MAX = 10 * 60_000;
const MARKS_MAX = 200;

/** Kinds that have a part in a picture; all others are left out of it. */
export const PICTURE_KINDS: ReadonlySet<string> = new Set([
  "heartbeatLost",
  "peerLost",
  "promotionAsked",
  "voteRefused",
  "epochChanged",
  "inSyncChanged",
  "stateChanged",
  "fenced",
  "thawed",
  "addressMoved",
  "addressRemoved",
  "addressConfirmed",
  "addressFailed",
  "scriptStarted",
  "scriptEnded",
  "serviceUp",
  "serviceDown",
  "resourceChanged",
  "actionTaken",
  "commandAsked",
  "nodeSilent",
  "agentStarted",
]);

type Data = NonNullable<EventRecord["data"]>;
const data = (event: EventRecord): Data => event.data ?? {};
const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
const count = (value: unknown): number => (typeof value === "number" ? value : 0);

/** One change of epoch and the events around it. */
interface Window {
  readonly change: EventRecord;
  readonly before: readonly EventRecord[];
  readonly after: readonly EventRecord[];
}

/** Every failover of a module, newest first. `events` are one cluster's, in order of `seq`. */
export function failoverPictures(
  events: readonly EventRecord[],
  moduleId: string,
): readonly FailoverPicture[] {
  // Events of the nodes themselves (their heartbeats) belong to every module on them.
  const own = events.filter(
    (event) => PICTURE_KINDS.has(event.kind) && (event.moduleId ?? moduleId) === moduleId,
  );
  return windows(own).map(picture).reverse();
}

/** The picture without its drawing. */
export function summaryOf(picture: FailoverPicture): FailoverSummary {
  const { id, module, kind, fromNode, toNode, epochBefore, epochAfter } = picture;
  const { startedAtMs, serviceDownMs } = picture;
  return {
    id,
    module,
    kind,
    fromNode,
    toNode,
    epochBefore,
    epochAfter,
    startedAtMs,
    serviceDownMs,
  };
}

function windows(events: readonly EventRecord[]): readonly Window[] {
  const changes: EventRecord[] = [];
  for (const event of events) {
    if (event.kind !== "epochChanged" || text(data(event)["toNode"]) === null) continue;
    // The pair may decide first and the witness adopt it later: the same epoch told twice.
    const isTold = changes.some((one) => data(one)["epoch"] === data(event)["epoch"]);
    if (!isTold) changes.push(event);
  }
  return changes.map((change, index) => {
    const fromMs = Math.max(change.atMs - BEFORE_MS_MAX, lastMomentOf(changes[index - 1], events));
    const toMs = Math.min(
      change.atMs + AFTER_MS_MAX,
      changes[index + 1]?.atMs ?? Number.POSITIVE_INFINITY,
    );
    const near = events.filter((event) => event.atMs >= fromMs && event.atMs < toMs);
    const byTime = near.sort((a, b) => a.atMs - b.atMs || a.seq - b.seq);
    const place = byTime.indexOf(change);
    return { change, before: byTime.slice(0, place), after: byTime.slice(place + 1) };
  });
}

/** When the failover before was over; its events are not this one's. */
function lastMomentOf(change: EventRecord | undefined, events: readonly EventRecord[]): number {
  if (change === undefined) return 0;
  const up = events.find((event) => event.atMs >= change.atMs && isUp(event, change));
  return (up?.atMs ?? change.atMs) + 1;
}

/** The new primary serves. */
function isUp(event: EventRecord, change: EventRecord): boolean {
  if (event.nodeId !== text(data(change)["toNode"])) return false;
  if (event.kind === "serviceUp") return true;
  const { to, ready } = data(event);
  return event.kind === "stateChanged" && (to === "PRIM" || to === "ALONE") && ready === "Ready";
}

function kindOf(change: EventRecord): FailoverPicture["kind"] {
  const { cause, fromNode } = data(change);
  if (cause === "force") return "forced";
  if (cause === "release") return "switchover";
  return text(fromNode) === null ? "start" : "failover";
}

/** An earlier outage of the same epoch was over when a node said that it serves. */
function sinceServing(before: readonly EventRecord[]): readonly EventRecord[] {
  const isServing = (event: EventRecord) => {
    const { to, ready } = data(event);
    return event.kind === "stateChanged" && (to === "PRIM" || to === "ALONE") && ready === "Ready";
  };
  return before.slice(before.findLastIndex(isServing) + 1);
}

/** The moment from which the service may have been away, and how the others learned of it. */
function startOf({ change, before: all }: Window): { atMs: number; trigger: EventRecord } {
  const kind = kindOf(change);
  const before = sinceServing(all);
  const wanted =
    kind === "switchover"
      ? ["commandAsked", "actionTaken"]
      : ["serviceDown", "actionTaken", "heartbeatLost", "peerLost", "fenced", "nodeSilent"];
  const trigger = before.find((event) => wanted.includes(event.kind)) ?? change;
  const heard = before
    .filter((event) => event.kind === "heartbeatLost" || event.kind === "peerLost")
    .map((event) => data(event)["lastHeardAtMs"])
    .filter((atMs) => typeof atMs === "number")
    .filter((atMs) => atMs > change.atMs - BEFORE_MS_MAX && atMs <= change.atMs);
  if (kind === "switchover") {
    // It serves until the first script that ends it: not what was started before somebody asked.
    const asked = before.slice(Math.max(0, before.indexOf(trigger)));
    const stop = asked.find((event) => event.kind === "scriptStarted");
    return { atMs: (stop ?? trigger).atMs, trigger };
  }
  return { atMs: Math.max(0, Math.min(trigger.atMs, ...heard)), trigger };
}

function picture(window: Window): FailoverPicture {
  const { change, before, after } = window;
  const { epochBefore, epoch, fromNode, toNode, cause } = data(change);
  const { atMs: startedAtMs, trigger } = startOf(window);
  const up = after.find((event) => isUp(event, change));
  const judged = before.findLast((event) => ["peerLost", "promotionAsked"].includes(event.kind));
  const decidedMs = change.atMs;
  const detectedMs = Math.min(Math.max(judged?.atMs ?? startedAtMs, startedAtMs), decidedMs);
  const shown = [...before, change, ...after].filter(
    (event) => event.atMs >= startedAtMs && event.atMs <= (up?.atMs ?? Number.MAX_SAFE_INTEGER),
  );
  const endMs = up?.atMs ?? shown.at(-1)?.atMs ?? decidedMs;
  const module = change.moduleId ?? "unknown";
  const resource = text(data(trigger)["resource"]);
  return {
    id: `${module}-${count(epoch)}`,
    module,
    kind: kindOf(change),
    fromNode: text(fromNode),
    toNode: text(toNode) ?? "",
    epochBefore: count(epochBefore),
    epochAfter: count(epoch),
    trigger: {
      kind: trigger.kind,
      reason: trigger.text,
      ...(resource === null ? {} : { resource }),
    },
    startedAtMs,
    serviceDownMs: up === undefined ? null : Math.max(0, up.atMs - startedAtMs),
    writesAtRisk: cause === "force" ? null : 0,
    phases: [
      { kind: "detect", fromMs: startedAtMs, toMs: detectedMs },
      { kind: "decide", fromMs: detectedMs, toMs: decidedMs },
      { kind: "start", fromMs: decidedMs, toMs: endMs },
    ],
    marks: shown.slice(0, MARKS_MAX).map((event) => ({
      atMs: event.atMs,
      offsetMs: event.atMs - startedAtMs,
      offsetErrMs: event.offsetErrMs,
      node: event.nodeId ?? null,
      kind: event.kind,
      text: event.text,
    })),
    lanes: buildLanes({ before, shown, change, startedAtMs, endMs, isUp: up !== undefined }),
  };
}
