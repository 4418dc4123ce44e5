import type { BootMs, Epoch, NodeId } from "../../shared/ids.ts";
import type { DiskReport } from "../disk.ts";
import { diskReport, hasOpenVote } from "../disk.ts";
import type { Release } from "../pair.ts";
import { HOLDER_SHARE } from "../timers.ts";
import { ambition } from "./ambition.ts";
import { heardPeer, isPeerGrantFresh, mustShrink, reachedPeer } from "./facts.ts";
import type { LeadingRole, NodeState } from "./state.ts";

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
  if (isPeerGrantFresh(s, s.disk.epoch, nowMs)) return null;
  const { detectAfterMs } = s.config.timers;
  const patienceMs = heardPeer(s, nowMs) === null ? detectAfterMs : detectAfterMs * 2;
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
  const { self, peer } = s.config;
  const known = s.witness.record?.known ?? null;
  if (s.disk.forced !== null) {
    const { epoch, historyId, by, reason } = s.disk.forced;
    return { kind: "force", toEpoch: epoch, historyId, by, reason };
  }
  if (hasOpenVote(s.disk)) {
    // Nothing of this epoch is of use any more: either a higher one, or the pair decides.
    if (s.disk.asked <= role.epoch) return null;
    const toEpoch = s.disk.asked;
    const plain = { release: null, isLastResort: false };
    return { kind: "promote", fromEpoch: role.epoch, toEpoch, ...plain };
  }
  if (canGrow(s, role, nowMs)) {
    // Sorted, so that the same wish always reads the same.
    return { kind: "grow", epoch: role.epoch, inSync: [self, peer].sort() };
  }
  const isRecordedLarger =
    known !== null && known.epoch === role.epoch && known.inSync.includes(peer);
  const hasVote = s.disk.standingVote?.epoch === role.epoch;
  if ((hasVote && isRecordedLarger) || needsWitnessGrant(s, role, nowMs)) {
    return { kind: "grant", epoch: role.epoch, inSync: [self] };
  }
  return adoptWish(s);
}

/**
 * This OS died while the peer was joining. The peer is complete, and nothing was acknowledged
 * without it: the witness must know before anybody is promoted.
 */
function lateGrowWish(s: NodeState, nowMs: BootMs): Wish | null {
  const { self, peer } = s.config;
  const state = heardPeer(s, nowMs);
  const isLeft = s.disk.primary === self && s.disk.joining === peer && s.disk.isUnclean;
  if (!isLeft || hasOpenVote(s.disk) || s.disk.released !== null) return null;
  if (state === null || state.outdated || state.isUnclean) return null;
  return { kind: "grow", epoch: s.disk.epoch, inSync: [self, peer].sort() };
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
function canGrow(s: NodeState, role: LeadingRole, nowMs: BootMs): boolean {
  const peer = heardPeer(s, nowMs);
  if (!role.isPeerAttached || peer === null || role.ask !== null) return false;
  if (!isPeerGrantFresh(s, role.epoch, nowMs) || s.unconfirmedSinceMs !== null) return false;
  const known = s.witness.record?.known ?? null;
  const isIn = s.disk.inSync.includes(s.config.peer);
  const isForgotten = isIn && known?.epoch === role.epoch && !known.inSync.includes(peer.nodeId);
  if (s.disk.joining === null && !isForgotten) return false;
  return peer.epoch === role.epoch && !peer.outdated && peer.isAttached;
}

/**
 * Ask the witness when the peer's promise is being lost, or when the peer must be acknowledged by
 * and is not attached, and does not give its standing vote at once.
 */
function needsWitnessGrant(s: NodeState, role: LeadingRole, nowMs: BootMs): boolean {
  if (s.disk.standingVote?.epoch === role.epoch) return false;
  if (mustShrink(s, role)) {
    const isUnreached = reachedPeer(s, nowMs) === null;
    const hasAskedLongMs = role.ask === null ? 0 : nowMs - role.ask.sinceMs;
    const isMute = hasAskedLongMs >= 2 * s.config.timers.voteRetryMs;
    const isUnanswerable = role.ask === null && role.fencedSinceMs !== null;
    if (isUnreached || isMute || isUnanswerable) return true;
  }
  if (isPeerGrantFresh(s, role.epoch, nowMs)) return false;
  const until = s.witness.grantUntilMs;
  const { witnessLeaseMs } = s.config.timers;
  const isRenewalDue = until === null || until - nowMs < witnessLeaseMs * HOLDER_SHARE * (2 / 3);
  return isRenewalDue || s.unconfirmedSinceMs !== null;
}
