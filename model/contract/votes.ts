/**
 * The wire form of votes: schemas that give exactly the types of model/quorum (the annotations make
 * the compiler say so), so the protocol's own words stay in one place.
 * `POST /v1/modules/:m/votes` takes a request and answers 200 with an answer, a refusal included:
 * an HTTP failure means only that the outcome is unknown.
 */
import * as z from "zod/mini";
import type { DiskReport } from "../quorum/disk.ts";
import type { PairDecision, PairVote, Release } from "../quorum/pair.ts";
import type { Leavers } from "../quorum/possible-loss.ts";
import type { WitnessRecord } from "../quorum/record.ts";
import type { Ballot } from "../quorum/voters.ts";
import type { VoteAnswer, VoteRequest } from "../quorum/votes.ts";
import { Count, Epoch, Id, InSync, ModuleName, NodeName, Sentence, UnixMs } from "./common.ts";

/** A node's signature of a text of the protocol: ECDSA P-256, SHA-256, IEEE P1363, base64url. */
export const QuorumSignature = z.string().check(z.regex(/^[A-Za-z0-9_-]{86}$/));

const NullableId = z.nullable(Id);

const DiskReportSchema: z.ZodMiniType<DiskReport> = z.object({
  epoch: Epoch,
  historyId: NullableId,
  primary: z.nullable(NodeName),
  inSync: InSync,
  outdated: z.boolean(),
  asked: Epoch,
});

const terms = z.object({
  moduleId: ModuleName,
  epoch: Epoch,
  primary: NodeName,
  inSync: InSync,
  historyId: Id,
});

export const PairVoteSchema: z.ZodMiniType<PairVote> = z.object({
  terms,
  signature: QuorumSignature,
});

const BallotSchema: z.ZodMiniType<Ballot> = z.object({
  nodeId: NodeName,
  terms,
  signature: QuorumSignature,
});

export const PairDecisionSchema: z.ZodMiniType<PairDecision> = z.object({
  terms,
  signatures: z
    .array(z.object({ nodeId: NodeName, signature: QuorumSignature }))
    .check(z.maxLength(2)),
});

export const ReleaseSchema: z.ZodMiniType<Release> = z.object({
  moduleId: ModuleName,
  epoch: Epoch,
  from: NodeName,
  to: NodeName,
  signature: QuorumSignature,
});

const head = {
  id: Id,
  nodeId: NodeName,
  moduleId: ModuleName,
  storeId: NullableId,
  version: Count,
  pairDecision: z.nullable(PairDecisionSchema),
};

export const VoteRequestSchema: z.ZodMiniType<VoteRequest> = z.discriminatedUnion("kind", [
  z.object({ ...head, kind: z.literal("read") }),
  z.object({ ...head, kind: z.literal("grant"), epoch: Epoch, inSync: InSync }),
  z.object({
    ...head,
    kind: z.literal("promote"),
    fromEpoch: Epoch,
    toEpoch: Epoch,
    release: z.nullable(ReleaseSchema),
    ballots: z.optional(z.array(BallotSchema).check(z.maxLength(32))),
    isLastResort: z.boolean(),
  }),
  z.object({ ...head, kind: z.literal("grow"), epoch: Epoch, inSync: InSync }),
  z.object({
    ...head,
    kind: z.literal("firstPrimary"),
    toEpoch: Epoch,
    historyId: Id,
    because: z.enum(["person", "bothEmpty"]),
  }),
  z.object({ ...head, kind: z.literal("withdraw") }),
  z.object({ ...head, kind: z.literal("adopt") }),
  z.object({ ...head, kind: z.literal("report"), disk: DiskReportSchema }),
  z.object({
    ...head,
    kind: z.literal("force"),
    toEpoch: Epoch,
    historyId: Id,
    by: z.string().check(z.maxLength(100)),
    reason: Sentence,
  }),
]);

const witnessRecord = {
  moduleId: ModuleName,
  storeId: Id,
  version: Count,
  epoch: Epoch,
  historyId: NullableId,
  primary: z.nullable(NodeName),
  inSync: InSync,
  grant: z.nullable(z.object({ holder: NodeName, epoch: Epoch, expiresAtMs: UnixMs })),
  requests: z.array(z.object({ nodeId: NodeName, id: Id })).check(z.maxLength(32)),
  isRecovering: z.boolean(),
  reports: z.array(z.object({ nodeId: NodeName, disk: DiskReportSchema })).check(z.maxLength(32)),
};
export const WitnessRecordSchema: z.ZodMiniType<WitnessRecord> = z.object(witnessRecord);

/** The row in the store: with when each node left the set, which decides nothing. */
export type WitnessRow = WitnessRecord & { readonly leavers?: Leavers | undefined };
export const WitnessRowSchema: z.ZodMiniType<WitnessRow> = z.object({
  ...witnessRecord,
  leavers: z.optional(z.array(z.object({ nodeId: NodeName, atMs: UnixMs })).check(z.maxLength(32))),
});

const answerHead = { requestId: Id, storeId: Id, reason: Sentence };

export const VoteAnswerSchema: z.ZodMiniType<VoteAnswer> = z.discriminatedUnion("kind", [
  z.object({
    ...answerHead,
    kind: z.literal("granted"),
    record: WitnessRecordSchema,
    leaseMs: Count,
  }),
  z.object({
    ...answerHead,
    kind: z.literal("refused"),
    refusal: z.enum([
      "deposed",
      "witnessBehind",
      "versionMoved",
      "grantLive",
      "notInSync",
      "noMajority",
      "notPrimary",
      "noRecord",
      "recordExists",
      "recovering",
      "storeChanged",
      "invalid",
    ]),
    record: z.nullable(WitnessRecordSchema),
  }),
  z.object({
    ...answerHead,
    kind: z.literal("record"),
    record: z.nullable(WitnessRecordSchema),
  }),
]);
