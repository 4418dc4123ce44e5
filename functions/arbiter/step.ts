/**
 * The witness. One record per module, changed by conditional write only: read, decide (the pure
 * function of model/quorum), store, then act, in that order. No effect runs for a record that was
 * not stored, and an answer that promises something leaves only when its record is durable.
 */
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import { type WitnessRow, WitnessRowSchema } from "#model/contract/votes.ts";
import { pairTermsText, releaseText } from "#model/quorum/pair.ts";
import { leaversAfter } from "#model/quorum/possible-loss.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import type { QuorumTimers } from "#model/quorum/timers.ts";
import type {
  DecideVote,
  VoteAnswer,
  VoteDecision,
  VoteEffect,
  VoteRequest,
} from "#model/quorum/votes.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { Collection } from "../clusters/collection.ts";
import type { EventBook } from "../clusters/event-book.ts";
import type { Clock, Logger, RecordStore } from "../ports.ts";

/** Lost races of one vote before its sender is told to come back; each loser saw a winner. */
const VOTE_ATTEMPTS_MAX = 50;

export interface Arbiter {
  /** Answers a node's vote. A failure means that nothing was promised to anyone. */
  vote(place: VotePlace, request: VoteRequest): Promise<Result<VoteAnswer, ApiFailure>>;
  record(clusterId: string, moduleId: string): Promise<WitnessRow | null>;
  /** Forgets a module that was removed, so that a new one of the same name starts afresh. */
  forget(clusterId: string, moduleId: string): Promise<void>;
}

/** Where the vote belongs, from configuration and identity, never from the request itself. */
export interface VotePlace {
  readonly clusterId: string;
  readonly moduleId: string;
  /** The node that signed the HTTP request. */
  readonly nodeId: string;
  /** The module's data nodes, sorted. */
  readonly nodes: readonly string[];
  readonly timers: Pick<QuorumTimers, "witnessLeaseMs" | "witnessMarginMs">;
}

export interface ArbiterParts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly events: EventBook;
  readonly logger: Logger;
  readonly decide: DecideVote;
  /** A node's public key (SubjectPublicKeyInfo, DER in base64), to check what nodes signed. */
  readonly findKey: (clusterId: string, nodeId: string) => Promise<string | null>;
  /** Does the signature over `text` belong to that public key? */
  readonly isSignedBy: (publicKey: string, text: string, signature: string) => boolean;
  /** Asks for the module's address to be looked at. Must not wait for the move. */
  readonly reconcile: (clusterId: string, moduleId: string) => void;
}

/** The arbiter over a store. It keeps nothing in memory, so any number may run at once. */
export function openArbiter(parts: ArbiterParts): Arbiter {
  const witness = new Collection(parts.records, "witness", WitnessRowSchema);
  return {
    async vote(place, request) {
      if (request.nodeId !== place.nodeId || request.moduleId !== place.moduleId) {
        return err(failure("forbidden", "a node votes for itself, in the module it names"));
      }
      const forged = await findForgery(parts, place, request);
      if (forged !== null) return err(failure("badSignature", forged));
      const decided = await step(parts, witness, place, request);
      if (!decided.ok) return decided;
      const { decision, was } = decided.value;
      try {
        await actOn(parts, place, was, decision, request);
      } catch (thrown) {
        // The vote is given and durable: a failure to tell of it must not make it look unknown.
        parts.logger.log("E", `after a vote of ${place.nodeId}: ${String(thrown)}`);
      }
      return ok(decision.answer);
    },
    async record(clusterId, moduleId) {
      return (await witness.read(clusterId, moduleId))?.value ?? null;
    },
    async forget(clusterId, moduleId) {
      const was = await witness.read(clusterId, moduleId);
      if (was !== null) await witness.remove(clusterId, moduleId, was.version);
    },
  };
}

interface Stepped {
  readonly was: WitnessRecord | null;
  readonly decision: VoteDecision;
}

async function step(
  parts: ArbiterParts,
  witness: Collection<WitnessRow>,
  place: VotePlace,
  request: VoteRequest,
): Promise<Result<Stepped, ApiFailure>> {
  const settings = {
    storeId: parts.records.storeId,
    nodes: place.nodes,
    timers: place.timers,
  };
  for (let attempt = 1; attempt <= VOTE_ATTEMPTS_MAX; attempt += 1) {
    const read = await witness.read(place.clusterId, place.moduleId);
    const was = read?.value ?? null;
    const nowMs = parts.clock.nowMs();
    const decision = parts.decide(was, request, nowMs, settings);
    if (decision.record === was || decision.record === null) return ok({ was, decision });
    const seen = read?.version ?? 0;
    const row = withLeavers(was, decision.record, request, nowMs);
    const isStored = await witness.write(place.clusterId, place.moduleId, seen, row);
    if (isStored) return ok({ was, decision });
    // Someone else moved the record, so this decision is stale: decide again from a fresh read.
  }
  return err(failure("contended", "too many votes at once", "send the same request again"));
}

/** When a node left the set decides nothing; a person who forces a primary wants to know it. */
function withLeavers(
  was: WitnessRow | null,
  now: WitnessRecord,
  request: VoteRequest,
  nowMs: number,
): WitnessRow {
  const shown = request.pairDecision?.terms.epoch ?? 0;
  const isAdopted = shown > (was?.epoch ?? 0) && shown <= now.epoch;
  const leavers = leaversAfter(was?.leavers ?? [], was, now, isAdopted, nowMs);
  return { ...now, leavers };
}

/** What the record now says is told and acted on; a crash here loses nothing: the sweep finds it. */
async function actOn(
  parts: ArbiterParts,
  place: VotePlace,
  was: WitnessRecord | null,
  decision: VoteDecision,
  request: VoteRequest,
): Promise<void> {
  for (const effect of decision.effects) {
    if (effect.kind === "reconcile") parts.reconcile(place.clusterId, place.moduleId);
    else await tellReport(parts, place, effect);
  }
  const now = decision.record;
  if (now !== null && now.epoch !== (was?.epoch ?? 0)) {
    await tellEpoch(parts, place, was, now, { request, reason: decision.reason });
  } else if (now !== null && now.inSync.join() !== was?.inSync.join()) {
    await parts.events.tell(place.clusterId, {
      kind: "inSyncChanged",
      severity: "S",
      moduleId: place.moduleId,
      text: decision.reason,
      actor: "witness",
      data: { epoch: now.epoch, inSync: now.inSync.join(",") },
    });
  }
}

async function tellEpoch(
  parts: ArbiterParts,
  place: VotePlace,
  was: WitnessRecord | null,
  now: WitnessRecord,
  { request, reason }: { request: VoteRequest; reason: string },
): Promise<void> {
  const cause = request.kind === "promote" && request.release !== null ? "release" : request.kind;
  await parts.events.tell(place.clusterId, {
    kind: "epochChanged",
    severity: "S",
    moduleId: place.moduleId,
    ...(now.primary === null ? {} : { nodeId: now.primary }),
    text: reason,
    actor: "witness",
    data: {
      epochBefore: was?.epoch ?? 0,
      epoch: now.epoch,
      fromNode: was?.primary ?? null,
      toNode: now.primary,
      inSync: now.inSync.join(","),
      cause,
    },
  });
}

const SEVERITY = { critical: "C", event: "S", info: "I" } as const;

async function tellReport(
  parts: ArbiterParts,
  { clusterId, moduleId }: VotePlace,
  effect: Extract<VoteEffect, { kind: "report" }>,
): Promise<void> {
  await parts.events.tell(clusterId, {
    kind: "witnessReported",
    severity: SEVERITY[effect.severity],
    moduleId,
    text: effect.text,
    actor: "witness",
  });
}

/** Signatures of other nodes inside a vote: a node may carry them, but not make them. */
async function findForgery(
  parts: ArbiterParts,
  { clusterId, nodes }: VotePlace,
  request: VoteRequest,
): Promise<string | null> {
  const signed: { nodeId: string; text: string; signature: string }[] = [];
  if (request.pairDecision !== null) {
    const { terms, signatures } = request.pairDecision;
    if (new Set(signatures.map((one) => one.nodeId)).size !== 2) {
      return "a pair decision has two different signers";
    }
    const text = pairTermsText(terms);
    for (const one of signatures) signed.push({ ...one, text });
  }
  if (request.kind === "promote" && request.release !== null) {
    const { release } = request;
    signed.push({ nodeId: release.from, text: releaseText(release), signature: release.signature });
  }
  for (const ballot of (request.kind === "promote" ? request.ballots : null) ?? []) {
    signed.push({ ...ballot, text: pairTermsText(ballot.terms) });
  }
  for (const one of signed) {
    if (!nodes.includes(one.nodeId)) return `${one.nodeId} has no part in this module`;
    const key = await parts.findKey(clusterId, one.nodeId);
    if (key === null || !parts.isSignedBy(key, one.text, one.signature)) {
      return `the signature of ${one.nodeId} does not match`;
    }
  }
  return null;
}
