import type { BootMs } from "../../shared/ids.ts";
import type { PeerState } from "../peer-state.ts";
import { canDecideWithoutWitness, hasWitnessVote } from "../voters.ts";
import {
  canWinVotes,
  diskFailed,
  heardPeer,
  heardPeers,
  isCutOff,
  isRequired,
  isWilling,
  isWitnessAway,
  lastPrimary,
  nodesOf,
  pairFloor,
  peerSilenceMs,
  primaryPeer,
  viewOf,
} from "./facts.ts";
import { isInMaintenance } from "./maintenance.ts";
import { goesBefore } from "./rank.ts";
import type { NodeState, Purpose } from "./state.ts";

/**
 * Should this node, which does not lead, try to? The answer is only a wish: whether it comes true
 * is for another voter to say, and no mistake here can lose a write. It must merely be right often
 * enough that the better node goes first, and that some node goes at all.
 */
export type Ambition =
  | { readonly kind: "lead"; readonly purpose: Purpose; readonly reason: string }
  /** Lead on under the epoch that this node already is primary of. */
  | { readonly kind: "resume"; readonly reason: string }
  | { readonly kind: "wait"; readonly reason: string };

const wait = (reason: string): Ambition => ({ kind: "wait", reason });

export const ambition = (s: NodeState, nowMs: BootMs): Ambition =>
  heldBack(s, freeAmbition(s, nowMs));

/** In maintenance nobody is promoted, unless a person's own command asked for it. */
function heldBack(s: NodeState, wish: Ambition): Ambition {
  if (wish.kind !== "lead" || !isInMaintenance(s)) return wish;
  const { purpose } = wish;
  const isPersons = purpose.kind !== "promote" || purpose.release !== null;
  // The last primary going on, though under a new epoch, changes nothing that people see.
  const isSame = s.disk.primary === s.config.self && !s.disk.isUnclean;
  return isPersons || isSame ? wish : wait(`would have taken over: ${wish.reason}`);
}

function freeAmbition(s: NodeState, nowMs: BootMs): Ambition {
  if (!s.disk.isStartWanted) return wait("stopped by a person");
  if (s.blocker !== null) return wait(`blocked: ${s.blocker}`);
  if (s.fault !== null) return wait(diskFailed(s.fault));
  if (s.disk.epoch === 0) return firstStart(s, nowMs);
  if (s.disk.outdated) {
    return wait(
      `this copy may lack acknowledged writes: waiting for ${lastPrimary(s)}; ` +
        "if that node is lost for good, force-primary starts from this copy and states the loss",
    );
  }
  return s.disk.primary === s.config.self ? afterOwnEpoch(s, nowMs) : afterPeersEpoch(s, nowMs);
}

/** Nobody ever led. A person names the good copy; only two fresh, empty copies need no one. */
function firstStart(s: NodeState, nowMs: BootMs): Ambition {
  const { self, peers } = s.config;
  const view = s.witness.record;
  if (view === null) return wait("first start: waiting for the control plane to answer");
  if (view.known !== null && view.known.epoch > 0) {
    return wait("the control plane knows an earlier primary of this module: reading its record");
  }
  if (s.disk.outdated) {
    return wait("the quorum state of this node was lost: waiting for its peer, or force-primary");
  }
  if (s.dataFrom === self) return first("person", "a person named this copy as the good one");
  if (s.dataFrom !== null) return wait(`waiting for ${s.dataFrom}, named as the good copy`);
  const unheard = peers.filter((id) => heardPeer(s, id, nowMs) === null);
  if (unheard.length > 0) {
    const names = unheard.join(", ");
    return wait(`first start: waiting for ${names}, or for a person to name the good copy`);
  }
  const heard = heardPeers(s, nowMs);
  const isFresh = (peer: PeerState) => peer.data === "empty" && !peer.outdated && peer.epoch === 0;
  if (s.data !== "empty" || !heard.every(isFresh)) {
    return wait("first start: name the good copy with `module start --data-from NODE`");
  }
  const idle = heard.find((peer) => !isWilling(peer));
  if (idle !== undefined) {
    return wait(`first start: waiting until ${idle.nodeId} is started too`);
  }
  const byName = [self, ...peers].sort()[0];
  const { defaultPrimary } = s.config;
  const goesFirst = defaultPrimary.kind === "node" ? defaultPrimary.nodeId : byName;
  if (goesFirst !== self) return wait(`both copies are empty: ${goesFirst} goes first`);
  return first("bothEmpty", "both copies are fresh and empty");
}

const first = (because: "person" | "bothEmpty", reason: string): Ambition => ({
  kind: "lead",
  purpose: { kind: "first", because },
  reason,
});

/** This node was primary last. */
function afterOwnEpoch(s: NodeState, nowMs: BootMs): Ambition {
  const released = s.disk.released;
  if (released !== null) {
    const peer = heardPeer(s, released.to, nowMs);
    const isAble = peer !== null && isWilling(peer) && !peer.outdated;
    const mayCome = isAble && !isCutOff(s, peer, nowMs);
    if (mayCome && !isOutOfPatience(s, nowMs)) return wait(`handed over to ${released.to}`);
    if (peer === null && nowMs < s.bootWaitUntilMs) return wait(bootWaitText(s));
    return promote(s, nowMs, "the node it handed over to did not take over");
  }
  // The other copy may hold what this one lost: a vote that came to nothing is no reason to pass it.
  if (s.disk.isUnclean) return afterUncleanBoot(s, nowMs);
  if (pairFloor(s, nowMs) > s.disk.epoch) {
    if (isWitnessAway(s, nowMs)) return wait(togetherText(s));
    return promote(s, nowMs, "a vote came to nothing: a newer epoch outgrows it");
  }
  return { kind: "resume", reason: "this node was primary last" };
}

const togetherText = (s: NodeState): string =>
  canDecideWithoutWitness(nodesOf(s.config))
    ? `deciding together with ${s.config.peers[0]}`
    : "a newer epoch is needed, and the control plane does not answer";

/** The page cache of this node is lost, and another node may have what it held. */
function afterUncleanBoot(s: NodeState, nowMs: BootMs): Ambition {
  const heard = heardPeers(s, nowMs);
  const better = heard.find(
    (peer) => isRequired(s, peer.nodeId) && !peer.outdated && !peer.isUnclean && isWilling(peer),
  );
  // However long that takes: this copy lacks what the other one holds. Where that one does not
  // reach the witness, the two of a pair decide together (pair-vote.ts).
  if (better !== undefined) {
    const off = "; failover is off there: force-primary on it loses nothing";
    return wait(
      `this OS died: ${better.nodeId}, which did not, goes first${s.config.hasFailover ? "" : off}`,
    );
  }
  if (heard.length < s.config.peers.length) {
    if (nowMs < s.bootWaitUntilMs) return wait(bootWaitText(s));
    return promote(s, nowMs, "this OS died and the peer cannot be reached: as if both had died");
  }
  return promote(s, nowMs, "both nodes died: the last primary goes first");
}

/** A peer was primary last. */
function afterPeersEpoch(s: NodeState, nowMs: BootMs): Ambition {
  const last = lastPrimary(s);
  const release = viewOf(s, last).state?.release ?? null;
  if (release !== null && release.epoch === s.disk.epoch && release.to === s.config.self) {
    // Also after a death of this OS: before it released, the primary saw this disk synced.
    const purpose = { kind: "promote", release, isLastResort: false } as const;
    return { kind: "lead", purpose, reason: `${release.from} hands over` };
  }
  if (!s.config.hasFailover) {
    return wait(`failover is off: waiting for ${last}; force-primary starts this copy instead`);
  }
  const peer = heardPeer(s, last, nowMs);
  if (peer !== null) return besidePrimary(s, peer, nowMs);
  const { peerLeaseMs, handicapMs } = s.config.timers;
  if (peerSilenceMs(s, last, nowMs) < peerLeaseMs + handicapMs) {
    return wait(`waiting whether ${last} is lost`);
  }
  if (nowMs < s.bootWaitUntilMs) return wait(bootWaitText(s));
  return promote(s, nowMs, `${last} is lost`);
}

function besidePrimary(s: NodeState, peer: PeerState, nowMs: BootMs): Ambition {
  const id = peer.nodeId;
  if (peer.epoch !== s.disk.epoch || peer.primary !== id) {
    // It knows less than this node (its disk was lost or put back): it cannot go first.
    if (peer.epoch < s.disk.epoch && isOutOfPatience(s, nowMs)) {
      return promote(s, nowMs, `${id} has lost its state`);
    }
    return wait(`waiting for ${id} to tell its part`);
  }
  if (peer.role !== "waiting" && peer.role !== "stopped") return wait(`${id} is primary`);
  const isUnrecorded = peer.joining === s.config.self;
  if (isUnrecorded && !isOutOfPatience(s, nowMs)) {
    return wait(`waiting until ${id} has it recorded that this copy is complete`);
  }
  const goesFirst = !peer.outdated && (!peer.isUnclean || s.disk.isUnclean);
  const isWorse = s.disk.isUnclean && !peer.isUnclean;
  if (isWilling(peer) && goesFirst && (isWorse || !isOutOfPatience(s, nowMs))) {
    return wait(`${id} was primary last and goes first`);
  }
  return promote(s, nowMs, `${id} does not lead`);
}

/** Where votes of other nodes are needed, only while they could be had, and the best one first. */
function promote(s: NodeState, nowMs: BootMs, reason: string): Ambition {
  if (!canWinVotes(s, nowMs)) {
    return wait(`${reason}; no other node is reached that could vote for this one`);
  }
  const rival = rivalOf(s, nowMs);
  if (rival !== null) return wait(rival);
  const purpose = { kind: "promote", release: null, isLastResort: s.disk.isUnclean } as const;
  return { kind: "lead", purpose, reason };
}

/** Which of the nodes whose votes are needed is in the way, and why; null: none. */
function rivalOf(s: NodeState, nowMs: BootMs): string | null {
  if (hasWitnessVote(nodesOf(s.config))) return null;
  const last = primaryPeer(s);
  for (const peer of heardPeers(s, nowMs)) {
    if (peer.epoch !== s.disk.epoch || peer.nodeId === last) continue;
    if (peer.role === "following" && last !== null) return `${peer.nodeId} follows ${last}`;
    const isBetter = goesBefore(s, peer, nowMs) && isWilling(peer);
    // However long that takes, where this copy lacks what the other one holds.
    const isWhole = s.disk.isUnclean && !peer.isUnclean;
    if (isBetter && (isWhole || !isOutOfPatience(s, nowMs))) return `${peer.nodeId} goes first`;
  }
  return null;
}

/** However good the other node may be: a state without an exit is worse. */
function isOutOfPatience(s: NodeState, nowMs: BootMs): boolean {
  const since = s.role.kind === "waiting" || s.role.kind === "candidate" ? s.role.sinceMs : nowMs;
  return nowMs - since >= s.config.timers.bootWaitMs;
}

const bootWaitText = (s: NodeState): string =>
  `just started: waiting up to ${s.config.timers.bootWaitMs / 1000} s for ${s.config.peers.join(", ")}`;
