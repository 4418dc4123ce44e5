/** The picture of one failover (or switchover), as console and command line draw it. */
import * as z from "zod/mini";
import { Count, Epoch, Id, ModuleName, NodeName, Sentence, UnixMs, Word } from "./common.ts";

const FailoverPhase = z.object({
  kind: z.enum(["detect", "decide", "start"]),
  fromMs: UnixMs,
  toMs: UnixMs,
});
const FailoverMark = z.object({
  atMs: UnixMs,
  /** Seconds since the last good heartbeat, as the axis shows them. */
  offsetMs: z.int(),
  offsetErrMs: Count,
  node: z.nullable(NodeName),
  kind: Word,
  text: Sentence,
});
const FailoverSpan = z.object({
  fromMs: UnixMs,
  toMs: UnixMs,
  state: Word,
  tone: z.enum(["good", "warning", "bad", "busy", "idle"]),
});
const FailoverLane = z.object({
  /** A node's name, `service`, `address` or `witness`. */
  id: Word,
  spans: z.array(FailoverSpan).check(z.maxLength(100)),
});

export const FailoverPicture = z.object({
  /** `shop-42`: the module and the epoch that began. */
  id: Id,
  module: ModuleName,
  kind: z.enum(["failover", "switchover", "forced", "start"]),
  fromNode: z.nullable(NodeName),
  toNode: NodeName,
  epochBefore: Epoch,
  epochAfter: Epoch,
  trigger: z.object({ kind: Word, reason: Sentence, resource: z.optional(Word) }),
  startedAtMs: UnixMs,
  /** Null while the service has not answered again. */
  serviceDownMs: z.nullable(Count),
  /** 0 for as long as the node that leads was in the set. Null: not known (a forced start). */
  writesAtRisk: z.nullable(Count),
  phases: z.array(FailoverPhase).check(z.maxLength(3)),
  marks: z.array(FailoverMark).check(z.maxLength(200)),
  lanes: z.array(FailoverLane).check(z.maxLength(40)),
});
export type FailoverPicture = z.infer<typeof FailoverPicture>;

/** A line in the list of failovers. */
export const FailoverSummary = z.pick(FailoverPicture, {
  id: true,
  module: true,
  kind: true,
  fromNode: true,
  toNode: true,
  epochBefore: true,
  epochAfter: true,
  startedAtMs: true,
  serviceDownMs: true,
});
export type FailoverSummary = z.infer<typeof FailoverSummary>;
