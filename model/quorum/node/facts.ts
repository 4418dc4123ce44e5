import type { BootMs, Epoch, NodeId } from "../../shared/ids.ts";
import { hasOpenVote } from "../disk.ts";
import type { PeerState } from "../peer-state.ts";
import { HOLDER_SHARE } from "../timers.ts";
import type { NodeConfig } from "../types.ts";
import { isMajority } from "../voters.ts";
import {
  type LeadingRole,
  NEVER_HEARD,
  type NodeState,
  type PeerView,
  secondaryOf,
} from "./state.ts";

/** Plain questions about what a node knows. None of them changes anything. */

export const viewOf = (s: NodeState, id: NodeId): PeerView => s.peers[id] ?? NEVER_HEARD;

export const nodesOf = (config: NodeConfig): readonly NodeId[] => [config.self, ...config.peers];

/** The other node that is primary of the epoch on this disk; null: it is this one, or nobody. */
export function primaryPeer(s: NodeState): NodeId | null {
  const { primary } = s.disk;
  return primary !== null && s.config.peers.includes(primary) ? primary : null;
}

/** The same, where it is known that another node leads or led. */
export const lastPrimary = (s: NodeState): NodeId => primaryPeer(s) ?? s.config.peers[0];

const lastHeard = (s: NodeState, id: NodeId): BootMs | null => {
  const { lastHeardMs } = viewOf(s, id);
  return lastHeardMs === null ? null : Math.max(lastHeardMs, s.accuseFromMs);
};

/** That peer's state, if something was heard from it within detectAfter. */
export function heardPeer(s: NodeState, id: NodeId, nowMs: BootMs): PeerState | null {
  const last = lastHeard(s, id);
  return last !== null && nowMs - last < s.config.timers.detectAfterMs ? viewOf(s, id).state : null;
}

/** Both directions work: it hears us too. */
export function reachedPeer(s: NodeState, id: NodeId, nowMs: BootMs): PeerState | null {
  const peer = heardPeer(s, id, nowMs);
  return peer?.hearsPeer === true ? peer : null;
}

export const heardPeers = (s: NodeState, nowMs: BootMs): readonly PeerState[] =>
  s.config.peers.flatMap((id) => heardPeer(s, id, nowMs) ?? []);

export const reachedPeers = (s: NodeState, nowMs: BootMs): readonly PeerState[] =>
  s.config.peers.flatMap((id) => reachedPeer(s, id, nowMs) ?? []);

/** The primary that this node should follow now. */
export function leaderToFollow(s: NodeState, nowMs: BootMs): PeerState | null {
  const primary = primaryPeer(s);
  const peer = primary === null ? null : heardPeer(s, primary, nowMs);
  if (peer === null || peer.epoch !== s.disk.epoch || peer.epoch === 0) return null;
  // Bound to a higher epoch by a vote, it can never act under this one again; nor can we.
  const isBound = (peer.pairVote?.terms.epoch ?? 0) > peer.epoch;
  if (isBound || hasOpenVote(s.disk)) return null;
  if (peer.primary !== primary || peer.historyId !== s.disk.historyId) return null;
  return peer.role === "leading" || peer.role === "fenced" ? peer : null;
}

/** How long nothing was heard; since our own start if nothing ever was. */
export const peerSilenceMs = (s: NodeState, id: NodeId, nowMs: BootMs): number =>
  nowMs - Math.max(lastHeard(s, id) ?? s.startedMs, s.accuseFromMs);

/** The peer takes part: it was started, is not leaving, and its disk works. */
export const isWilling = (peer: PeerState): boolean =>
  peer.isStartWanted && !peer.isLeaving && peer.fault === null && peer.role !== "stopped";

/** The epoch after this one would be this node's because its primary, able to lead, gave it away. */
export function isByHandover(s: NodeState): boolean {
  const giver = primaryPeer(s);
  const state = giver === null ? null : viewOf(s, giver).state;
  if (state === null || !isWilling(state)) return false;
  if (s.role.kind === "candidate" && s.role.purpose.kind === "promote") {
    if (s.role.purpose.release !== null) return true;
  }
  return state.release?.to === s.config.self && state.release.epoch === s.disk.epoch;
}

/** The peer alone does not reach the witness: it could take no role, however able it is. */
export const isCutOff = (s: NodeState, peer: PeerState, nowMs: BootMs): boolean =>
  peer.witnessIsAway && !isWitnessAway(s, nowMs);

/** When that peer's promise for `epoch` ends, as counted here. */
const peerGrantUntil = (s: NodeState, id: NodeId, epoch: Epoch): BootMs | null => {
  const { grantEpoch, grantUntilMs } = viewOf(s, id);
  return grantEpoch === epoch ? grantUntilMs : null;
};

const holderShareMs = (s: NodeState) => s.config.timers.peerLeaseMs * HOLDER_SHARE;

/** The send time of the heartbeat whose answer renewed that peer's grant last. */
const peerGrantSentMs = (s: NodeState, id: NodeId, epoch: Epoch): BootMs | null => {
  const until = peerGrantUntil(s, id, epoch);
  return until === null ? null : until - holderShareMs(s);
};

/** That peer's promise was renewed within detectAfter. */
export function isPeerGrantFresh(s: NodeState, id: NodeId, epoch: Epoch, nowMs: BootMs): boolean {
  const sent = peerGrantSentMs(s, id, epoch);
  return sent !== null && nowMs - sent < s.config.timers.detectAfterMs;
}

/** This node and the peers for which something holds are a majority without the witness. */
function areMajority(s: NodeState, holds: (id: NodeId) => boolean, isWitnessForIt = false) {
  const { self, peers } = s.config;
  return isMajority(nodesOf(s.config), [self, ...peers.filter(holds)], isWitnessForIt);
}

/** Enough promises were renewed within detectAfter: no reason yet to ask the witness. */
export const isGrantFresh = (s: NodeState, epoch: Epoch, nowMs: BootMs): boolean =>
  areMajority(s, (id) => isPeerGrantFresh(s, id, epoch, nowMs));

/** Enough peers have answered what was sent since that moment. */
export const isConfirmedSince = (s: NodeState, epoch: Epoch, sinceMs: BootMs): boolean =>
  areMajority(s, (id) => (peerGrantSentMs(s, id, epoch) ?? Number.NEGATIVE_INFINITY) >= sinceMs);

/** With those that this node reaches, and the witness where it votes, there could be a majority. */
export const canWinVotes = (s: NodeState, nowMs: BootMs): boolean =>
  areMajority(s, (id) => reachedPeer(s, id, nowMs) !== null, true);

/** That peer durably left the set of this epoch, or a person answered for it. */
export const hasStandingVote = (s: NodeState, id: NodeId, epoch: Epoch): boolean =>
  s.disk.standingVotes.some((v) => v.epoch === epoch && (v.from === id || v.from === "person"));

/** No peer can become primary: the lease that needs no clock. */
export const isOnlyHeir = (s: NodeState, epoch: Epoch): boolean =>
  s.config.peers.every((id) => hasStandingVote(s, id, epoch));

/**
 * May this node act as primary of `epoch` at this moment? It needs a majority: its own vote, the
 * promises of peers, the witness's grant where it has a vote; or the standing votes of all peers.
 * While a peer is joining the witness's grant does not count, as the write that records the join
 * drops it.
 */
export function hasLiveGrant(s: NodeState, epoch: Epoch, nowMs: BootMs): boolean {
  if (hasOpenVote(s.disk) || s.disk.epoch !== epoch || s.disk.released !== null) return false;
  if (isOnlyHeir(s, epoch)) return true;
  if (s.unconfirmedSinceMs !== null) return false;
  const witnessUntil = s.witness.grantUntilMs;
  const isWitnessForIt = s.disk.joining === null && witnessUntil !== null && nowMs < witnessUntil;
  return areMajority(s, (id) => nowMs < (peerGrantUntil(s, id, epoch) ?? nowMs), isWitnessForIt);
}

/** Nothing is acknowledged without that peer. Rests on what is on the disk, on no clock. */
export const isRequired = (s: NodeState, id: NodeId): boolean =>
  s.disk.joining === id || s.disk.inSync.includes(id);

/** The peers whose acknowledgement is needed beside this node's own; none: it leads alone. */
export const neededBy = (s: NodeState, role: LeadingRole): readonly NodeId[] =>
  s.config.peers.filter((id) => secondaryOf(role, id).isAttached || isRequired(s, id));

/** The peer must acknowledge, and the stream to it is gone: nothing can be acknowledged at all. */
export const mustShrink = (s: NodeState, role: LeadingRole, id: NodeId): boolean =>
  !secondaryOf(role, id).isAttached && isRequired(s, id) && role.handover?.step !== "signing";

/**
 * The highest epoch that a vote for another node's candidacy, or for the pair, binds any node to.
 * Such a vote that came to nothing is outgrown by a higher epoch only: whoever may lead asks for one.
 */
export const pairFloor = (s: NodeState, nowMs: BootMs): Epoch =>
  Math.max(
    s.disk.pairVote?.terms.epoch ?? 0,
    ...heardPeers(s, nowMs).map((peer) => peer.pairVote?.terms.epoch ?? 0),
  );

/** All that was received is applied, and nothing more is taken. */
export const isDrained = (s: NodeState): boolean =>
  s.shown?.isDraining === true && s.drainsPending === 0;

/** Asked, and no answer for witnessAwayAfter. */
export const isWitnessAway = (s: NodeState, nowMs: BootMs): boolean =>
  s.witness.silentSinceMs !== null &&
  nowMs - s.witness.silentSinceMs >= s.config.timers.witnessAwayAfterMs;

/** Says the exit too: nobody should wait for what does not come. */
export const diskFailed = (fault: string): string =>
  `the disk of this node failed: ${fault}; it is tried again within a minute, or by a start`;
