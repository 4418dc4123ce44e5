import type { BootMs } from "../../shared/ids.ts";
import type { PeerState } from "../peer-state.ts";
import {
  heardPeer,
  isCutOff,
  isWilling,
  isWitnessAway,
  pairFloor,
  peerSilenceMs,
} from "./facts.ts";
import { isInMaintenance } from "./maintenance.ts";
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
  if (s.fault !== null) return wait(`the disk of this node failed: ${s.fault}`);
  if (s.disk.epoch === 0) return firstStart(s, nowMs);
  if (s.disk.outdated) {
    return wait(
      `this copy may lack acknowledged writes: waiting for ${s.config.peer}; ` +
        "if that node is lost for good, force-primary starts from this copy and states the loss",
    );
  }
  return s.disk.primary === s.config.self ? afterOwnEpoch(s, nowMs) : afterPeersEpoch(s, nowMs);
}

/** Nobody ever led. A person names the good copy; only two fresh, empty copies need no one. */
function firstStart(s: NodeState, nowMs: BootMs): Ambition {
  const { self, peer: peerId } = s.config;
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
  const peer = heardPeer(s, nowMs);
  if (peer === null) {
    return wait(`first start: waiting for ${peerId}, or for a person to name the good copy`);
  }
  const areBothEmpty = s.data === "empty" && peer.data === "empty" && !peer.outdated;
  if (!areBothEmpty || peer.epoch > 0) {
    return wait("first start: name the good copy with `module start --data-from NODE`");
  }
  if (!isWilling(peer)) return wait(`first start: waiting until ${peerId} is started too`);
  const byName = [self, peerId].sort()[0];
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
  const peer = heardPeer(s, nowMs);
  const released = s.disk.released;
  if (released !== null) {
    const isAble = peer !== null && isWilling(peer) && !peer.outdated;
    const mayCome = isAble && !isCutOff(s, peer, nowMs);
    if (mayCome && !isOutOfPatience(s, nowMs)) return wait(`handed over to ${released.to}`);
    if (peer === null && nowMs < s.bootWaitUntilMs) return wait(bootWaitText(s));
    return promote(s, "the node it handed over to did not take over");
  }
  // The other copy may hold what this one lost: a vote that came to nothing is no reason to pass it.
  if (s.disk.isUnclean) return afterUncleanBoot(s, peer, nowMs);
  if (pairFloor(s, nowMs) > s.disk.epoch) {
    if (isWitnessAway(s, nowMs)) return wait(`deciding together with ${s.config.peer}`);
    return promote(s, "a decision of the pair came to nothing: a newer epoch outgrows it");
  }
  return { kind: "resume", reason: "this node was primary last" };
}

/** The page cache of this node is lost, and another node may have what it held. */
function afterUncleanBoot(s: NodeState, peer: PeerState | null, nowMs: BootMs): Ambition {
  if (peer === null) {
    if (nowMs < s.bootWaitUntilMs) return wait(bootWaitText(s));
    return promote(s, "this OS died and the peer cannot be reached: as if both had died");
  }
  const isIn = s.disk.inSync.includes(s.config.peer) || s.disk.joining === s.config.peer;
  const isBetter = isIn && !peer.outdated && !peer.isUnclean;
  // However long that takes: this copy lacks what the other one holds. Where that one does not
  // reach the witness, the two of them decide together (pair-vote.ts).
  if (isBetter && isWilling(peer)) {
    const off = "; failover is off there: force-primary on it loses nothing";
    return wait(
      `this OS died: ${s.config.peer}, which did not, goes first${s.config.hasFailover ? "" : off}`,
    );
  }
  return promote(s, "both nodes died: the last primary goes first");
}

/** The peer was primary last. */
function afterPeersEpoch(s: NodeState, nowMs: BootMs): Ambition {
  const release = s.peer?.release ?? null;
  if (release !== null && release.epoch === s.disk.epoch && release.to === s.config.self) {
    // Also after a death of this OS: before it released, the primary saw this disk synced.
    const purpose = { kind: "promote", release, isLastResort: false } as const;
    return { kind: "lead", purpose, reason: `${release.from} hands over` };
  }
  if (!s.config.hasFailover) {
    return wait(
      `failover is off: waiting for ${s.config.peer}; force-primary starts this copy instead`,
    );
  }
  const peer = heardPeer(s, nowMs);
  if (peer !== null) return besidePeer(s, peer, nowMs);
  const { peerLeaseMs, handicapMs } = s.config.timers;
  if (peerSilenceMs(s, nowMs) < peerLeaseMs + handicapMs) {
    return wait(`waiting whether ${s.config.peer} is lost`);
  }
  if (nowMs < s.bootWaitUntilMs) return wait(bootWaitText(s));
  return promote(s, `${s.config.peer} is lost`);
}

function besidePeer(s: NodeState, peer: PeerState, nowMs: BootMs): Ambition {
  if (peer.epoch !== s.disk.epoch || peer.primary !== s.config.peer) {
    // It knows less than this node (its disk was lost or put back): it cannot go first.
    if (peer.epoch < s.disk.epoch && isOutOfPatience(s, nowMs)) {
      return promote(s, `${s.config.peer} has lost its state`);
    }
    return wait(`waiting for ${s.config.peer} to tell its part`);
  }
  if (peer.role !== "waiting" && peer.role !== "stopped") {
    return wait(`${s.config.peer} is primary`);
  }
  const isUnrecorded = peer.joining === s.config.self;
  if (isUnrecorded && !isOutOfPatience(s, nowMs)) {
    return wait(`waiting until ${s.config.peer} has it recorded that this copy is complete`);
  }
  const goesFirst = !peer.outdated && (!peer.isUnclean || s.disk.isUnclean);
  const isWorse = s.disk.isUnclean && !peer.isUnclean;
  if (isWilling(peer) && goesFirst && (isWorse || !isOutOfPatience(s, nowMs))) {
    return wait(`${s.config.peer} was primary last and goes first`);
  }
  return promote(s, `${s.config.peer} does not lead`);
}

const promote = (s: NodeState, reason: string): Ambition => ({
  kind: "lead",
  purpose: { kind: "promote", release: null, isLastResort: s.disk.isUnclean },
  reason,
});

/** However good the other node may be: a state without an exit is worse. */
function isOutOfPatience(s: NodeState, nowMs: BootMs): boolean {
  const since = s.role.kind === "waiting" || s.role.kind === "candidate" ? s.role.sinceMs : nowMs;
  return nowMs - since >= s.config.timers.bootWaitMs;
}

const bootWaitText = (s: NodeState): string =>
  `just started: waiting up to ${s.config.timers.bootWaitMs / 1000} s for ${s.config.peer}`;
