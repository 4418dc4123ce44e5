import type { BootMs, NodeId } from "../../shared/ids.ts";
import { hasOpenVote } from "../disk.ts";
import { HOLDER_SHARE } from "../timers.ts";
import { hasWitnessVote } from "../voters.ts";
import type { VoteAnswer, VoteRequest } from "../votes.ts";
import { isPeerGrantFresh, isRequired, nodesOf } from "./facts.ts";
import { learnFromRecord } from "./learn.ts";
import { becomeLeader } from "./promote.ts";
import {
  type NodeState,
  type PendingVote,
  patch,
  patchDisk,
  report,
  secondaryOf,
  toWaiting,
  withRole,
} from "./state.ts";
import { ballotsFor } from "./vote-facts.ts";
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
    ...shownBallots(s, wish),
  };
}

/** Where the witness has no vote, it wants to see those of the data nodes. */
function shownBallots(s: NodeState, wish: Wish) {
  if (wish.kind !== "promote" || hasWitnessVote(nodesOf(s.config))) return {};
  return { ballots: ballotsFor(s, wish.toEpoch) };
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
      return grantRenewed(s, pending, yes, request.inSync, nowMs);
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

const leaseEnd = (pending: PendingVote, yes: Granted): BootMs =>
  pending.firstSentMs + yes.leaseMs * HOLDER_SHARE;

/** When the witness's own vote ends, as counted here; null: it has none. */
const grantEnd = (s: NodeState, pending: PendingVote, yes: Granted): BootMs | null =>
  hasWitnessVote(nodesOf(s.config)) ? leaseEnd(pending, yes) : null;

function promoted(s: NodeState, pending: PendingVote, yes: Granted, nowMs: BootMs): NodeState {
  const { epoch, historyId, inSync } = yes.record;
  const isRecordedForce = s.disk.forced?.epoch === epoch;
  if (s.role.kind === "leading" && isRecordedForce) {
    // The witness has recorded what a person had forced without it: its grant, where it has one to
    // give, replaces that word.
    const grantUntilMs = grantEnd(s, pending, yes);
    const standingVotes = grantUntilMs === null ? s.disk.standingVotes : [];
    const witness = { ...s.witness, grantUntilMs };
    return patchDisk(patch(s, { witness }), { forced: null, standingVotes });
  }
  // A vote for a still higher epoch was cast meanwhile: this yes came too late to act on.
  const isAsking = s.role.kind === "candidate" || s.role.kind === "leading";
  if (!isAsking || s.disk.asked !== epoch) return s;
  if ((s.disk.pairVote?.terms.epoch ?? 0) > epoch) return s;
  const witness = { ...s.witness, grantUntilMs: grantEnd(s, pending, yes) };
  const led = becomeLeader(patch(s, { witness }), { epoch, historyId, inSync }, nowMs);
  // Whom a person forced needs no vote but that person's, until the first peer has joined.
  const isForced = pending.request.kind === "force" && !hasWitnessVote(nodesOf(s.config));
  return isForced ? patchDisk(led, { standingVotes: [{ from: "person", epoch }] }) : led;
}

/** The witness recorded the smaller set: from the next persist on this node may go on with it. */
function grantRenewed(
  s: NodeState,
  pending: PendingVote,
  yes: Granted,
  inSync: readonly NodeId[],
  nowMs: BootMs,
): NodeState {
  // This node voted for a newer epoch while it waited: the old one is over for it.
  if (hasOpenVote(s.disk) || s.disk.epoch !== yes.record.epoch || s.disk.released !== null)
    return s;
  const { role } = s;
  const grantUntilMs = grantEnd(s, pending, yes);
  const isAfterStall = pending.firstSentMs >= (s.unconfirmedSinceMs ?? 0);
  const isConfirmed = isAfterStall && grantUntilMs !== null;
  const sure = patch(s, {
    witness: { ...s.witness, grantUntilMs },
    unconfirmedSinceMs: isConfirmed ? null : s.unconfirmedSinceMs,
  });
  // A peer may have come back before the answer did, and nothing was acknowledged without it: this
  // node goes on requiring it, and has the larger set recorded again.
  const isBack = (id: NodeId) =>
    role.kind === "leading" &&
    secondaryOf(role, id).isAttached &&
    isPeerGrantFresh(s, id, role.epoch, nowMs);
  const isGone = (id: NodeId) => isRequired(s, id) && !inSync.includes(id) && !isBack(id);
  const gone = s.config.peers.filter(isGone);
  const { joining } = s.disk;
  const smaller = patchDisk(sure, {
    inSync: s.disk.inSync.filter((id) => !gone.includes(id)),
    joining: joining !== null && gone.includes(joining) ? null : joining,
  });
  if (role.kind === "waiting") return becomeLeader(smaller, smaller.disk, nowMs);
  if (role.kind !== "leading" || gone.length === 0) return smaller;
  const resyncNotBeforeMs = nowMs + s.config.timers.resyncHoldOffMs;
  const detached = { isAttached: false, ask: null, resync: null, resyncNotBeforeMs };
  const secondaries = gone.map((id) => [id, { ...secondaryOf(role, id), ...detached }] as const);
  const without = withRole(smaller, {
    ...role,
    secondaries: { ...role.secondaries, ...Object.fromEntries(secondaries) },
  });
  return report(without, "event", `goes on without ${gone.join(", ")}: the witness recorded it`);
}

function grown(s: NodeState, recorded: readonly string[]): NodeState {
  const { joining } = s.disk;
  const isJoined = joining !== null && recorded.includes(joining);
  const inSync = [...new Set([...s.disk.inSync, ...recorded])].sort();
  if (s.role.kind === "waiting") return patchDisk(s, { inSync, joining: null });
  if (s.role.kind !== "leading" || !isJoined) return s;
  const witness = { ...s.witness, grantUntilMs: null };
  const known = patchDisk(patch(s, { witness }), { inSync, joining: null });
  return report(known, "event", `in sync: ${inSync.join(", ")}`);
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
