import type { BootMs } from "../../shared/ids.ts";
import { boundEpoch } from "../disk.ts";
import type { PeerState } from "../peer-state.ts";
import {
  hasLiveGrant,
  heardPeer,
  isCutOff,
  isDrained,
  isPeerGrantFresh,
  isWilling,
  isWitnessAway,
  mustShrink,
  pairFloor,
  reachedPeer,
} from "./facts.ts";
import { stepHandover } from "./handover.ts";
import { isInMaintenance } from "./maintenance.ts";
import {
  type LeadingRole,
  type NodeState,
  patch,
  patchDisk,
  report,
  toWaiting,
  withRole,
} from "./state.ts";

/**
 * Primary. The one rule everything here serves: an operation is acknowledged alone only after the
 * peer's name has left the set on another voter's durable word (a conditional write at the
 * witness, or the peer's standing vote), and on this node's disk. Until then it waits for the
 * peer, whatever the clocks say.
 */
export function stepLeading(s: NodeState, nowMs: BootMs): NodeState {
  if (s.role.kind !== "leading") return s;
  const steps = [
    takeStandingVote,
    noticeDenial,
    outgrowPairVote,
    stepFence,
    beginJoin,
    stepAsk,
    stepResync,
    notePeerAway,
    beginHandover,
  ];
  let now = s;
  for (const step of steps) {
    if (now.role.kind !== "leading") return now;
    now = step(now, now.role, nowMs);
  }
  return now.role.kind === "leading" ? stepHandover(now, now.role, nowMs) : now;
}

/** The peer's durable answer to exactly the ask that is open now. */
function takeStandingVote(s: NodeState, role: LeadingRole): NodeState {
  const given = s.peer?.standingVoteGiven ?? null;
  if (role.ask === null || given?.id !== role.ask.id || given.epoch !== role.epoch) return s;
  const { self, peer } = s.config;
  const voted = patchDisk(s, {
    standingVote: { from: peer, epoch: role.epoch },
    inSync: [self],
    joining: null,
  });
  const alone = withRole(voted, { ...role, ask: null, isPeerAttached: false, resync: null });
  return report(alone, "event", `${peer} promised not to take over: going on alone`);
}

/**
 * Both ends must agree that the stream is attached. The peer may have let go of it while this end
 * has not: it gave a standing vote to an ask that was withdrawn meanwhile, or did not follow at the
 * moment the resync ended. Nobody else would ever tell, so what it says for long counts.
 */
function noticeDenial(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeState {
  const peer = heardPeer(s, nowMs);
  const isDenied =
    role.isPeerAttached && peer !== null && canFollow(peer, role) && !peer.isAttached;
  if (!isDenied) {
    return role.deniedSinceMs === null ? s : withRole(s, { ...role, deniedSinceMs: null });
  }
  if (role.deniedSinceMs === null) return withRole(s, { ...role, deniedSinceMs: nowMs });
  if (nowMs - role.deniedSinceMs < s.config.timers.replTimeoutMs) return s;
  const detached = { ...role, isPeerAttached: false, deniedSinceMs: null, resync: null };
  const why = `${peer.nodeId} does not take the stream that was attached: bringing it back anew`;
  return report(withRole(s, detached), "event", why);
}

/**
 * A vote for the pair was cast that came to nothing, here or at the peer, and the witness is back:
 * this primary asks it for an epoch above that vote, as nobody bound by it can act below.
 */
function outgrowPairVote(s: NodeState, _role: LeadingRole, nowMs: BootMs): NodeState {
  const floor = pairFloor(s, nowMs);
  const hasAsked = s.disk.asked > floor;
  if (floor <= s.disk.epoch || hasAsked || isWitnessAway(s, nowMs)) return s;
  if (s.disk.forced !== null) return s;
  return patchDisk(s, { asked: Math.max(floor, boundEpoch(s.disk)) + 1 });
}

/** Fenced is a matter of now: it ends with the next live grant, or with patience. */
function stepFence(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeState {
  if (hasLiveGrant(s, role.epoch, nowMs)) {
    const isReady = role.hasServed || isDrained(s);
    if (role.fencedSinceMs === null && isReady === role.hasServed) return s;
    const thawed = { ...role, fencedSinceMs: null, hasServed: isReady };
    const isNews = role.fencedSinceMs !== null && role.hasServed;
    const next = withRole(s, thawed);
    return isNews ? report(next, "event", "a grant is live again: thawed") : next;
  }
  if (role.fencedSinceMs === null) {
    const fenced = withRole(s, { ...role, fencedSinceMs: nowMs });
    return report(fenced, "critical", "no other voter confirms this primary: fenced");
  }
  if (nowMs - role.fencedSinceMs < s.config.timers.giveUpAfterMs) return s;
  if (!role.hasServed) return toWaiting(s, nowMs);
  if (isInMaintenance(s)) return s;
  const because = `fenced for ${s.config.timers.giveUpAfterMs / 1000} s: gave up`;
  return withRole(report(s, "critical", because), { kind: "steppingDown", because });
}

/**
 * The peer holds everything and takes every operation. From this persist on its acknowledgement
 * is required for good, its standing vote is over, and the witness's grant no longer counts, as
 * the write that records the join will drop it. So the peer's own promise must be live first.
 */
function beginJoin(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeState {
  const { peer } = s.config;
  const isOut = !s.disk.inSync.includes(peer) && s.disk.joining === null;
  if (!role.isPeerAttached || !isOut || role.ask !== null) return s;
  if (!isPeerGrantFresh(s, role.epoch, nowMs) || s.unconfirmedSinceMs !== null) return s;
  const joining = patchDisk(s, { joining: peer, standingVote: null });
  const witness = { ...s.witness, grantUntilMs: null };
  return report(patch(joining, { witness }), "event", `${peer} is joining: it must acknowledge`);
}

/** Asks the peer for a standing vote while heartbeats pass and the data path does not. */
function stepAsk(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeState {
  const peer = reachedPeer(s, nowMs);
  const isGone = s.disk.standingVote?.epoch === role.epoch || s.disk.forced !== null;
  const isWanted =
    !isGone && role.fencedSinceMs === null && (mustShrink(s, role) || peer?.isLeaving === true);
  const isAnswerable = peer !== null && peer.epoch === role.epoch;
  if (!isWanted || !isAnswerable) {
    return role.ask === null ? s : withRole(s, { ...role, ask: null });
  }
  if (role.ask !== null) return s;
  const ask = { id: `${s.incarnation}-${s.counter}`, sinceMs: nowMs };
  return withRole(patch(s, { counter: s.counter + 1 }), { ...role, ask });
}

/** Brings the peer back, once it is out of the set for certain and able to follow. */
function stepResync(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeState {
  const peer = heardPeer(s, nowMs);
  const isOut = !s.disk.inSync.includes(s.config.peer) && s.disk.joining === null;
  const isAble = peer !== null && canFollow(peer, role) && s.disk.forced === null;
  if (role.resync !== null) {
    if (isOut && isAble) return s;
    return withRole(s, { ...role, resync: null });
  }
  const isDue = nowMs >= role.resyncNotBeforeMs && role.hasServed && role.fencedSinceMs === null;
  if (!isOut || role.isPeerAttached || !isAble || !isDue || role.handover !== null) return s;
  // Files of another history, or of no history of ours, are kept apart and listed, never merged.
  const setAside = peer.copyHistoryId !== s.disk.historyId && peer.data !== "empty";
  const resync = { attempt: s.counter, setAside };
  return withRole(patch(s, { counter: s.counter + 1 }), { ...role, resync });
}

const canFollow = (peer: PeerState, role: LeadingRole): boolean =>
  peer.epoch === role.epoch && peer.role === "following" && isWilling(peer);

/** A peer that was away and comes back may be given its role back; one that gave it away may not. */
function notePeerAway(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeState {
  const peer = heardPeer(s, nowMs);
  const isThere = peer !== null && isWilling(peer);
  if (!role.hasTriedReturn || isThere || role.handover !== null) return s;
  return withRole(s, { ...role, hasTriedReturn: false });
}

/** Wishes that end this leadership in order: a person's, a checker's, a disk's, the preference. */
function beginHandover(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeState {
  if (role.handover !== null || !role.hasServed) return leaveUnserved(s, role, nowMs);
  const to = canTakeOver(s, role, nowMs) ? s.config.peer : null;
  const stopping = { step: "stoppingService", sinceMs: nowMs } as const;
  if (!s.disk.isStartWanted) {
    const heir = s.config.hasFailover && !isInMaintenance(s) ? to : null;
    return withRole(s, { ...role, handover: { ...stopping, to: heir, goal: "stop" } });
  }
  if (s.blocker !== null) {
    return withRole(s, { ...role, handover: { ...stopping, to, goal: "wait" } });
  }
  if (isInMaintenance(s)) return s;
  if (s.fault !== null && to !== null) {
    return withRole(s, { ...role, handover: { ...stopping, to, goal: "follow" } });
  }
  if (to === null || role.hasTriedReturn || !isPreferred(s)) return s;
  const { step } = firstHandoverStep(s);
  const handover = { to, goal: "follow", step, sinceMs: nowMs } as const;
  const returning = withRole(s, { ...role, handover, hasTriedReturn: true });
  return report(returning, "event", `${to} is the preferred primary: handing over`);
}

function leaveUnserved(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeState {
  const wantsOut = !s.disk.isStartWanted || s.blocker !== null;
  if (role.hasServed || !wantsOut) return s;
  const goal = s.disk.isStartWanted ? "wait" : "stop";
  return withRole(s, { kind: "stopping", step: "stoppingService", goal, sinceMs: nowMs });
}

/** Where the cloud moves the address a switchover without the control plane would lead nowhere. */
export const firstHandoverStep = (s: NodeState) =>
  s.config.addressMovedBy === "cloud"
    ? ({ step: "probing" } as const)
    : ({ step: "stoppingService" } as const);

function isPreferred(s: NodeState): boolean {
  const preferred = s.config.defaultPrimary;
  if (preferred.kind === "node") return preferred.nodeId === s.config.peer;
  return preferred.kind === "lastPrimary" && s.disk.previousPrimary === s.config.peer;
}

/** The peer holds everything, is recorded so, takes the live stream and is ready. */
export function canTakeOver(s: NodeState, role: LeadingRole, nowMs: BootMs): boolean {
  const peer = reachedPeer(s, nowMs);
  if (peer === null || !canFollow(peer, role) || isCutOff(s, peer, nowMs)) return false;
  const isIn = s.disk.inSync.includes(s.config.peer) && s.disk.joining === null;
  return isIn && role.isPeerAttached && !peer.outdated && peer.isReady;
}
