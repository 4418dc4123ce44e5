import type { BootMs, Epoch, NodeId } from "../../shared/ids.ts";
import { boundEpoch } from "../disk.ts";
import type { Release } from "../pair.ts";
import { boundOf } from "../peer-state.ts";
import { hasWitnessVote } from "../voters.ts";
import { ambition } from "./ambition.ts";
import { heardPeers, isByHandover, isWitnessAway, nodesOf, pairFloor, viewOf } from "./facts.ts";
import { goesBefore } from "./rank.ts";
import {
  type LeadingRole,
  type NodeState,
  type Purpose,
  patch,
  patchDisk,
  report,
  type Secondary,
  toWaiting,
  withRole,
} from "./state.ts";
import { arePromisesOver, hasVotes } from "./vote-facts.ts";

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
  // Who must gather votes may have run out of patience with a better node: it is not there anew.
  const sinceMs = hasWitnessVote(nodesOf(s.config)) ? nowMs : s.role.sinceMs;
  return withRole(asked, { ...s.role, step: "asking", sinceMs });
}

/** A forced epoch must be above everything this node has ever heard of. */
function aboveAll(s: NodeState, toEpoch: Epoch): Epoch {
  if (s.role.kind !== "candidate" || s.role.purpose.kind !== "force") return toEpoch;
  const recorded = s.witness.record?.known?.epoch ?? 0;
  const peers = s.config.peers.flatMap((id) => viewOf(s, id).state ?? []);
  const known = peers.map((peer) => Math.max(peer.epoch, peer.asked));
  return Math.max(toEpoch, recorded + 1, ...known.map((epoch) => epoch + 1));
}

function isStillWanted(s: NodeState, purpose: Purpose, nowMs: BootMs): boolean {
  if (purpose.kind !== "force") return ambition(s, nowMs).kind === "lead";
  const isLed = heardPeers(s, nowMs).some((peer) => peer.role === "leading");
  return !isLed && s.disk.isStartWanted;
}

function mayAskNow(s: NodeState, purpose: Purpose, nowMs: BootMs): boolean {
  // The primary itself signed that it acts no more: there is no lease left to wait for.
  const isReleased = purpose.kind === "promote" && purpose.release !== null;
  if (isReleased) return s.shown?.promise === null && s.promises.closesPending === 0;
  return arePromisesOver(s, nowMs);
}

/**
 * Without the votes that it needs a candidate asks nothing of the witness yet, and asks for a higher
 * epoch where those it needs are bound at its own. It gives way to one that goes first, as long as
 * the witness is not about to answer.
 */
function gatherVotes(s: NodeState, release: Release | null, nowMs: BootMs): NodeState {
  const isWon = hasVotes(s, release);
  if (isWon && (hasWitnessVote(nodesOf(s.config)) || !isWitnessAway(s, nowMs))) return s;
  const bound = heardPeers(s, nowMs).filter((peer) => boundOf(peer) >= s.disk.asked);
  const isBeaten = bound.some((peer) => peer.asked > peer.epoch && goesBefore(s, peer, nowMs));
  if (isBeaten) return toWaiting(s, nowMs, 2 * s.config.timers.voteRetryMs);
  // Votes that were shown to the witness already: its answer is waited for.
  if (isWon || s.witness.pending?.request.kind === "promote") return s;
  if (ambition(s, nowMs).kind !== "lead") return toWaiting(s, nowMs);
  if (bound.length === 0) return s;
  return patchDisk(s, { asked: 1 + Math.max(...bound.map(boundOf)) });
}

function stepAsking(s: NodeState, purpose: Purpose, nowMs: BootMs): NodeState {
  if (purpose.kind === "promote") return gatherVotes(s, purpose.release, nowMs);
  if (purpose.kind !== "force" || !purpose.withoutWitness || !isWitnessAway(s, nowMs)) return s;
  // The person vouches for the peer, and is the second voter until the witness can record it.
  const forced = { ...purpose, epoch: s.disk.asked };
  const { historyId, by, reason, epoch } = forced;
  const led = becomeLeader(s, { epoch, historyId, inSync: [s.config.self] }, nowMs);
  const marked = patchDisk(led, {
    forced: { historyId, epoch, by, reason },
    standingVotes: [{ from: "person", epoch }],
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
    standingVotes: isSameEpoch ? s.disk.standingVotes : [],
    released: null,
    pairDecision: isSameEpoch ? s.disk.pairDecision : null,
    forced: isSameEpoch ? s.disk.forced : null,
    previousPrimary: isSameEpoch ? s.disk.previousPrimary : before,
  });
  // A fenced primary that is chosen again thaws where it stood: its application never stopped.
  const hasServed = (s.role.kind === "leading" && s.role.hasServed) || s.kept !== null;
  const secondary: Secondary = {
    isAttached: false,
    deniedSinceMs: null,
    ask: null,
    resync: null,
    resyncNotBeforeMs: nowMs,
    // Whoever handed over, and is as able as ever, did not lose its role: it wants none back.
    hasTriedReturn: isHandedOver,
  };
  const isKept = (id: NodeId) => s.kept?.epoch === e.epoch && s.kept.attached.includes(id);
  const role: LeadingRole = {
    kind: "leading",
    epoch: e.epoch,
    hasServed,
    fencedSinceMs: nowMs,
    secondaries: Object.fromEntries(
      s.config.peers.map((id) => [id, { ...secondary, isAttached: isKept(id) }]),
    ),
    handover: null,
  };
  const led = withRole(patch(disk, { attachedEpoch: null, voteGiven: null, kept: null }), role);
  return report(led, "event", `this node is primary of epoch ${e.epoch}`);
}
