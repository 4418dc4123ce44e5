/**
 * Events: what happened, in one gapless order per cluster. Agents draft them, the control plane
 * gives each a `seq` when it is stored. Everything that a person reads about the past (the failover
 * picture, the timeline, an export) is derived from these records and nothing else.
 */
import * as z from "zod/mini";
import { ClusterName, Count, Id, ModuleName, NodeName, Sentence, UnixMs } from "./common.ts";

/** C critical, E error, U a person's action, S state change, I information, D debugging detail. */
export const Severity = z.enum(["C", "E", "U", "S", "I", "D"]);
export type Severity = z.infer<typeof Severity>;

/**
 * The kinds with a meaning to programs; `data` keys in brackets. Others may be added by an agent
 * (the wire takes any kind), they are then text only.
 */
export const EVENT_KINDS = {
  /** A network to the peer fell silent [peer, network, lastHeardAtMs]. */
  heartbeatLost: "heartbeatLost",
  heartbeatBack: "heartbeatBack",
  /** No network brings heartbeats any more: the peer is judged lost [peer, lastHeardAtMs]. */
  peerLost: "peerLost",
  peerBack: "peerBack",
  /** This node asks the witness to lead [epoch]. */
  promotionAsked: "promotionAsked",
  /** The record of who leads changed [epochBefore, epoch, fromNode, toNode, cause]. */
  epochChanged: "epochChanged",
  /** The in-sync set changed [epoch, inSync as "a,b"]. */
  inSyncChanged: "inSyncChanged",
  /** The witness said no [request, epoch]. */
  voteRefused: "voteRefused",
  /** The module's state on a node [from, to, ready]. */
  stateChanged: "stateChanged",
  /** The node answers nothing until a grant is live again [epoch]. */
  fenced: "fenced",
  thawed: "thawed",
  /** The address is on this node now, and its neighbours were told [address, toNode, epoch]. */
  addressMoved: "addressMoved",
  addressRemoved: "addressRemoved",
  /** The control plane has seen the address where the record wants it [address, toNode, epoch]. */
  addressConfirmed: "addressConfirmed",
  addressFailed: "addressFailed",
  /** A module script [script, exitCode]. */
  scriptStarted: "scriptStarted",
  scriptEnded: "scriptEnded",
  /** The service answers, or no longer does, as a checker sees it [resource]. */
  serviceUp: "serviceUp",
  serviceDown: "serviceDown",
  /** A resource changed [resource, from, to, rule]. */
  resourceChanged: "resourceChanged",
  /** What a checker or a rule made the node do [action, resource, rule]. */
  actionTaken: "actionTaken",
  /** What a checker or a rule would have made the node do, were it not in maintenance [action]. */
  actionHeldBack: "actionHeldBack",
  resyncStarted: "resyncStarted",
  resyncProgressed: "resyncProgressed",
  resyncFinished: "resyncFinished",
  nodeEnrolled: "nodeEnrolled",
  nodeSilent: "nodeSilent",
  nodeBack: "nodeBack",
  agentStarted: "agentStarted",
  configurationChanged: "configurationChanged",
  configurationRemoved: "configurationRemoved",
  commandAsked: "commandAsked",
  commandFinished: "commandFinished",
  controlPlaneStarted: "controlPlaneStarted",
} as const;
export type EventKind = keyof typeof EVENT_KINDS;

/** Flat on purpose: a nested value has no bound, and nobody can draw it. */
const EventData = z
  .record(
    z.string().check(z.regex(/^[A-Za-z][A-Za-z0-9]{0,39}$/)),
    z.union([z.string().check(z.maxLength(500)), z.number(), z.boolean(), z.null()]),
  )
  .check(z.refine((data) => Object.keys(data).length <= 20, "more than 20 keys"));

const Kind = z.string().check(z.regex(/^[a-z][A-Za-z0-9]{0,39}$/));

/** What an agent sends in its report. */
export const EventDraft = z.object({
  /** Unique on this node for ever; a report that is sent again appends nothing twice. */
  id: Id,
  /** The node's wall clock; the control plane corrects it with the report's clock. */
  atMs: UnixMs,
  moduleId: z.optional(ModuleName),
  kind: Kind,
  severity: Severity,
  text: Sentence,
  data: z.optional(EventData),
});
export type EventDraft = z.infer<typeof EventDraft>;

/** An event as it is kept and shown. */
export const EventRecord = z.object({
  seq: z.int().check(z.positive()),
  /** On the control plane's clock. */
  atMs: UnixMs,
  /** Half-width of what the clocks leave unknown: an order finer than this must not be drawn. */
  offsetErrMs: Count,
  clusterId: ClusterName,
  moduleId: z.optional(ModuleName),
  nodeId: z.optional(NodeName),
  kind: Kind,
  severity: Severity,
  text: Sentence,
  /** Who did it: `node:node1`, `witness`, `control-plane`, `person:ann`. */
  actor: z.string().check(z.maxLength(100)),
  data: z.optional(EventData),
});
export type EventRecord = z.infer<typeof EventRecord>;
