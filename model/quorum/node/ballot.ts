import type { BootMs } from "../../shared/ids.ts";
import { boundEpoch } from "../disk.ts";
import { areSameTerms, type PairTerms, pairTermsText } from "../pair.ts";
import type { PeerState } from "../peer-state.ts";
import { canDecideWithoutWitness, hasWitnessVote } from "../voters.ts";
import { ambition } from "./ambition.ts";
import {
  heardPeer,
  heardPeers,
  isWilling,
  leaderToFollow,
  nodesOf,
  peerSilenceMs,
  primaryPeer,
} from "./facts.ts";
import { isInMaintenance } from "./maintenance.ts";
import { stepPairing, termsSigned } from "./pair-vote.ts";
import { goesBefore, isBefore } from "./rank.ts";
import { type NodeState, patch, patchDisk, report } from "./state.ts";
import { mayVoteNow } from "./vote-facts.ts";

/**
 * Votes of data nodes. A pair votes only where the witness is away (pair-vote.ts). Where the
 * witness has no vote, as with three nodes, every promotion needs the vote of another data node:
 * its durable and signed word that it helps nobody under an older epoch any more. It is given to
 * one candidate per epoch, and binds for ever; the record still says who of several is promoted.
 */
export const stepVote = (s: NodeState, nowMs: BootMs): NodeState =>
  canDecideWithoutWitness(nodesOf(s.config)) ? stepPairing(s, nowMs) : stepBallot(s, nowMs);

function stepBallot(s: NodeState, nowMs: BootMs): NodeState {
  const candidate = hasWitnessVote(nodesOf(s.config)) ? null : candidateToHelp(s, nowMs);
  const terms = candidate === null ? null : termsFor(s, candidate);
  if (terms === null) return s.pairing === null ? s : patch(s, { pairing: null });
  return s.pairing !== null && areSameTerms(s.pairing, terms) ? s : patch(s, { pairing: terms });
}

function termsFor(s: NodeState, candidate: PeerState): PairTerms | null {
  const { moduleId } = s.config;
  const { historyId } = s.disk;
  if (historyId === null) return null;
  const { nodeId, asked } = candidate;
  return { moduleId, epoch: asked, primary: nodeId, inSync: [nodeId], historyId };
}

/** Who deserves this node's vote at this moment; null: nobody. */
function candidateToHelp(s: NodeState, nowMs: BootMs): PeerState | null {
  const asking = heardPeers(s, nowMs).filter((peer) => isCandidate(s, peer));
  const best = asking.find((peer) => asking.every((p) => p === peer || isBefore(peer, p)));
  if (best === undefined || !isFreeFor(s, best, nowMs)) return null;
  if (isInMaintenance(s) && best.nodeId !== s.disk.primary) return null;
  const isRival = s.role.kind === "waiting" && ambition(s, nowMs).kind !== "wait";
  return isRival && !goesBefore(s, best, nowMs) ? null : best;
}

/** It asks for an epoch that this node is not bound against, and knows what this node knows. */
function isCandidate(s: NodeState, peer: PeerState): boolean {
  const { epoch, primary, historyId } = s.disk;
  const isSame = peer.epoch === epoch && peer.primary === primary && peer.historyId === historyId;
  const isOpen = epoch > 0 && peer.asked > boundEpoch(s.disk);
  return isSame && isOpen && !peer.outdated && isWilling(peer);
}

/** Neither a primary that is heard nor an earlier vote that may still succeed stands in the way. */
function isFreeFor(s: NodeState, candidate: PeerState, nowMs: BootMs): boolean {
  const leader = leaderToFollow(s, nowMs);
  if (s.role.kind === "following" && leader?.nodeId !== candidate.nodeId) return false;
  if (!["waiting", "stopped", "following"].includes(s.role.kind)) return false;
  const primary = primaryPeer(s);
  if (primary !== null && primary !== candidate.nodeId) {
    const heard = heardPeer(s, primary, nowMs);
    const { peerLeaseMs, handicapMs } = s.config.timers;
    if (heard === null && peerSilenceMs(s, primary, nowMs) < peerLeaseMs + handicapMs) return false;
    if (heard?.role === "leading" || heard?.role === "fenced") return false;
  }
  const earlier = s.disk.pairVote?.terms;
  if (earlier === undefined || earlier.primary === candidate.nodeId) return true;
  const rival = heardPeer(s, earlier.primary, nowMs);
  const isStillAsking = rival !== null && rival.asked >= earlier.epoch;
  return !isStillAsking || isBefore(candidate, rival);
}

/** This node's signature is there. The vote is cast only if nothing has changed since. */
export function voteSigned(
  s: NodeState,
  text: string,
  signature: string,
  nowMs: BootMs,
): NodeState {
  if (canDecideWithoutWitness(nodesOf(s.config))) return termsSigned(s, text, signature, nowMs);
  const still = stepBallot(s, nowMs);
  const terms = still.pairing;
  if (terms === null || pairTermsText(terms) !== text || !mayVoteNow(still, nowMs)) return still;
  const vote = { terms, signature };
  const voted = patchDisk(patch(still, { pairing: null, attachedEpoch: null }), { pairVote: vote });
  return report(voted, "event", `voted for ${terms.primary} as primary of epoch ${terms.epoch}`);
}
