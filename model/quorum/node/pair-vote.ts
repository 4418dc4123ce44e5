import type { BootMs, Epoch, NodeId } from "../../shared/ids.ts";
import { err, ok, type Result } from "../../shared/result.ts";
import { boundEpoch, hasOpenVote } from "../disk.ts";
import { areSameTerms, type PairDecision, type PairTerms, pairTermsText } from "../pair.ts";
import { boundOf, type PeerState } from "../peer-state.ts";
import {
  isPeerGrantFresh,
  isWilling,
  isWitnessAway,
  leaderToFollow,
  reachedPeer,
  viewOf,
} from "./facts.ts";
import { isInMaintenance } from "./maintenance.ts";
import { peerStateOf } from "./peer-state-of.ts";
import { becomeLeader } from "./promote.ts";
import {
  type NodeState,
  patch,
  patchDisk,
  report,
  secondaryOf,
  toWaiting,
  withRole,
} from "./state.ts";

/**
 * No primary, and the witness away: the two nodes together are a majority. Both compute the same
 * terms from what both published. The node with the lower name proposes by a durable, signed vote;
 * the other one, finding the same terms, signs too, and with that the decision is made. A vote
 * binds for ever: who gave it acts under no lower epoch again, so a decision that only one side
 * knows of yet can never run beside an older primary.
 */
export function stepPairing(s: NodeState, nowMs: BootMs): NodeState {
  const concluded = conclude(s, nowMs);
  if (concluded !== s) return concluded;
  const { self, peers } = s.config;
  const peer = reachedPeer(s, peers[0], nowMs);
  if (peer === null || !canPair(s, peer, nowMs)) return clearPairing(s);
  const own = peerStateOf(s, peers[0], nowMs);
  const chosen = chooseTerms(own, peer);
  if (!chosen.ok) return clearPairing(s);
  const terms = self < peers[0] ? propose(s, peer, chosen.value) : accept(s, peer, chosen.value);
  if (terms === null) return clearPairing(s);
  return s.pairing !== null && areSameTerms(s.pairing, terms) ? s : patch(s, { pairing: terms });
}

const clearPairing = (s: NodeState): NodeState =>
  s.pairing === null ? s : patch(s, { pairing: null });

function canPair(s: NodeState, peer: PeerState, nowMs: BootMs): boolean {
  if (s.blocker !== null || !isWitnessMissed(s, peer, nowMs)) return false;
  if (isInMaintenance(s) && !isHandover(s, peer)) return false;
  if (!s.disk.isStartWanted || (peer.role !== "waiting" && peer.role !== "fenced")) return false;
  // A primary that this node can help needs no new epoch: one that was just chosen least of all.
  if (leaderToFollow(s, nowMs) !== null) return false;
  switch (s.role.kind) {
    case "waiting":
    case "candidate":
    case "released":
      return true;
    case "leading": {
      // A fenced primary whose peer can promise to it again needs no new epoch.
      const { nodeId } = peer;
      const isHelped = isPeerGrantFresh(s, nodeId, s.role.epoch, nowMs) && !hasOpenVote(s.disk);
      const fencedForMs = nowMs - (s.role.fencedSinceMs ?? nowMs);
      const isStuck = fencedForMs >= s.config.timers.witnessAwayAfterMs && !isHelped;
      const { isAttached } = secondaryOf(s.role, nodeId);
      return isStuck && s.role.handover === null && !isAttached;
    }
    default:
      return false;
  }
}

/**
 * Away for both; or for one of them, who should go first and cannot, while the other one, which
 * could, must not: it lacks what the first one holds. That is worth a decision of the pair only
 * when it lasts.
 */
function isWitnessMissed(s: NodeState, peer: PeerState, nowMs: BootMs): boolean {
  const isAway = isWitnessAway(s, nowMs);
  if (isAway && peer.witnessIsAway) return true;
  if (s.role.kind !== "waiting" && s.role.kind !== "candidate") return false;
  const hasWaited = nowMs - s.role.sinceMs >= s.config.timers.bootWaitMs;
  return hasWaited && (isAway || peer.witnessIsAway);
}

/** A person's switchover is under way: what they command is done, in maintenance too. */
const isHandover = (s: NodeState, peer: PeerState): boolean =>
  s.disk.released !== null || peer.release !== null;

/** The lower name. Keeps its standing proposal while it still says what both disks say. */
function propose(s: NodeState, peer: PeerState, chosen: Chosen): PairTerms | null {
  const own = s.disk.pairVote;
  const mine = own === null ? null : withEpoch(chosen, own.terms.epoch);
  if (own !== null && mine !== null && areSameTerms(own.terms, mine)) return null;
  return withEpoch(chosen, 1 + Math.max(boundEpoch(s.disk), boundOf(peer)));
}

/** The other name: takes the proposal if it comes to the same terms itself. */
function accept(s: NodeState, peer: PeerState, chosen: Chosen): PairTerms | null {
  const offered = peer.pairVote?.terms ?? null;
  if (offered === null || offered.epoch <= boundEpoch(s.disk)) return null;
  return areSameTerms(offered, withEpoch(chosen, offered.epoch)) ? offered : null;
}

type Chosen = Omit<PairTerms, "epoch">;
const withEpoch = (chosen: Chosen, epoch: Epoch): PairTerms => ({ ...chosen, epoch });

/** This node's signature is there. The vote is cast only if nothing has changed since. */
export function termsSigned(
  s: NodeState,
  text: string,
  signature: string,
  nowMs: BootMs,
): NodeState {
  const terms = s.pairing;
  if (terms === null || pairTermsText(terms) !== text) return s;
  const still = stepPairing(s, nowMs);
  if (still.pairing === null || !areSameTerms(still.pairing, terms)) return still;
  const vote = { terms, signature };
  const voted = patchDisk(patch(still, { pairing: null, attachedEpoch: null }), { pairVote: vote });
  const { self, peers } = s.config;
  const offered = viewOf(s, peers[0]).state?.pairVote ?? null;
  if (self < peers[0] || offered === null) return voted;
  const signatures = [
    { nodeId: peers[0], signature: offered.signature },
    { nodeId: self, signature },
  ];
  return decided(voted, { terms, signatures }, nowMs);
}

/** The proposer learns that its proposal was taken. */
function conclude(s: NodeState, nowMs: BootMs): NodeState {
  const shown = viewOf(s, s.config.peers[0]).state?.pairDecision ?? null;
  const own = s.disk.pairVote;
  if (shown === null || own === null || shown.terms.epoch < boundEpoch(s.disk)) return s;
  return areSameTerms(shown.terms, own.terms) ? decided(s, shown, nowMs) : s;
}

function decided(s: NodeState, decision: PairDecision, nowMs: BootMs): NodeState {
  const { epoch, primary, inSync, historyId } = decision.terms;
  const told = report(s, "event", `the pair decided: ${primary} is primary of epoch ${epoch}`);
  if (primary === s.config.self) return leadByPair(told, decision, nowMs);
  const following = patchDisk(patch(told, { voteGiven: null, pairing: null }), {
    epoch,
    historyId,
    primary,
    inSync,
    outdated: !inSync.includes(s.config.self),
    asked: 0,
    pairVote: null,
    pairDecision: decision,
    joining: null,
    released: null,
    standingVotes: [],
    forced: null,
    previousPrimary: s.disk.primary,
  });
  if (s.role.kind === "leading" && s.role.hasServed) {
    return withRole(following, { kind: "steppingDown", because: "the pair chose the other node" });
  }
  return toWaiting(following, nowMs);
}

function leadByPair(s: NodeState, decision: PairDecision, nowMs: BootMs): NodeState {
  const { epoch, inSync, historyId } = decision.terms;
  const led = becomeLeader(s, { epoch, inSync, historyId }, nowMs);
  return patchDisk(led, { pairDecision: decision });
}

/**
 * Both nodes call this with the same two states and find the same answer. The highest epoch
 * decides; at equal epochs the disk of that epoch's primary, as only it may change the set. Within
 * the set a node whose OS died yields to one whose did not; then the last primary goes first.
 */
export function chooseTerms(x: PeerState, y: PeerState): Result<Chosen, string> {
  const nodes = x.nodeId < y.nodeId ? [x, y] : [y, x];
  const top = Math.max(x.epoch, y.epoch);
  const atTop = nodes.filter((n) => n.epoch === top);
  const first = atTop[0];
  if (top === 0 || first === undefined || first.primary === null || first.historyId === null) {
    return err("nobody ever led: a person names the good copy");
  }
  if (atTop.some((n) => n.historyId !== first.historyId || n.primary !== first.primary)) {
    return err("the nodes have diverged: a person must choose");
  }
  const owner = nodes.find((n) => n.nodeId === first.primary);
  const set = owner === undefined ? [] : setOf(owner, nodes, top);
  const able = nodes.filter((n) => set.includes(n.nodeId) && !n.outdated);
  const clean = able.filter((n) => !n.isUnclean);
  const candidates = clean.length > 0 ? clean : able;
  const heir = owner?.release?.epoch === top ? owner.release.to : first.primary;
  const willing = candidates.filter((n) => isWilling(n));
  const primary = (willing.find((n) => n.nodeId === heir) ?? willing[0])?.nodeId;
  if (primary === undefined) return err("no node that surely holds every write takes part");
  const inSync = candidates.map((n) => n.nodeId);
  return ok({ moduleId: x.moduleId, primary, inSync, historyId: first.historyId });
}

/** Who surely holds every acknowledged write. */
function setOf(owner: PeerState, nodes: readonly PeerState[], top: Epoch): readonly NodeId[] {
  if (owner.epoch < top) {
    // It asked for this epoch and never learned that it got it, so it never acted in it; or its
    // disk was lost, and then nobody here can know.
    return owner.asked >= top ? [owner.nodeId] : [];
  }
  const isBehind = (id: NodeId) => nodes.some((n) => n.nodeId === id && n.epoch < top);
  // A node that was joining was complete when that was persisted, and nothing was acknowledged
  // without it since: it counts, recorded or not.
  const complete = [...owner.inSync, ...(owner.joining === null ? [] : [owner.joining])];
  return complete.filter((id) => id === owner.nodeId || !isBehind(id));
}
