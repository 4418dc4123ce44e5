import type { BootMs, Epoch, NodeId } from "../../shared/ids.ts";
import type { NodeDisk } from "../disk.ts";
import type { PairDecision } from "../pair.ts";
import type { PeerState } from "../peer-state.ts";
import type { WitnessRecord } from "../record.ts";
import { isByHandover, viewOf } from "./facts.ts";
import { type NodeState, patch, patchDisk, report, withRole } from "./state.ts";

/**
 * News of an epoch. Whoever tells it (the peer's disk or the witness's record), a higher epoch is
 * true: some majority began it. What it means for this node's own copy is the delicate part.
 */
type News = {
  readonly epoch: Epoch;
  readonly historyId: string | null;
  readonly primary: NodeId | null;
  readonly inSync: readonly NodeId[];
  /** What began that epoch, if it was the pair: the witness may have to be shown it. */
  readonly pairDecision: PairDecision | null;
};

/** Takes what a peer published; `s.peers` already holds it. */
export function learnFromPeer(s: NodeState, peer: PeerState, nowMs: BootMs): NodeState {
  if (peer.primary === null) return s;
  if (peer.epoch > s.disk.epoch) return learnEpoch(s, peer, nowMs);
  const isItsEpoch = peer.epoch === s.disk.epoch && peer.primary === peer.nodeId;
  if (!isItsEpoch || peer.historyId !== s.disk.historyId) return s;
  const isOut = !peer.inSync.includes(s.config.self) && peer.joining !== s.config.self;
  const outdated = s.disk.outdated || isOut;
  if (outdated === s.disk.outdated && sameNodes(peer.inSync, s.disk.inSync)) return s;
  return patchDisk(s, { inSync: peer.inSync, outdated });
}

/** Takes the witness's record, from whatever answer carried it. */
export function learnFromRecord(s: NodeState, record: WitnessRecord, nowMs: BootMs): NodeState {
  if (record.primary === null || record.isRecovering) return s;
  const isOtherHistory =
    record.epoch === s.disk.epoch && record.epoch > 0 && record.historyId !== s.disk.historyId;
  if (record.epoch > s.disk.epoch || isOtherHistory) {
    return learnEpoch(s, { ...record, pairDecision: null }, nowMs);
  }
  if (record.epoch !== s.disk.epoch || record.primary === s.config.self) return s;
  // A secondary that has joined but is not recorded yet must not take an old record for news.
  const primary = viewOf(s, record.primary).state;
  const isJoining = primary?.epoch === s.disk.epoch && primary.joining === s.config.self;
  if (record.inSync.includes(s.config.self) || isJoining || s.disk.outdated) return s;
  return patchDisk(s, { outdated: true, inSync: record.inSync });
}

function learnEpoch(s: NodeState, news: News, nowMs: BootMs): NodeState {
  const { disk } = s;
  const wasLeading = s.role.kind === "leading" || s.role.kind === "released";
  const learned = patchDisk(s, {
    epoch: news.epoch,
    historyId: news.historyId,
    primary: news.primary,
    inSync: news.inSync,
    outdated: !isCopyComplete(disk, news, s.config.self),
    joining: null,
    asked: disk.asked > news.epoch ? disk.asked : 0,
    pairVote: (disk.pairVote?.terms.epoch ?? 0) > news.epoch ? disk.pairVote : null,
    pairDecision: news.pairDecision?.terms.epoch === news.epoch ? news.pairDecision : null,
    released: null,
    standingVotes: [],
    forced: null,
    previousPrimary: isByHandover(s) ? null : disk.primary,
  });
  const told = report(
    patch(learned, {
      voteGiven: null,
      attachedEpoch: null,
      witness: { ...s.witness, grantUntilMs: null },
    }),
    "event",
    `epoch ${news.epoch} of ${news.primary} has begun`,
  );
  if (!wasLeading) return toListening(told, nowMs);
  // A released leader has stopped its application already; any other one is deposed: what it
  // answered since would be answered beside the new primary.
  if (s.role.kind === "released") return afterRelease(told, s.role.goal, nowMs);
  const because = `deposed: epoch ${news.epoch} of ${news.primary} has begun`;
  return withRole(told, { kind: "steppingDown", because });
}

/**
 * Does this copy hold every write acknowledged before the new epoch? Being named in its set is
 * not enough: a disk put back to an older state is named too. Only what this node itself did to
 * begin that epoch proves it: it asked for it, voted for it, or handed over to it.
 */
function isCopyComplete(disk: NodeDisk, news: News, self: NodeId): boolean {
  if (!news.inSync.includes(self)) return false;
  // Others signed it too, from the disk of the primary that was: it says more of this copy than a
  // record that this node read since, of a smaller set under which nothing was ever acknowledged.
  const voted = disk.pairVote?.terms;
  const hasVoted = voted?.epoch === news.epoch && voted.inSync.includes(self);
  if (hasVoted || disk.outdated) return hasVoted;
  const hasAsked = news.primary === self && disk.asked >= news.epoch;
  const hasReleased = disk.released?.epoch === disk.epoch && disk.released.to === news.primary;
  return hasAsked || hasReleased;
}

function toListening(s: NodeState, nowMs: BootMs): NodeState {
  switch (s.role.kind) {
    case "following":
    case "candidate":
      return withRole(s, { kind: "waiting", sinceMs: nowMs, retryAtMs: nowMs });
    default:
      return s;
  }
}

function afterRelease(s: NodeState, goal: "follow" | "stop" | "wait", nowMs: BootMs): NodeState {
  if (goal === "follow") {
    return withRole(s, { kind: "waiting", sinceMs: nowMs, retryAtMs: nowMs });
  }
  return withRole(s, { kind: "stopping", step: "leaving", goal, sinceMs: nowMs });
}

const sameNodes = (a: readonly NodeId[], b: readonly NodeId[]): boolean =>
  a.length === b.length && a.every((n, i) => n === b[i]);
