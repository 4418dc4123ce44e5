/**
 * What a node tells the control plane about itself. A report is the whole truth as of its moment:
 * the latest one replaces the one before, so a lost report needs no repair. Only `events` are
 * appended; each has an id, so a report sent twice adds nothing.
 */
import * as z from "zod/mini";
import {
  Address,
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
import { EventDraft } from "./events.ts";

/** The states people know: UP is a farm module's, the four others a mirror's; STOP is both's. */
export const ModuleStateWord = z.enum(["STOP", "WAIT", "ALONE", "PRIM", "SECOND", "UP"]);
export type ModuleStateWord = z.infer<typeof ModuleStateWord>;
export const Readiness = z.enum(["Ready", "Transient", "NotReady"]);
export type Readiness = z.infer<typeof Readiness>;

/** What the node believes about the quorum; the witness's own record is shown beside it. */
export const QuorumFacts = z.object({
  epoch: Epoch,
  primary: z.nullable(NodeName),
  inSync: InSync,
  outdated: z.boolean(),
  /** Whose promise this node acts on, and how long it still lasts; null when it holds none. */
  grant: z.nullable(z.object({ voters: z.array(Word).check(z.maxLength(8)), remainingMs: Count })),
  fenced: z.boolean(),
  /** Set by a person's force: equal epochs with different ids hold divergent data. */
  historyId: z.optional(z.nullable(Id)),
  /** The history that its files belong to; null = none of this module's. */
  copyHistoryId: z.optional(z.nullable(Id)),
  /** This OS died without an orderly stop: what only its memory held is gone. */
  unclean: z.optional(z.boolean()),
  /** When this node promised that its copy is out of the set, by its own clock. */
  outdatedSinceMs: z.optional(z.nullable(UnixMs)),
});
export type QuorumFacts = z.infer<typeof QuorumFacts>;

export const ResyncProgress = z.object({
  kind: z.enum(["full", "delta"]),
  /** Why everything is compared, or since when only what was touched. */
  why: z.optional(Sentence),
  phase: z.enum(["comparing", "copying", "attaching", "recording"]),
  doneBytes: Count,
  totalBytes: Count,
  bytesPerSecond: Count,
});
export type ResyncProgress = z.infer<typeof ResyncProgress>;

const Rate = z.number().check(z.nonnegative());

/** What replication did between two reports. */
export const ReplicationTraffic = z.object({
  intervalMs: Count,
  operationsPerSecond: Rate,
  bytesPerSecond: Rate,
  /** How long callers waited for the peer: an upper bound, at most twice the truth. */
  acknowledgement: z.nullable(
    z.object({
      count: Count,
      /** Null: beyond the last bound. */
      medianMs: z.nullable(Rate),
      p99Ms: z.nullable(Rate),
      /** Buckets that are not empty, in order; `upToMs` null: beyond the last bound. */
      buckets: z.array(z.object({ upToMs: z.nullable(Rate), count: Count })).check(z.maxLength(32)),
    }),
  ),
});
export type ReplicationTraffic = z.infer<typeof ReplicationTraffic>;

export const ReplicationFacts = z.object({
  attached: z.boolean(),
  lagMs: Count,
  backlogBytes: Count,
  resync: z.nullable(ResyncProgress),
  /** A resync of this copy did not end: it is a mix of older and newer files. */
  halfWritten: z.optional(z.boolean()),
  /** Null until two reports have been made as primary. */
  traffic: z.optional(z.nullable(ReplicationTraffic)),
  /** Since when both copies have been equal but for what is on its way; null: they are not. */
  attachedSinceMs: z.optional(z.nullable(UnixMs)),
  /** As primary: changes made without the peer, and bytes they wrote. */
  alone: z.optional(z.object({ changes: Count, bytes: Count })),
  trees: z.array(Sentence).check(z.maxLength(64)),
});
export type ReplicationFacts = z.infer<typeof ReplicationFacts>;

export const VipFacts = z.object({
  address: Address,
  interface: z.nullable(Word),
  /** On this node's interface right now, as the kernel says. */
  present: z.boolean(),
  /** The epoch under which this node last put it on or took it off. */
  epoch: Epoch,
});
export type VipFacts = z.infer<typeof VipFacts>;

export const ResourceFacts = z.object({
  /** As rules name it: `tcp.5432`, `proc.postgres`, `intf.eth0`. */
  name: Word,
  value: z.enum(["up", "down", "init", "unknown"]),
  sinceMs: UnixMs,
  text: z.optional(Sentence),
});
export type ResourceFacts = z.infer<typeof ResourceFacts>;

/** A person works on the machines: nothing is done by itself until then, by this node's clock. */
export const MaintenanceFacts = z.object({
  untilMs: UnixMs,
  by: z.string().check(z.maxLength(100)),
  reason: Sentence,
});
export type MaintenanceFacts = z.infer<typeof MaintenanceFacts>;

export const ModuleReport = z.object({
  moduleId: ModuleName,
  mode: z.enum(["mirror", "farm", "light"]),
  state: ModuleStateWord,
  readiness: Readiness,
  /** One sentence: why it is in this state, and in WAIT what it waits for. */
  why: Sentence,
  sinceMs: UnixMs,
  quorum: z.nullable(QuorumFacts),
  replication: z.nullable(ReplicationFacts),
  vips: z.array(VipFacts).check(z.maxLength(16)),
  resources: z.array(ResourceFacts).check(z.maxLength(200)),
  /** Configuration version that runs (or is installed and stopped); 0 before the first. */
  configurationVersion: Count,
  maintenance: z.optional(z.nullable(MaintenanceFacts)),
  warnings: z.optional(z.array(Sentence).check(z.maxLength(20))),
});
export type ModuleReport = z.infer<typeof ModuleReport>;

export const HeartbeatLink = z.object({
  peer: NodeName,
  network: Word,
  up: z.boolean(),
  roundTripMs: z.nullable(z.number().check(z.nonnegative())),
  lossRatio: z.number().check(z.minimum(0), z.maximum(1)),
  lastHeardMs: z.nullable(Count),
});
export type HeartbeatLink = z.infer<typeof HeartbeatLink>;

export const EVENTS_PER_REPORT_MAX = 200;

export const NodeReport = z.object({
  agentVersion: Word,
  bootId: Id,
  /** Random at each start of the agent: two instances with one identity are noticed by it. */
  instanceId: Id,
  /** The node's wall clock when it sent this. */
  sentAtMs: UnixMs,
  /** The node's own measure of `serverClock - nodeClock`, once it has one. */
  clock: z.optional(z.object({ offsetMs: z.int(), errorMs: Count })),
  modules: z.array(ModuleReport).check(z.maxLength(MODULES_MAX)),
  links: z.array(HeartbeatLink).check(z.maxLength(NODES_MAX * 4)),
  warnings: z.optional(z.array(Sentence).check(z.maxLength(20))),
  events: z.array(EventDraft).check(z.maxLength(EVENTS_PER_REPORT_MAX)),
});
export type NodeReport = z.infer<typeof NodeReport>;

/** The answer paces the agent: fast while something moves or someone watches, slow when calm. */
export const NodeReportAnswer = z.object({
  serverTimeMs: UnixMs,
  nextReportMs: Count,
  /** The configuration the cluster should run; a different one than known is worth a pull. */
  configurationVersion: Count,
  commandsWaiting: Count,
});
export type NodeReportAnswer = z.infer<typeof NodeReportAnswer>;
