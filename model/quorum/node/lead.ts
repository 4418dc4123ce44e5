import type { BootMs, NodeId } from "../../shared/ids.ts";
import { boundEpoch } from "../disk.ts";
import type { PeerState } from "../peer-state.ts";
import {
  canWinVotes,
  hasLiveGrant,
  hasStandingVote,
  heardPeer,
  isCutOff,
  isDrained,
  isPeerGrantFresh,
  isRequired,
  isWilling,
  isWitnessAway,
  mustShrink,
  pairFloor,
  reachedPeer,
  viewOf,
} from "./facts.ts";
import { stepHandover } from "./handover.ts";
import { isInMaintenance } from "./maintenance.ts";
import {
  type LeadingRole,
  type NodeState,
  patch,
  patchDisk,
  report,
  secondaryOf,
  toWaiting,
  withRole,
  withSecondary,
} from "./state.ts";

/**
 * Primary. The one rule everything here serves: an operation is acknowledged without a peer only
 * after that peer's name has left the set on another voter's durable word (a conditional write at
 * the witness, or the peer's standing vote), and on this node's disk. Until then it waits for the
 * peer, whatever the clocks say.
 */
export function stepLeading(s: NodeState, nowMs: BootMs): NodeState {
  if (s.role.kind !== "leading") return s;
  const steps = [
    forEachPeer(takeStandingVote),
    forEachPeer(noticeDenial),
    outgrowPairVote,
    stepFence,
    forEachPeer(beginJoin),
    forEachPeer(stepAsk),
    forEachPeer(stepResync),
    forEachPeer(notePeerAway),
    beginHandover,
  ];
  let now = s;
  for (const step of steps) {
    if (now.role.kind !== "leading") return now;
    now = step(now, now.role, nowMs);
  }
  return now.role.kind === "leading" ? stepHandover(now, now.role, nowMs) : now;
}

type PeerStep = (s: NodeState, role: LeadingRole, id: NodeId, nowMs: BootMs) => NodeState;

const forEachPeer =
  (step: PeerStep) =>
  (s: NodeState, _role: LeadingRole, nowMs: BootMs): NodeState => {
    let now = s;
    for (const id of s.config.peers) {
      if (now.role.kind === "leading") now = step(now, now.role, id, nowMs);
    }
    return now;
  };

/** The peer's durable answer to exactly the ask that is open now. */
function takeStandingVote(s: NodeState, role: LeadingRole, id: NodeId): NodeState {
  const given = viewOf(s, id).state?.standingVoteGiven ?? null;
  const { ask } = secondaryOf(role, id);
  if (ask === null || given?.id !== ask.id || given.epoch !== role.epoch) return s;
  const others = s.disk.standingVotes.filter((v) => v.from !== id);
  const voted = patchDisk(s, {
    standingVotes: [...others, { from: id, epoch: role.epoch }],
    inSync: s.disk.inSync.filter((n) => n !== id),
    joining: s.disk.joining === id ? null : s.disk.joining,
  });
  const without = withSecondary(voted, role, id, { ask: null, isAttached: false, resync: null });
  return report(without, "event", `${id} promised not to take over: going on ${onAfter(voted)}`);
}

const onAfter = ({ config, disk }: NodeState): string => {
  const others = disk.inSync.filter((n) => n !== config.self);
  return others.length === 0 ? "alone" : `with ${others.join(", ")}`;
};

/**
 * Both ends must agree that the stream is attached. The peer may have let go of it while this end
 * has not: it gave a standing vote to an ask that was withdrawn meanwhile, or did not follow at the
 * moment the resync ended. Nobody else would ever tell, so what it says for long counts.
 */
function noticeDenial(s: NodeState, role: LeadingRole, id: NodeId, nowMs: BootMs): NodeState {
  const peer = heardPeer(s, id, nowMs);
  const { isAttached, deniedSinceMs } = secondaryOf(role, id);
  const isDenied = isAttached && peer !== null && canFollow(peer, role) && !peer.isAttached;
  if (!isDenied) {
    return deniedSinceMs === null ? s : withSecondary(s, role, id, { deniedSinceMs: null });
  }
  if (deniedSinceMs === null) return withSecondary(s, role, id, { deniedSinceMs: nowMs });
  if (nowMs - deniedSinceMs < s.config.timers.replTimeoutMs) return s;
  const detached = { isAttached: false, deniedSinceMs: null, resync: null };
  const why = `${id} does not take the stream that was attached: bringing it back anew`;
  return report(withSecondary(s, role, id, detached), "event", why);
}

/**
 * A vote was cast that came to nothing, here or at a peer, and the witness is back: this primary
 * asks for an epoch above that vote, as nobody bound by it can act below.
 */
function outgrowPairVote(s: NodeState, _role: LeadingRole, nowMs: BootMs): NodeState {
  const floor = pairFloor(s, nowMs);
  const hasAsked = s.disk.asked > floor;
  if (floor <= s.disk.epoch || hasAsked || isWitnessAway(s, nowMs)) return s;
  if (s.disk.forced !== null || !canWinVotes(s, nowMs)) return s;
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
 * the write that records the join will drop it. So the peer's own promise must be live first. One
 * peer at a time joins.
 */
function beginJoin(s: NodeState, role: LeadingRole, id: NodeId, nowMs: BootMs): NodeState {
  const { isAttached, ask } = secondaryOf(role, id);
  const isOut = !s.disk.inSync.includes(id) && s.disk.joining === null;
  if (!isAttached || !isOut || ask !== null) return s;
  if (!isPeerGrantFresh(s, id, role.epoch, nowMs) || s.unconfirmedSinceMs !== null) return s;
  // A person answered for all peers at that moment; from here there is one to answer for itself.
  const standingVotes = s.disk.standingVotes.filter((v) => v.from !== id && v.from !== "person");
  const joining = patchDisk(s, { joining: id, standingVotes });
  const witness = { ...s.witness, grantUntilMs: null };
  return report(patch(joining, { witness }), "event", `${id} is joining: it must acknowledge`);
}

/** Asks the peer for a standing vote while heartbeats pass and the data path does not. */
function stepAsk(s: NodeState, role: LeadingRole, id: NodeId, nowMs: BootMs): NodeState {
  const peer = reachedPeer(s, id, nowMs);
  const open = secondaryOf(role, id).ask;
  const isGone = hasStandingVote(s, id, role.epoch) || s.disk.forced !== null;
  const isWanted =
    !isGone && role.fencedSinceMs === null && (mustShrink(s, role, id) || peer?.isLeaving === true);
  const isAnswerable = peer !== null && peer.epoch === role.epoch;
  if (!isWanted || !isAnswerable) {
    return open === null ? s : withSecondary(s, role, id, { ask: null });
  }
  if (open !== null) return s;
  const ask = { id: `${s.incarnation}-${s.counter}`, sinceMs: nowMs };
  return withSecondary(patch(s, { counter: s.counter + 1 }), role, id, { ask });
}

/** Brings the peer back, once it is out of the set for certain and able to follow. */
function stepResync(s: NodeState, role: LeadingRole, id: NodeId, nowMs: BootMs): NodeState {
  const peer = heardPeer(s, id, nowMs);
  const { isAttached, resync, resyncNotBeforeMs } = secondaryOf(role, id);
  const isOut = !isRequired(s, id);
  const isAble = peer !== null && canFollow(peer, role) && s.disk.forced === null;
  if (resync !== null) {
    if (isOut && isAble) return s;
    return withSecondary(s, role, id, { resync: null });
  }
  const isDue = nowMs >= resyncNotBeforeMs && role.hasServed && role.fencedSinceMs === null;
  if (!isOut || isAttached || !isAble || !isDue || role.handover !== null) return s;
  // Files of another history, or of no history of ours, are kept apart and listed, never merged.
  const setAside = peer.copyHistoryId !== s.disk.historyId && peer.data !== "empty";
  const begun = { attempt: s.counter, setAside };
  return withSecondary(patch(s, { counter: s.counter + 1 }), role, id, { resync: begun });
}

const canFollow = (peer: PeerState, role: LeadingRole): boolean =>
  peer.epoch === role.epoch && peer.role === "following" && isWilling(peer);

/** A peer that was away and comes back may be given its role back; one that gave it away may not. */
function notePeerAway(s: NodeState, role: LeadingRole, id: NodeId, nowMs: BootMs): NodeState {
  const peer = heardPeer(s, id, nowMs);
  const isThere = peer !== null && isWilling(peer);
  if (!secondaryOf(role, id).hasTriedReturn || isThere || role.handover !== null) return s;
  return withSecondary(s, role, id, { hasTriedReturn: false });
}

/** Wishes that end this leadership in order: a person's, a checker's, a disk's, the preference. */
function beginHandover(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeState {
  if (role.handover !== null || !role.hasServed) return leaveUnserved(s, role, nowMs);
  const to = heirOf(s, role, nowMs);
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
  const preferred = preferredPeer(s);
  if (to === null || to !== preferred || secondaryOf(role, to).hasTriedReturn) return s;
  const { step } = firstHandoverStep(s);
  const handover = { to, goal: "follow", step, sinceMs: nowMs } as const;
  const returning = withSecondary(s, { ...role, handover }, to, { hasTriedReturn: true });
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

/** The peer that should have the role by `defaultprim`; null: it is this node, or anybody. */
function preferredPeer(s: NodeState): NodeId | null {
  const preferred = s.config.defaultPrimary;
  const id = preferred.kind === "node" ? preferred.nodeId : s.disk.previousPrimary;
  const isPeer = preferred.kind !== "alone" && id !== null && s.config.peers.includes(id);
  return isPeer ? id : null;
}

/** Who could take over now: the preferred peer, or the first by name; null: nobody. */
export function heirOf(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeId | null {
  const able = s.config.peers.filter((id) => canTakeOver(s, role, id, nowMs));
  const preferred = preferredPeer(s);
  return able.find((id) => id === preferred) ?? able[0] ?? null;
}

/** The peer holds everything, is recorded so, takes the live stream and is ready. */
function canTakeOver(s: NodeState, role: LeadingRole, id: NodeId, nowMs: BootMs): boolean {
  const peer = reachedPeer(s, id, nowMs);
  if (peer === null || !canFollow(peer, role) || isCutOff(s, peer, nowMs)) return false;
  const isIn = s.disk.inSync.includes(id) && s.disk.joining !== id;
  return isIn && secondaryOf(role, id).isAttached && !peer.outdated && peer.isReady;
}
