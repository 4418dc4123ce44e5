import type { BootMs, Epoch, NodeId } from "../../shared/ids.ts";
import { boundEpoch } from "../disk.ts";
import { ambition } from "./ambition.ts";
import { heardPeer, isByHandover, isWitnessAway, pairFloor } from "./facts.ts";
import {
  type LeadingRole,
  type NodeState,
  type Purpose,
  patch,
  patchDisk,
  report,
  toWaiting,
  withRole,
} from "./state.ts";

/**
 * From secondary to primary: stop promising, let the last promise run out, persist the question,
 * ask it. Persisting the question is this node's own vote: until the answer is known it promises
 * and acknowledges nothing for the old epoch, as the answer may be yes.
 */
export function becomeCandidate(s: NodeState, purpose: Purpose, nowMs: BootMs): NodeState {
  // Patience that ran out while waiting is not there anew: the wish would end with its own success.
  const sinceMs = s.role.kind === "waiting" ? s.role.sinceMs : nowMs;
  return withRole(s, { kind: "candidate", purpose, step: "closing", sinceMs });
}

export function stepCandidate(s: NodeState, nowMs: BootMs): NodeState {
  if (s.role.kind !== "candidate") return s;
  const { purpose, step } = s.role;
  if (step === "asking") return stepAsking(s, purpose, nowMs);
  if (!isStillWanted(s, purpose, nowMs)) return toWaiting(s, nowMs);
  if (!mayAskNow(s, purpose, nowMs)) return s;
  const toEpoch =
    boundEpoch(s.disk) > s.disk.epoch && s.disk.asked === boundEpoch(s.disk)
      ? s.disk.asked
      : boundEpoch(s.disk) + 1;
  const above = Math.max(aboveAll(s, toEpoch), pairFloor(s, nowMs) + 1);
  const asked = patchDisk(patch(s, { attachedEpoch: null }), { asked: above });
  return withRole(asked, { ...s.role, step: "asking", sinceMs: nowMs });
}

/** A forced epoch must be above everything this node has ever heard of. */
function aboveAll(s: NodeState, toEpoch: Epoch): Epoch {
  if (s.role.kind !== "candidate" || s.role.purpose.kind !== "force") return toEpoch;
  const recorded = s.witness.record?.known?.epoch ?? 0;
  const peers = Math.max(s.peer?.epoch ?? 0, s.peer?.asked ?? 0);
  return Math.max(toEpoch, recorded + 1, peers + 1);
}

function isStillWanted(s: NodeState, purpose: Purpose, nowMs: BootMs): boolean {
  if (purpose.kind !== "force") return ambition(s, nowMs).kind === "lead";
  const peer = heardPeer(s, nowMs);
  return peer?.role !== "leading" && s.disk.isStartWanted;
}

function mayAskNow(s: NodeState, purpose: Purpose, nowMs: BootMs): boolean {
  if (s.shown?.promise !== null || s.promises.closesPending > 0) return false;
  // The primary itself signed that it acts no more: there is no lease left to wait for.
  if (purpose.kind === "promote" && purpose.release !== null) return true;
  const lastEnds = s.promises.lastEndsMs;
  const { handicapMs } = s.config.timers;
  if (lastEnds !== null && nowMs < lastEnds + handicapMs) return false;
  return nowMs >= s.promotableAtMs;
}

function stepAsking(s: NodeState, purpose: Purpose, nowMs: BootMs): NodeState {
  if (purpose.kind !== "force" || !purpose.withoutWitness || !isWitnessAway(s, nowMs)) return s;
  // The person vouches for the peer, and is the second voter until the witness can record it.
  const forced = { ...purpose, epoch: s.disk.asked };
  const { historyId, by, reason, epoch } = forced;
  const led = becomeLeader(s, { epoch, historyId, inSync: [s.config.self] }, nowMs);
  const marked = patchDisk(led, {
    forced: { historyId, epoch, by, reason },
    standingVote: { from: "person", epoch },
  });
  return report(marked, "critical", `${by} forced this node without the witness: ${reason}`);
}

type NewEpoch = {
  readonly epoch: Epoch;
  readonly historyId: string | null;
  readonly inSync: readonly NodeId[];
};

/** The new epoch is this node's: durable with the next persist, which comes before any answer. */
export function becomeLeader(s: NodeState, e: NewEpoch, nowMs: BootMs): NodeState {
  const isSameEpoch = s.disk.epoch === e.epoch;
  const isHandedOver = isSameEpoch ? s.disk.previousPrimary === null : isByHandover(s);
  const before = isHandedOver ? null : s.disk.primary;
  const disk = patchDisk(s, {
    epoch: e.epoch,
    historyId: e.historyId,
    copyHistoryId: e.historyId,
    primary: s.config.self,
    inSync: e.inSync,
    outdated: false,
    isUnclean: false,
    asked: s.disk.asked > e.epoch ? s.disk.asked : 0,
    pairVote: (s.disk.pairVote?.terms.epoch ?? 0) > e.epoch ? s.disk.pairVote : null,
    joining: isSameEpoch ? s.disk.joining : null,
    standingVote: isSameEpoch ? s.disk.standingVote : null,
    released: null,
    pairDecision: isSameEpoch ? s.disk.pairDecision : null,
    forced: isSameEpoch ? s.disk.forced : null,
    previousPrimary: isSameEpoch ? s.disk.previousPrimary : before,
  });
  // A fenced primary that is chosen again thaws where it stood: its application never stopped.
  const hasServed = (s.role.kind === "leading" && s.role.hasServed) || s.kept !== null;
  const role: LeadingRole = {
    kind: "leading",
    epoch: e.epoch,
    isPeerAttached: s.kept?.attachedEpoch === e.epoch,
    deniedSinceMs: null,
    hasServed,
    fencedSinceMs: nowMs,
    ask: null,
    resync: null,
    resyncNotBeforeMs: nowMs,
    handover: null,
    // Whoever handed over, and is as able as ever, did not lose its role: it wants none back.
    hasTriedReturn: isHandedOver,
  };
  const led = withRole(patch(disk, { attachedEpoch: null, voteGiven: null, kept: null }), role);
  return report(led, "event", `this node is primary of epoch ${e.epoch}`);
}
