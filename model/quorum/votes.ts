import type { Epoch, ModuleId, NodeId, UnixMs } from "../shared/ids.ts";
import type { DiskReport } from "./disk.ts";
import type { PairDecision, Release } from "./pair.ts";
import type { WitnessRecord } from "./record.ts";
import type { QuorumTimers } from "./timers.ts";
import type { Ballot } from "./voters.ts";

/** What every request says. The answer to a repeat of the same `id` is the same. */
type RequestHead = {
  /** Unique per node for ever. */
  readonly id: string;
  readonly nodeId: NodeId;
  readonly moduleId: ModuleId;
  /** The store the node believes it speaks to; null = it does not know yet, so it may only read. */
  readonly storeId: string | null;
  /** `record.version` the node decided from; 0 = it saw no record. */
  readonly version: number;
  /** Signed by both nodes: adopted first when its epoch is above the record's. */
  readonly pairDecision: PairDecision | null;
};

/** Tell me the record. Changes nothing. */
export type ReadRequest = RequestHead & { readonly kind: "read" };

/** The primary of `epoch`: renew your grant, and record `inSync` (a part of the recorded set). */
export type GrantRequest = RequestHead & {
  readonly kind: "grant";
  readonly epoch: Epoch;
  readonly inSync: readonly NodeId[];
};

/** Make me primary of `toEpoch`. With a release of the primary no lease is waited for. */
export type PromoteRequest = RequestHead & {
  readonly kind: "promote";
  readonly fromEpoch: Epoch;
  readonly toEpoch: Epoch;
  readonly release: Release | null;
  /** Where the witness has no vote: those of other data nodes for the asker and `toEpoch`. */
  readonly ballots?: readonly Ballot[] | undefined;
  /** The asker's page cache was lost, and nobody else can be reached: shown as such to people. */
  readonly isLastResort: boolean;
};

/** The primary of `epoch`: my peer holds everything; record the larger set and drop your grant. */
export type GrowRequest = RequestHead & {
  readonly kind: "grow";
  readonly epoch: Epoch;
  readonly inSync: readonly NodeId[];
};

/** The first primary ever: a person named my copy, or both copies are fresh and empty. */
export type FirstPrimaryRequest = RequestHead & {
  readonly kind: "firstPrimary";
  readonly toEpoch: Epoch;
  readonly historyId: string;
  readonly because: "person" | "bothEmpty";
};

/** I asked for promotion and may have been heard; I no longer want it. */
export type WithdrawRequest = RequestHead & { readonly kind: "withdraw" };

/** Adopt the pair decision in the head, nothing more. */
export type AdoptRequest = RequestHead & { readonly kind: "adopt" };

/** What my disk says: to a witness whose store was wiped or restored. */
export type ReportRequest = RequestHead & { readonly kind: "report"; readonly disk: DiskReport };

/** A person accepted that acknowledged writes may be lost: make me primary of a new history. */
export type ForceRequest = RequestHead & {
  readonly kind: "force";
  readonly toEpoch: Epoch;
  readonly historyId: string;
  readonly by: string;
  readonly reason: string;
};

export type VoteRequest =
  | ReadRequest
  | GrantRequest
  | PromoteRequest
  | GrowRequest
  | FirstPrimaryRequest
  | WithdrawRequest
  | AdoptRequest
  | ReportRequest
  | ForceRequest;

/**
 * Why the witness said no. Each refusal is final for its request id: the same request arriving
 * again later, even after a lease ran out, is refused too.
 */
export type Refusal =
  /** A newer epoch exists: the asker is deposed. */
  | "deposed"
  /** The asker knows a newer epoch than the record and showed no decision signed by both. */
  | "witnessBehind"
  /** The record changed since the asker read it: decide anew from the record in the answer. */
  | "versionMoved"
  /** Another node may still act: it holds this witness's grant. */
  | "grantLive"
  /** The asker may lack acknowledged writes. */
  | "notInSync"
  /** Too few data nodes voted for the asker, where the witness has no vote of its own. */
  | "noMajority"
  /** The asker is not the primary of this epoch. */
  | "notPrimary"
  /** No record: a person names the good copy first. */
  | "noRecord"
  /** A record exists: this is no first start. */
  | "recordExists"
  /** The store was wiped or restored: it waits for every data node's report. */
  | "recovering"
  /** The request was meant for another incarnation of the store. */
  | "storeChanged"
  /** The request contradicts itself or the module's configuration. */
  | "invalid";

export type VoteAnswer =
  | {
      readonly kind: "granted";
      readonly requestId: string;
      readonly storeId: string;
      /** As stored now. A newer epoch in it means that the grant is already over. */
      readonly record: WitnessRecord;
      /** How long a grant in the record lasts, for the holder to count from its first sending. */
      readonly leaseMs: number;
      readonly reason: string;
    }
  | {
      readonly kind: "refused";
      readonly requestId: string;
      readonly storeId: string;
      readonly refusal: Refusal;
      readonly record: WitnessRecord | null;
      readonly reason: string;
    }
  | {
      /** Answer to `read`. */
      readonly kind: "record";
      readonly requestId: string;
      readonly storeId: string;
      readonly record: WitnessRecord | null;
      readonly reason: string;
    };

/** What the shell does after it stored the record, never before. */
export type VoteEffect =
  /** Primary or epoch changed: move addresses and targets to where the record says. */
  | { readonly kind: "reconcile"; readonly epoch: Epoch; readonly primary: NodeId }
  | {
      readonly kind: "report";
      readonly severity: "critical" | "event" | "info";
      readonly text: string;
    };

export type VoteDecision = {
  /** The same object as given when nothing is to be stored. */
  readonly record: WitnessRecord | null;
  readonly answer: VoteAnswer;
  readonly effects: readonly VoteEffect[];
  readonly reason: string;
};

/** What the witness knows besides the record. */
export type WitnessSettings = {
  readonly storeId: string;
  /** The module's data nodes, sorted, from its configuration. */
  readonly nodes: readonly NodeId[];
  readonly timers: Pick<QuorumTimers, "witnessLeaseMs" | "witnessMarginMs">;
};

/** The pure function of the arbiter; see decide-vote.ts. */
export type DecideVote = (
  record: WitnessRecord | null,
  request: VoteRequest,
  nowMs: UnixMs,
  settings: WitnessSettings,
) => VoteDecision;
