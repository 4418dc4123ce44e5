import type { BootMs } from "../../shared/ids.ts";
import { hasOpenVote } from "../disk.ts";
import { HOLDER_SHARE } from "../timers.ts";
import type { VoteAnswer, VoteRequest } from "../votes.ts";
import { isPeerGrantFresh } from "./facts.ts";
import { learnFromRecord } from "./learn.ts";
import { becomeLeader } from "./promote.ts";
import {
  type NodeState,
  type PendingVote,
  patch,
  patchDisk,
  report,
  toWaiting,
  withRole,
} from "./state.ts";
import { type Wish, wishOf } from "./wishes.ts";

/**
 * The conversation with the witness: one question at a time, repeated under the same id until it
 * is answered, replaced by a new one when this node wants something else. Replacing is safe for
 * everything but a question whose yes would make this node primary; a candidate keeps wishing the
 * same until it knows.
 */
export function driveVotes(s: NodeState, nowMs: BootMs): NodeState {
  const wish = nextWish(s, nowMs);
  const timed = noticeSilence(s, nowMs);
  const pending = timed.witness.pending;
  const isIdle = wish === null || wish.kind === "read";
  if (pending !== null && pending.request.kind !== "read" && isIdle) {
    // What was asked may have been granted: the record is known again only with an answer.
    return repeat(timed, pending, nowMs);
  }
  if (wish === null) return pending === null ? timed : withPending(timed, null);
  const key = JSON.stringify(wish);
  if (pending !== null && pending.wish === key) return repeat(timed, pending, nowMs);
  if (nowMs < timed.witness.notBeforeMs) return withPending(timed, null);
  const request = requestOf(timed, wish);
  // The write that records a join drops our grant, and its answer may be lost.
  const grantUntilMs = wish.kind === "grow" ? null : timed.witness.grantUntilMs;
  const witness = { ...timed.witness, grantUntilMs };
  const asked = patch(timed, { counter: timed.counter + 1, witness });
  return withPending(asked, {
    request,
    wish: key,
    firstSentMs: nowMs,
    lastSentMs: nowMs,
    isInFlight: true,
    attempts: 1,
  });
}

/** Everything but reading needs the version and the store that a first read tells. */
function nextWish(s: NodeState, nowMs: BootMs): Wish | null {
  const wish = wishOf(s, nowMs);
  return wish !== null && s.witness.record === null ? { kind: "read" } : wish;
}

function noticeSilence(s: NodeState, nowMs: BootMs): NodeState {
  const { pending, silentSinceMs } = s.witness;
  if (pending === null || silentSinceMs !== null) return s;
  if (nowMs - pending.firstSentMs < s.config.timers.voteTimeoutMs) return s;
  return patch(s, { witness: { ...s.witness, silentSinceMs: pending.firstSentMs } });
}

function repeat(s: NodeState, pending: PendingVote, nowMs: BootMs): NodeState {
  const { voteRetryMs, voteTimeoutMs } = s.config.timers;
  const waitMs = pending.isInFlight ? voteTimeoutMs : voteRetryMs;
  if (nowMs - pending.lastSentMs < waitMs) return s;
  const again = { ...pending, lastSentMs: nowMs, isInFlight: true, attempts: pending.attempts + 1 };
  return withPending(s, again);
}

const withPending = (s: NodeState, pending: PendingVote | null): NodeState =>
  patch(s, { witness: { ...s.witness, pending } });

function requestOf(s: NodeState, wish: Wish): VoteRequest {
  const view = s.witness.record;
  return {
    id: `${s.incarnation}-${s.counter}`,
    nodeId: s.config.self,
    moduleId: s.config.moduleId,
    storeId: view?.storeId ?? null,
    version: view?.known?.version ?? 0,
    pairDecision: s.disk.pairDecision,
    ...wish,
  };
}

export function voteFailed(s: NodeState, requestId: string): NodeState {
  const pending = s.witness.pending;
  if (pending?.request.id !== requestId) return s;
  const silentSinceMs = s.witness.silentSinceMs ?? pending.firstSentMs;
  const witness = { ...s.witness, silentSinceMs, pending: { ...pending, isInFlight: false } };
  return patch(s, { witness });
}

export function voteAnswered(
  s: NodeState,
  requestId: string,
  answer: VoteAnswer,
  nowMs: BootMs,
): NodeState {
  const pending = s.witness.pending;
  if (pending?.request.id !== requestId) return s;
  // An answer of an earlier store about a question asked of it says nothing any more.
  if (answer.kind === "granted" && answer.storeId !== pending.request.storeId) return s;
  const heard = noteAnswer(s, answer, nowMs);
  if (answer.kind === "granted") return granted(heard, pending, answer, nowMs);
  const learned = answer.record === null ? heard : learnFromRecord(heard, answer.record, nowMs);
  return answer.kind === "refused" ? refused(learned, answer, nowMs) : learned;
}

function noteAnswer(s: NodeState, answer: VoteAnswer, nowMs: BootMs): NodeState {
  const isNewStore = s.disk.storeId !== null && s.disk.storeId !== answer.storeId;
  const witness = {
    ...s.witness,
    record: { known: answer.record, storeId: answer.storeId },
    pending: null,
    lastAnswerMs: nowMs,
    silentSinceMs: null,
    notBeforeMs: nowMs,
    reported: isNewStore ? null : s.witness.reported,
  };
  const noted = patch(s, { witness });
  if (s.disk.storeId === answer.storeId) return noted;
  const moved = patchDisk(noted, { storeId: answer.storeId });
  return isNewStore ? report(moved, "critical", "the witness's store was replaced") : moved;
}

type Granted = Extract<VoteAnswer, { kind: "granted" }>;

function granted(s: NodeState, pending: PendingVote, yes: Granted, nowMs: BootMs): NodeState {
  const { request } = pending;
  const isOwn = yes.record.primary === s.config.self;
  switch (request.kind) {
    case "promote":
    case "firstPrimary":
    case "force": {
      if (!isOwn || yes.record.epoch !== request.toEpoch) break;
      return promoted(s, pending, yes, nowMs);
    }
    case "grant":
      if (!isOwn || yes.record.epoch !== request.epoch) break;
      return grantRenewed(s, pending, yes, nowMs);
    case "grow":
      if (!isOwn || yes.record.epoch !== request.epoch) break;
      return grown(s, request.inSync);
    case "withdraw":
      return patchDisk(learnFromRecord(s, yes.record, nowMs), { asked: 0 });
    case "report": {
      const reported = JSON.stringify(request.disk);
      const told = patch(s, { witness: { ...s.witness, reported } });
      return learnFromRecord(told, yes.record, nowMs);
    }
    case "adopt":
    case "read":
      break;
  }
  return learnFromRecord(s, yes.record, nowMs);
}

const grantEnd = (pending: PendingVote, yes: Granted): BootMs =>
  pending.firstSentMs + yes.leaseMs * HOLDER_SHARE;

function promoted(s: NodeState, pending: PendingVote, yes: Granted, nowMs: BootMs): NodeState {
  const { epoch, historyId, inSync } = yes.record;
  const isRecordedForce = s.disk.forced?.epoch === epoch;
  if (s.role.kind === "leading" && isRecordedForce) {
    // The witness has recorded what a person had forced without it: its grant replaces that word.
    const witness = { ...s.witness, grantUntilMs: grantEnd(pending, yes) };
    return patchDisk(patch(s, { witness }), { forced: null, standingVote: null });
  }
  // A vote for a still higher epoch was cast meanwhile: this yes came too late to act on.
  const isAsking = s.role.kind === "candidate" || s.role.kind === "leading";
  if (!isAsking || s.disk.asked !== epoch) return s;
  if ((s.disk.pairVote?.terms.epoch ?? 0) > epoch) return s;
  const witness = { ...s.witness, grantUntilMs: grantEnd(pending, yes) };
  return becomeLeader(patch(s, { witness }), { epoch, historyId, inSync }, nowMs);
}

/** The witness recorded the smaller set: from the next persist on this node may go on alone. */
function grantRenewed(s: NodeState, pending: PendingVote, yes: Granted, nowMs: BootMs): NodeState {
  // This node voted for a newer epoch while it waited: the old one is over for it.
  if (hasOpenVote(s.disk) || s.disk.epoch !== yes.record.epoch || s.disk.released !== null)
    return s;
  const isConfirmed = s.unconfirmedSinceMs === null || pending.firstSentMs >= s.unconfirmedSinceMs;
  const sure = patch(s, {
    witness: { ...s.witness, grantUntilMs: grantEnd(pending, yes) },
    unconfirmedSinceMs: isConfirmed ? null : s.unconfirmedSinceMs,
  });
  const { self, peer } = s.config;
  const isShrunk = s.disk.inSync.includes(peer) || s.disk.joining !== null;
  if (s.role.kind === "leading" && s.role.isPeerAttached && isShrunk) {
    // The peer came back before the answer did, and nothing was acknowledged without it: this
    // node goes on requiring it, and has the larger set recorded again.
    if (isPeerGrantFresh(s, s.role.epoch, nowMs)) return sure;
  }
  const alone = isShrunk ? patchDisk(sure, { inSync: [self], joining: null }) : sure;
  if (s.role.kind === "waiting") {
    const { epoch, historyId } = s.disk;
    return becomeLeader(alone, { epoch, historyId, inSync: [self] }, nowMs);
  }
  if (s.role.kind !== "leading" || !isShrunk) return alone;
  const resyncNotBeforeMs = nowMs + s.config.timers.resyncHoldOffMs;
  const role = { ...s.role, isPeerAttached: false, ask: null, resync: null, resyncNotBeforeMs };
  return report(withRole(alone, role), "event", `goes on without ${peer}: the witness recorded it`);
}

function grown(s: NodeState, inSync: readonly string[]): NodeState {
  if (s.role.kind === "waiting") return patchDisk(s, { inSync, joining: null });
  if (s.role.kind !== "leading" || s.disk.joining === null) return s;
  const witness = { ...s.witness, grantUntilMs: null };
  const recorded = patchDisk(patch(s, { witness }), { inSync, joining: null });
  return report(recorded, "event", `in sync: ${inSync.join(", ")}`);
}

type Refused = Extract<VoteAnswer, { kind: "refused" }>;

/** A refusal is final for its request: whatever copies of it are still under way are dead. */
function refused(s: NodeState, no: Refused, nowMs: BootMs): NodeState {
  const { voteRetryMs } = s.config.timers;
  if (no.refusal === "versionMoved") return s;
  const notBeforeMs = nowMs + voteRetryMs;
  const calm = patch(s, { witness: { ...s.witness, notBeforeMs } });
  if (s.role.kind === "leading" && s.disk.forced !== null && no.refusal === "deposed") {
    const because = "the witness knows another primary than the forced one";
    return withRole(patchDisk(calm, { outdated: true }), { kind: "steppingDown", because });
  }
  if (s.role.kind === "leading") return patchDisk(calm, { asked: 0 });
  if (s.role.kind !== "candidate" || s.role.step !== "asking") return calm;
  const isOut = no.refusal === "notInSync";
  const asked = patchDisk(calm, { asked: 0, outdated: s.disk.outdated || isOut });
  const told = report(asked, "event", `the witness refused: ${no.reason}`);
  return toWaiting(told, nowMs, 2 * voteRetryMs);
}
