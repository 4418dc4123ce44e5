import type { BootMs, Epoch, NodeId } from "../../shared/ids.ts";
import type { DiskReport } from "../disk.ts";
import { diskReport, hasOpenVote } from "../disk.ts";
import type { Release } from "../pair.ts";
import { HOLDER_SHARE } from "../timers.ts";
import { hasWitnessVote } from "../voters.ts";
import { ambition } from "./ambition.ts";
import {
  hasStandingVote,
  heardPeer,
  heardPeers,
  isGrantFresh,
  isOnlyHeir,
  isPeerGrantFresh,
  isRequired,
  mustShrink,
  nodesOf,
  reachedPeer,
} from "./facts.ts";
import { type LeadingRole, type NodeState, secondaryOf } from "./state.ts";
import { hasVotes } from "./vote-facts.ts";

/** What this node wants of the witness at this moment; at most one thing, or nothing. */
export type Wish =
  | { readonly kind: "read" }
  | { readonly kind: "grant"; readonly epoch: Epoch; readonly inSync: readonly NodeId[] }
  | { readonly kind: "grow"; readonly epoch: Epoch; readonly inSync: readonly NodeId[] }
  | {
      readonly kind: "promote";
      readonly fromEpoch: Epoch;
      readonly toEpoch: Epoch;
      readonly release: Release | null;
      readonly isLastResort: boolean;
    }
  | {
      readonly kind: "firstPrimary";
      readonly toEpoch: Epoch;
      readonly historyId: string;
      readonly because: "person" | "bothEmpty";
    }
  | { readonly kind: "withdraw" }
  | { readonly kind: "adopt" }
  | { readonly kind: "report"; readonly disk: DiskReport }
  | {
      readonly kind: "force";
      readonly toEpoch: Epoch;
      readonly historyId: string;
      readonly by: string;
      readonly reason: string;
    };

const WAITING_READ_MS = 2000;

export function wishOf(s: NodeState, nowMs: BootMs): Wish | null {
  if (s.role.kind === "broken") return null;
  if (s.role.kind === "candidate" && s.role.purpose.kind === "force") return candidateWish(s);
  const toRecover = recoveryWish(s);
  if (toRecover !== null) return toRecover;
  switch (s.role.kind) {
    case "leading":
      return leaderWish(s, s.role, nowMs) ?? readWish(s, nowMs, readEveryMs(s, s.role));
    case "candidate":
      return candidateWish(s) ?? readWish(s, nowMs, WAITING_READ_MS);
    case "waiting":
      return (
        withdrawWish(s) ??
        adoptWish(s) ??
        lateGrowWish(s, nowMs) ??
        resumeWish(s, nowMs) ??
        readWish(s, nowMs, WAITING_READ_MS)
      );
    default:
      return withdrawWish(s) ?? adoptWish(s) ?? readWish(s, nowMs, s.config.timers.witnessCheckMs);
  }
}

const readEveryMs = (s: NodeState, role: LeadingRole): number =>
  role.handover?.step === "probing" ? 0 : s.config.timers.witnessCheckMs;

function readWish(s: NodeState, nowMs: BootMs, everyMs: number): Wish | null {
  const last = s.witness.lastAnswerMs;
  const isDue = last === null || nowMs - last >= everyMs || s.witness.record === null;
  return isDue || s.witness.pending?.request.kind === "read" ? { kind: "read" } : null;
}

/** The witness lost its memory: tell it what this disk says, once per state of the disk. */
function recoveryWish(s: NodeState): Wish | null {
  const view = s.witness.record;
  if (view === null || s.disk.nodeId === "") return null;
  const hasLostRecord = view.known === null && s.disk.epoch > 0;
  if (!hasLostRecord && view.known?.isRecovering !== true) return null;
  const disk = diskReport(s.disk);
  return s.witness.reported === JSON.stringify(disk) ? null : { kind: "report", disk };
}

/** A question that was open when the agent restarted: make sure that its answer can only be no. */
function withdrawWish(s: NodeState): Wish | null {
  return s.disk.asked > s.disk.epoch && s.disk.epoch > 0 ? { kind: "withdraw" } : null;
}

/** The last primary found nobody who promises to it: the witness may confirm its epoch. */
function resumeWish(s: NodeState, nowMs: BootMs): Wish | null {
  if (s.role.kind !== "waiting" || nowMs < s.role.retryAtMs) return null;
  if (ambition(s, nowMs).kind !== "resume") return null;
  if (isGrantFresh(s, s.disk.epoch, nowMs) || !hasWitnessVote(nodesOf(s.config))) return null;
  const { detectAfterMs } = s.config.timers;
  const patienceMs = heardPeers(s, nowMs).length === 0 ? detectAfterMs : detectAfterMs * 2;
  if (nowMs - s.role.sinceMs < patienceMs) return null;
  return { kind: "grant", epoch: s.disk.epoch, inSync: [s.config.self] };
}

function candidateWish(s: NodeState): Wish | null {
  if (s.role.kind !== "candidate" || s.role.step !== "asking") return null;
  const purpose = s.role.purpose;
  const toEpoch = s.disk.asked;
  switch (purpose.kind) {
    case "promote": {
      const { release, isLastResort } = purpose;
      if (!hasVotes(s, release)) return null;
      return { kind: "promote", fromEpoch: s.disk.epoch, toEpoch, release, isLastResort };
    }
    case "first": {
      const { because } = purpose;
      return { kind: "firstPrimary", toEpoch, historyId: s.newHistoryId, because };
    }
    case "force": {
      const { historyId, by, reason } = purpose;
      return { kind: "force", toEpoch, historyId, by, reason };
    }
  }
}

function leaderWish(s: NodeState, role: LeadingRole, nowMs: BootMs): Wish | null {
  const { epoch } = role;
  if (s.disk.forced !== null) {
    const { historyId, by, reason } = s.disk.forced;
    return { kind: "force", toEpoch: s.disk.forced.epoch, historyId, by, reason };
  }
  if (hasOpenVote(s.disk)) {
    // Nothing of this epoch is of use any more: either a higher one, or the pair decides.
    if (s.disk.asked <= epoch || !hasVotes(s, null)) return null;
    const toEpoch = s.disk.asked;
    const plain = { release: null, isLastResort: false };
    return { kind: "promote", fromEpoch: epoch, toEpoch, ...plain };
  }
  const growing = s.config.peers.filter((id) => canGrow(s, role, id, nowMs));
  if (growing.length > 0) return { kind: "grow", epoch, inSync: grownBy(s, growing) };
  const kept = keptSet(s, role, nowMs);
  return kept === null ? adoptWish(s) : { kind: "grant", epoch, inSync: kept };
}

/** The set in the record, where it is of this epoch. */
function recordedSet(s: NodeState): readonly NodeId[] | null {
  const known = s.witness.record?.known ?? null;
  return known?.epoch === s.disk.epoch ? known.inSync : null;
}

/** Sorted, so that the same wish always reads the same. */
const grownBy = (s: NodeState, ids: readonly NodeId[]): readonly NodeId[] =>
  [...new Set([s.config.self, ...(recordedSet(s) ?? s.disk.inSync), ...ids])].sort();

/**
 * This OS died while a peer was joining. The peer is complete, and nothing was acknowledged
 * without it: the witness must know before anybody is promoted.
 */
function lateGrowWish(s: NodeState, nowMs: BootMs): Wish | null {
  const { joining, primary, isUnclean, epoch } = s.disk;
  const state = joining === null ? null : heardPeer(s, joining, nowMs);
  const isLeft = primary === s.config.self && isUnclean;
  if (!isLeft || hasOpenVote(s.disk) || s.disk.released !== null) return null;
  if (joining === null || state === null || state.outdated || state.isUnclean) return null;
  return { kind: "grow", epoch, inSync: grownBy(s, [joining]) };
}

/** The record is behind what the pair decided. */
function adoptWish(s: NodeState): Wish | null {
  const known = s.witness.record?.known ?? null;
  const isBehind = known !== null && known.epoch < (s.disk.pairDecision?.terms.epoch ?? 0);
  return isBehind ? { kind: "adopt" } : null;
}

/**
 * The peer said, after this node required its acknowledgement, that its copy is complete; or it
 * was required all along, while a smaller set was recorded in a moment of doubt.
 */
function canGrow(s: NodeState, role: LeadingRole, id: NodeId, nowMs: BootMs): boolean {
  const peer = heardPeer(s, id, nowMs);
  const { isAttached, ask } = secondaryOf(role, id);
  if (!isAttached || peer === null || ask !== null) return false;
  if (!isPeerGrantFresh(s, id, role.epoch, nowMs) || s.unconfirmedSinceMs !== null) return false;
  const isForgotten = s.disk.inSync.includes(id) && recordedSet(s)?.includes(id) === false;
  if (s.disk.joining !== id && !isForgotten) return false;
  return peer.epoch === role.epoch && !peer.outdated && peer.isAttached;
}

/**
 * The smaller set to be recorded, or the same one for the sake of the witness's grant; null: there
 * is no need to ask.
 */
function keptSet(s: NodeState, role: LeadingRole, nowMs: BootMs): readonly NodeId[] | null {
  const { self, peers } = s.config;
  const recorded = recordedSet(s);
  const lost = peers.filter((id) => isLost(s, role, id, nowMs));
  const hasLeft = (id: NodeId) => hasStandingVote(s, id, role.epoch) && recorded?.includes(id);
  const needsLease = needsWitnessGrant(s, role, nowMs);
  if (lost.length === 0 && !peers.some(hasLeft) && !needsLease) return null;
  const stays = (id: NodeId) =>
    isRequired(s, id) &&
    !lost.includes(id) &&
    (recorded?.includes(id) ?? true) &&
    (!needsLease || isPeerGrantFresh(s, id, role.epoch, nowMs));
  return [self, ...peers.filter(stays)].sort();
}

/**
 * It must acknowledge, is not attached, and does not give its standing vote at once. Where the
 * witness has no vote, a majority must be with this primary: left alone, it would only take from
 * the others, who may promote one of them, their places in the set.
 */
function isLost(s: NodeState, role: LeadingRole, id: NodeId, nowMs: BootMs): boolean {
  if (hasStandingVote(s, id, role.epoch) || !mustShrink(s, role, id)) return false;
  if (!hasWitnessVote(nodesOf(s.config)) && !isGrantFresh(s, role.epoch, nowMs)) return false;
  const { ask } = secondaryOf(role, id);
  const isUnreached = reachedPeer(s, id, nowMs) === null;
  const hasAskedLongMs = ask === null ? 0 : nowMs - ask.sinceMs;
  const isMute = hasAskedLongMs >= 2 * s.config.timers.voteRetryMs;
  const isUnanswerable = ask === null && role.fencedSinceMs !== null;
  return isUnreached || isMute || isUnanswerable;
}

/** The peers' promises are being lost, and the witness has a vote that can take their place. */
function needsWitnessGrant(s: NodeState, role: LeadingRole, nowMs: BootMs): boolean {
  if (!hasWitnessVote(nodesOf(s.config)) || isOnlyHeir(s, role.epoch)) return false;
  if (isGrantFresh(s, role.epoch, nowMs)) return false;
  const until = s.witness.grantUntilMs;
  const { witnessLeaseMs } = s.config.timers;
  const isRenewalDue = until === null || until - nowMs < witnessLeaseMs * HOLDER_SHARE * (2 / 3);
  return isRenewalDue || s.unconfirmedSinceMs !== null;
}
