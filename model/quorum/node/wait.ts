import type { BootMs } from "../../shared/ids.ts";
import type { PeerState } from "../peer-state.ts";
import { ambition } from "./ambition.ts";
import {
  hasLiveGrant,
  heardPeer,
  isOnlyHeir,
  lastPrimary,
  leaderToFollow,
  peerSilenceMs,
} from "./facts.ts";
import { isInMaintenance } from "./maintenance.ts";
import { becomeCandidate, becomeLeader } from "./promote.ts";
import { type NodeState, patch, patchDisk, report, toWaiting, withRole } from "./state.ts";

/** Neither leading nor following: look for a primary to follow, or for a reason to be one. */
export function stepWaiting(s: NodeState, nowMs: BootMs): NodeState {
  if (s.role.kind !== "waiting") return s;
  const over = whyKeptIsOver(s, nowMs);
  if (over !== null) {
    const told = report(patch(s, { kept: null }), "critical", over);
    return withRole(told, { kind: "steppingDown", because: over });
  }
  if (!s.disk.isStartWanted) {
    return withRole(s, { kind: "stopping", step: "leaving", goal: "stop", sinceMs: nowMs });
  }
  if (s.blocker !== null) return s;
  if (leaderToFollow(s, nowMs) !== null) {
    // Once a primary was found, its later loss is no matter of booting.
    const bootWaitUntilMs = Math.min(s.bootWaitUntilMs, nowMs);
    return withRole(patch(s, { bootWaitUntilMs }), { kind: "following", epoch: s.disk.epoch });
  }
  const wish = ambition(s, nowMs);
  switch (wish.kind) {
    case "resume":
      return stepResuming(s, nowMs);
    case "lead":
      if (nowMs < s.role.retryAtMs) return s;
      return becomeCandidate(report(s, "info", wish.reason), wish.purpose, nowMs);
    case "wait":
      return s;
  }
}

/** What outlived the agent goes on only if this node leads on, and soon; null: it may yet. */
function whyKeptIsOver(s: NodeState, nowMs: BootMs): string | null {
  if (s.kept === null) return null;
  const wish = ambition(s, nowMs);
  if (wish.kind !== "resume") return `this node does not lead on: ${wish.reason}`;
  const { giveUpAfterMs } = s.config.timers;
  if (nowMs - s.startedMs < giveUpAfterMs || isInMaintenance(s)) return null;
  return `no other voter confirmed this primary for ${giveUpAfterMs / 1000} s: gave up`;
}

/**
 * A primary whose agent restarted, or which gave up waiting, goes on under its own epoch as soon
 * as another voter says that no newer one has begun. Where the data plane went with the agent,
 * operations may have reached its own disk and not the peer's, so the peer does not count as
 * attached: it is shrunk away first, then resynced.
 */
function stepResuming(s: NodeState, nowMs: BootMs): NodeState {
  const { epoch, historyId, inSync } = s.disk;
  if (!hasLiveGrant(s, epoch, nowMs)) return s;
  // A standing vote lasts through restarts. Only a person's force can have passed it by, so after
  // a boot this node listens for a moment before it trusts its own disk alone.
  const known = s.witness.record?.known ?? null;
  const isKnown = known?.epoch === epoch && known.historyId === historyId;
  // A person answered for the peer at that moment, not for ever.
  const isPersons = s.disk.standingVotes.some((v) => v.epoch === epoch && v.from === "person");
  const listensUntilMs = isPersons ? s.startedMs + s.config.timers.bootWaitMs : s.bootWaitUntilMs;
  const mustListen = !isKnown && (isPersons || !s.isSameBoot);
  if (isOnlyHeir(s, epoch) && mustListen && nowMs < listensUntilMs) return s;
  return becomeLeader(s, { epoch, historyId, inSync }, nowMs);
}

/** Secondary: take the primary's operations, and notice when there is none any more. */
export function stepFollowing(s: NodeState, nowMs: BootMs): NodeState {
  if (s.role.kind !== "following") return s;
  if (!s.disk.isStartWanted || s.blocker !== null) {
    const goal = s.disk.isStartWanted ? "wait" : "stop";
    return withRole(s, { kind: "stopping", step: "leaving", goal, sinceMs: nowMs });
  }
  const leader = leaderToFollow(s, nowMs);
  if (leader !== null) return joinLeader(s, leader);
  const primary = lastPrimary(s);
  const isHeard = heardPeer(s, primary, nowMs) !== null;
  const { peerLeaseMs, handicapMs } = s.config.timers;
  if (!isHeard && peerSilenceMs(s, primary, nowMs) < peerLeaseMs + handicapMs) return s;
  const why = isHeard ? "does not lead any more" : "is not heard any more";
  return toWaiting(report(s, "event", `${primary} ${why}`), nowMs);
}

/**
 * The one place where a copy counts as complete again: it takes the live stream of this epoch
 * after a finished resync, and the primary has it on its disk that it acknowledges nothing
 * without this node.
 */
function joinLeader(s: NodeState, leader: PeerState): NodeState {
  const isRequired = leader.joining === s.config.self || leader.inSync.includes(s.config.self);
  const isComplete = s.attachedEpoch === s.disk.epoch && s.fault === null;
  if (!isRequired || !isComplete || leader.standingVoteAsk !== null) return s;
  const { outdated, isUnclean, copyHistoryId, historyId } = s.disk;
  if (!outdated && !isUnclean && copyHistoryId === historyId) return s;
  const joined = patchDisk(s, { outdated: false, isUnclean: false, copyHistoryId: historyId });
  return report(patch(joined, { voteGiven: null }), "event", "this copy is complete again");
}

/**
 * Gives the standing vote that the primary asks for: durable word that this copy is out of the
 * set. Never while an own question to the witness is open, which might still make it primary.
 */
export function giveStandingVote(s: NodeState, peer: PeerState): NodeState {
  const ask = peer.standingVoteAsk;
  if (ask === null || ask.epoch !== s.disk.epoch || s.disk.primary !== peer.nodeId) return s;
  if (s.disk.asked > s.disk.epoch || s.disk.pairVote !== null) return s;
  if (s.role.kind === "leading" || s.role.kind === "broken" || s.voteGiven?.id === ask.id) return s;
  const given = patchDisk(s, { outdated: true });
  const told = report(given, "event", `promised ${peer.nodeId} not to take over until resynced`);
  return patch(told, { voteGiven: ask, attachedEpoch: null });
}
