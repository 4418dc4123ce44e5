/**
 * A cluster as people see it: one small state, and how it changes. `events` carry the gapless
 * `seq`; the other parts are level-triggered (the latest one is the truth) and carry a `revision`
 * instead, so that lag figures that change each second do not fill the event log. A client keeps
 * the last `seq` and the last `revision` it saw, and one reducer for stream and poll.
 */
import * as z from "zod/mini";
import { HEALTHS } from "../states/module-health.ts";
import { Operation, Role } from "./commands.ts";
import {
  Address,
  ClusterName,
  Count,
  Epoch,
  Id,
  InSync,
  MODULES_MAX,
  ModuleName,
  NODES_MAX,
  NodeName,
  Sentence,
  UnixMs,
  Word,
} from "./common.ts";
import { ClusterSettings, ModuleEntry } from "./configuration.ts";
import { EventRecord } from "./events.ts";
import { FailoverSummary } from "./failover.ts";
import { HeartbeatLink, MaintenanceFacts, ModuleReport } from "./report.ts";

export const Health = z.enum(HEALTHS);
export type Health = z.infer<typeof Health>;

/** The witness's record, as far as people need it. */
export const WitnessView = z.object({
  epoch: Epoch,
  primary: z.nullable(NodeName),
  inSync: InSync,
  grant: z.nullable(z.object({ holder: NodeName, epoch: Epoch, expiresAtMs: UnixMs })),
});
export type WitnessView = z.infer<typeof WitnessView>;

/** Where the address is, as the reconciler knows it. */
export const AddressView = z.object({
  driver: Word,
  address: z.nullable(Address),
  wantedNode: z.nullable(NodeName),
  epoch: Epoch,
  state: z.enum(["none", "requested", "confirmed", "failed", "unknown"]),
  text: Sentence,
  sinceMs: UnixMs,
});
export type AddressView = z.infer<typeof AddressView>;

/** What making this node primary by force may lose; never an estimate. */
export const PossibleLoss = z.object({
  kind: z.enum(["none", "since", "unknown"]),
  /** It may lack what was acknowledged after this. */
  sinceMs: z.nullable(UnixMs),
  /** What another node had changed alone since then, as of its report at `asOfMs`. */
  changes: z.nullable(Count),
  bytes: z.nullable(Count),
  asOfMs: z.nullable(UnixMs),
  text: Sentence,
});

/** A module on one node: its last report and how old that is. */
export const ModuleOnNode = z.object({
  nodeId: NodeName,
  /** Null before the first report. */
  report: z.nullable(ModuleReport),
  receivedAtMs: z.nullable(UnixMs),
  /** True when reports have stopped: the last known state is shown, but never as current. */
  silent: z.boolean(),
  /** Mirrors only. */
  possibleLoss: z.nullable(PossibleLoss),
});
export type ModuleOnNode = z.infer<typeof ModuleOnNode>;

export const ModuleView = z.object({
  part: z.literal("module"),
  revision: Count,
  id: ModuleName,
  configuration: ModuleEntry,
  health: Health,
  /** One sentence: is it up, is it protected, and if not, why. */
  why: Sentence,
  sinceMs: UnixMs,
  witness: z.nullable(WitnessView),
  address: AddressView,
  nodes: z.array(ModuleOnNode).check(z.maxLength(NODES_MAX)),
  lastFailover: z.nullable(FailoverSummary),
  /** Until when nothing is done by itself, on the control plane's clock; null: not in maintenance. */
  maintenance: z.nullable(MaintenanceFacts),
});
export type ModuleView = z.infer<typeof ModuleView>;

export const NodeView = z.object({
  part: z.literal("node"),
  revision: Count,
  id: NodeName,
  addresses: z.record(Word, Address),
  enrolled: z.boolean(),
  certificateEndsAtMs: z.nullable(UnixMs),
  agentVersion: z.nullable(Word),
  bootId: z.nullable(Id),
  instanceId: z.nullable(Id),
  lastReportAtMs: z.nullable(UnixMs),
  silent: z.boolean(),
  clockOffsetMs: z.nullable(z.int()),
  links: z.array(HeartbeatLink),
  warnings: z.array(Sentence),
});
export type NodeView = z.infer<typeof NodeView>;

export const OperationView = z.object({
  part: z.literal("operation"),
  revision: Count,
  operation: Operation,
});
export type OperationView = z.infer<typeof OperationView>;

/** A module that is gone. */
export const RemovedView = z.object({
  part: z.literal("removed"),
  revision: Count,
  id: ModuleName,
});

/** The cluster's own settings. */
export const ClusterView = z.object({
  part: z.literal("cluster"),
  revision: Count,
  version: Count,
  settings: ClusterSettings,
});
export type ClusterView = z.infer<typeof ClusterView>;

/** One changed part: replaces the part of the same kind and id. */
export const Change = z.discriminatedUnion("part", [
  ClusterView,
  ModuleView,
  NodeView,
  OperationView,
  RemovedView,
]);
export type Change = z.infer<typeof Change>;

export const ClusterSnapshot = z.object({
  clusterId: ClusterName,
  storeId: Id,
  serverTimeMs: UnixMs,
  /** The newest event that this state already contains. */
  lastSeq: Count,
  revision: Count,
  cluster: ClusterView,
  nodes: z.array(NodeView).check(z.maxLength(NODES_MAX)),
  modules: z.array(ModuleView).check(z.maxLength(MODULES_MAX)),
  operations: z.array(OperationView),
  /** The newest events, oldest first. */
  events: z.array(EventRecord).check(z.maxLength(100)),
});
export type ClusterSnapshot = z.infer<typeof ClusterSnapshot>;

export const ChangesQuery = z.object({
  after: z.optional(z.coerce.number().check(z.minimum(0), z.maximum(Number.MAX_SAFE_INTEGER))),
  revision: z.optional(z.coerce.number().check(z.minimum(0), z.maximum(Number.MAX_SAFE_INTEGER))),
});
/** The same records as the stream. `snapshot` replaces them when `after` is too old or foreign. */
export const Changes = z.object({
  storeId: Id,
  serverTimeMs: UnixMs,
  lastSeq: Count,
  revision: Count,
  snapshot: z.nullable(ClusterSnapshot),
  events: z.array(EventRecord),
  changes: z.array(Change),
});
export type Changes = z.infer<typeof Changes>;

export const ClusterSummary = z.object({
  id: ClusterName,
  health: Health,
  why: Sentence,
  nodes: Count,
  nodesSilent: Count,
  /** How many modules have which health; a health that none has is left out. */
  modules: z.partialRecord(Health, Count),
});
export type ClusterSummary = z.infer<typeof ClusterSummary>;

export const Clusters = z.object({ clusters: z.array(ClusterSummary) });
export type Clusters = z.infer<typeof Clusters>;

/** `GET /v1/me`: what this caller may do. */
export const Me = z.object({
  id: Id,
  name: Word,
  role: Role,
  can: z.array(Word),
  version: Word,
  storeId: Id,
});
export type Me = z.infer<typeof Me>;
