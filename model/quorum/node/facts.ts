import type { BootMs, Epoch } from "../../shared/ids.ts";
import { hasOpenVote } from "../disk.ts";
import type { PeerState } from "../peer-state.ts";
import { HOLDER_SHARE } from "../timers.ts";
import type { LeadingRole, NodeState } from "./state.ts";

/** Plain questions about what a node knows. None of them changes anything. */

const lastHeard = (s: NodeState): BootMs | null =>
  s.heard.lastHeardMs === null ? null : Math.max(s.heard.lastHeardMs, s.accuseFromMs);

/** The peer's state, if something was heard from it within detectAfter. */
export function heardPeer(s: NodeState, nowMs: BootMs): PeerState | null {
  const last = lastHeard(s);
  return last !== null && nowMs - last < s.config.timers.detectAfterMs ? s.peer : null;
}

/** Both directions work: it hears us too. */
export function reachedPeer(s: NodeState, nowMs: BootMs): PeerState | null {
  const peer = heardPeer(s, nowMs);
  return peer?.hearsPeer === true ? peer : null;
}

/** How long nothing was heard; since our own start if nothing ever was. */
export const peerSilenceMs = (s: NodeState, nowMs: BootMs): number =>
  nowMs - Math.max(lastHeard(s) ?? s.startedMs, s.accuseFromMs);

/** The peer takes part: it was started, is not leaving, and its disk works. */
export const isWilling = (peer: PeerState): boolean =>
  peer.isStartWanted && !peer.isLeaving && peer.fault === null && peer.role !== "stopped";

/** The epoch after this one would be this node's because the peer, able to lead, gave it away. */
export function isByHandover(s: NodeState): boolean {
  if (s.peer === null || !isWilling(s.peer)) return false;
  if (s.role.kind === "candidate" && s.role.purpose.kind === "promote") {
    if (s.role.purpose.release !== null) return true;
  }
  return s.peer.release?.to === s.config.self && s.peer.release.epoch === s.disk.epoch;
}

/** The peer alone does not reach the witness: it could take no role, however able it is. */
export const isCutOff = (s: NodeState, peer: PeerState, nowMs: BootMs): boolean =>
  peer.witnessIsAway && !isWitnessAway(s, nowMs);

/** When the peer's promise for `epoch` ends, as counted here. */
export const peerGrantUntil = (s: NodeState, epoch: Epoch): BootMs | null =>
  s.heard.peerGrantEpoch === epoch ? s.heard.peerGrantUntilMs : null;

const holderShareMs = (s: NodeState) => s.config.timers.peerLeaseMs * HOLDER_SHARE;

/** The send time of the heartbeat whose answer renewed the peer's grant last. */
export const peerGrantSentMs = (s: NodeState, epoch: Epoch): BootMs | null => {
  const until = peerGrantUntil(s, epoch);
  return until === null ? null : until - holderShareMs(s);
};

/** Renewed within detectAfter: no reason yet to ask the witness. */
export function isPeerGrantFresh(s: NodeState, epoch: Epoch, nowMs: BootMs): boolean {
  const sent = peerGrantSentMs(s, epoch);
  return sent !== null && nowMs - sent < s.config.timers.detectAfterMs;
}

/**
 * May this node act as primary of `epoch` at this moment? Its own vote and one other voter's:
 * the peer's standing vote, the peer's promise, or the witness's grant. While the peer is joining
 * the witness's grant does not count, as the write that records the join drops it.
 */
export function hasLiveGrant(s: NodeState, epoch: Epoch, nowMs: BootMs): boolean {
  if (hasOpenVote(s.disk) || s.disk.epoch !== epoch || s.disk.released !== null) return false;
  if (s.disk.standingVote?.epoch === epoch) return true;
  if (s.unconfirmedSinceMs !== null) return false;
  const peerUntil = peerGrantUntil(s, epoch);
  if (peerUntil !== null && nowMs < peerUntil) return true;
  const witnessUntil = s.witness.grantUntilMs;
  return s.disk.joining === null && witnessUntil !== null && nowMs < witnessUntil;
}

/** No acknowledgement but this node's own is needed. Rests on what is on the disk, on no clock. */
export const leadsAlone = (s: NodeState, role: LeadingRole): boolean =>
  !role.isPeerAttached && s.disk.joining === null && !s.disk.inSync.includes(s.config.peer);

/** The peer must acknowledge, and the stream to it is gone: nothing can be acknowledged at all. */
export const mustShrink = (s: NodeState, role: LeadingRole): boolean =>
  !role.isPeerAttached &&
  (s.disk.joining !== null || s.disk.inSync.includes(s.config.peer)) &&
  role.handover?.step !== "signing";

/**
 * The highest epoch that a vote for the pair binds one of the two nodes to. Such a vote that came
 * to nothing is outgrown by a higher epoch only: whoever may lead asks the witness for one.
 */
export const pairFloor = (s: NodeState, nowMs: BootMs): Epoch =>
  Math.max(s.disk.pairVote?.terms.epoch ?? 0, heardPeer(s, nowMs)?.pairVote?.terms.epoch ?? 0);

/** All that was received is applied, and nothing more is taken. */
export const isDrained = (s: NodeState): boolean =>
  s.shown?.isDraining === true && s.drainsPending === 0;

/** Asked, and no answer for witnessAwayAfter. */
export const isWitnessAway = (s: NodeState, nowMs: BootMs): boolean =>
  s.witness.silentSinceMs !== null &&
  nowMs - s.witness.silentSinceMs >= s.config.timers.witnessAwayAfterMs;
