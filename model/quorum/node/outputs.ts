import type { BootMs, Epoch, NodeId } from "../../shared/ids.ts";
import { hasOpenVote } from "../disk.ts";
import { pairTermsText, releaseText } from "../pair.ts";
import type { PeerState } from "../peer-state.ts";
import type { TargetState } from "../types.ts";
import { ambition } from "./ambition.ts";
import { explain } from "./explain.ts";
import { isOnlyHeir, isRequired, neededBy, primaryPeer } from "./facts.ts";
import { peerStateOf } from "./peer-state-of.ts";
import { type LeadingRole, type NodeState, secondaryOf } from "./state.ts";
import { isVoting, mayVoteNow } from "./vote-facts.ts";

/** What the world outside the decision must see and do at this moment. */
export type Outputs = {
  readonly isFenced: boolean;
  readonly kill: string | null;
  /** The epoch whose primary this node helps. */
  readonly promise: Epoch | null;
  /** The epoch for which this node wants the peer's help. */
  readonly seek: Epoch | null;
  readonly witnessGrantUntilMs: BootMs | null;
  readonly isStandingVoteHeld: boolean;
  readonly data: DataOutput;
  /** The data plane may still hold what it took as primary, until it follows or is closed. */
  readonly isPlanePrimary: boolean;
  readonly isDraining: boolean;
  /** The peers that are brought back. */
  readonly resyncs: Readonly<
    Record<NodeId, { readonly epoch: Epoch; readonly attempt: number; readonly setAside: boolean }>
  >;
  readonly flush: { readonly peer: NodeId; readonly epoch: Epoch } | null;
  readonly isClosing: boolean;
  readonly sign: string | null;
  readonly target: {
    readonly state: TargetState;
    readonly isReady: boolean;
    readonly reason: string;
  } | null;
  /** What each peer is told. */
  readonly peerStates: Readonly<Record<NodeId, PeerState>>;
};

export type DataOutput =
  | { readonly kind: "refuse"; readonly below: Epoch }
  | { readonly kind: "follow"; readonly epoch: Epoch }
  | { readonly kind: "serve"; readonly epoch: Epoch; readonly ackBy: readonly NodeId[] };

export function outputsOf(s: NodeState, nowMs: BootMs): Outputs {
  const { role } = s;
  const isLeading = role.kind === "leading";
  const data = dataOf(s);
  const isClosing = role.kind === "stopping" && role.step === "closing";
  const hasPlane = s.shown === null ? s.kept !== null : s.shown.isPlanePrimary;
  const wasPrimary = hasPlane && data.kind !== "follow";
  const hasEnded = isClosing || role.kind === "steppingDown";
  return {
    isFenced: isFenced(s, wasPrimary && !isClosing),
    kill: role.kind === "steppingDown" ? role.because : null,
    promise: promiseOf(s),
    seek: isLeading || wantsToResume(s, nowMs) ? s.disk.epoch : null,
    witnessGrantUntilMs: s.disk.joining === null ? s.witness.grantUntilMs : null,
    isStandingVoteHeld: isLeading && isOnlyHeir(s, role.epoch),
    data,
    isPlanePrimary: data.kind === "serve" || (wasPrimary && !hasEnded),
    isDraining: isDraining(s),
    resyncs: isLeading ? resyncsOf(role) : {},
    flush: isLeading ? flushOf(role) : null,
    isClosing,
    sign: signOf(s, nowMs),
    target: targetOf(s, nowMs),
    peerStates: Object.fromEntries(s.config.peers.map((id) => [id, peerStateOf(s, id, nowMs)])),
  };
}

const resyncsOf = ({ epoch, secondaries }: LeadingRole): Outputs["resyncs"] =>
  Object.fromEntries(
    Object.entries(secondaries).flatMap(([id, { resync }]) =>
      resync === null ? [] : [[id, { epoch, ...resync }]],
    ),
  );

function flushOf({ epoch, handover }: LeadingRole): Outputs["flush"] {
  if (handover?.step !== "flushing" || handover.to === null) return null;
  return { peer: handover.to, epoch };
}

/**
 * A data plane that served stays fenced until it serves again under a live grant, follows, or is
 * closed: what it held back when its epoch ended must never be answered.
 */
function isFenced(s: NodeState, wasPrimary: boolean): boolean {
  if (s.role.kind === "leading" && s.role.hasServed) {
    // From the flush on nothing is answered: a write acknowledged after it would be on no disk.
    const step = s.role.handover?.step;
    return s.role.fencedSinceMs !== null || step === "flushing" || step === "signing";
  }
  return wasPrimary || s.role.kind === "steppingDown" || s.role.kind === "broken";
}

/** From the question on nothing more is received; a new leader applied all before it serves. */
function isDraining(s: NodeState): boolean {
  if (s.role.kind === "candidate") return s.role.step === "asking";
  return s.role.kind === "leading" && !s.role.hasServed;
}

/**
 * A node helps the primary of the epoch it knows, from the first moment and whatever its own state,
 * unless it asked for, or voted for, another epoch: until that is answered it helps nobody.
 */
function promiseOf(s: NodeState): Epoch | null {
  if (s.disk.epoch === 0 || primaryPeer(s) === null || hasOpenVote(s.disk)) return null;
  if (s.role.kind === "candidate" || s.role.kind === "broken" || isVoting(s)) return null;
  return s.disk.epoch;
}

const wantsToResume = (s: NodeState, nowMs: BootMs): boolean =>
  s.role.kind === "waiting" && ambition(s, nowMs).kind === "resume";

function dataOf(s: NodeState): DataOutput {
  const { role, disk } = s;
  if (role.kind === "leading" && role.hasServed) {
    return { kind: "serve", epoch: role.epoch, ackBy: neededBy(s, role) };
  }
  if (role.kind === "following") return { kind: "follow", epoch: role.epoch };
  // On its way out a secondary takes operations until the primary needs it no more.
  const isLeaving = role.kind === "stopping" && role.step === "leaving";
  if (isLeaving && primaryPeer(s) !== null && !hasOpenVote(disk)) {
    return { kind: "follow", epoch: disk.epoch };
  }
  // A vote for the pair binds for ever. A question to the witness does not, it can be refused:
  // while it is open the receiver is stopped instead.
  return { kind: "refuse", below: Math.max(disk.epoch, disk.pairVote?.terms.epoch ?? 0) };
}

function signOf(s: NodeState, nowMs: BootMs): string | null {
  if (s.pairing !== null) return mayVoteNow(s, nowMs) ? pairTermsText(s.pairing) : null;
  if (s.role.kind !== "leading" || s.role.handover?.step !== "signing") return null;
  const { to } = s.role.handover;
  const { moduleId, self } = s.config;
  return to === null ? null : releaseText({ moduleId, epoch: s.role.epoch, from: self, to });
}

function targetOf(s: NodeState, nowMs: BootMs): Outputs["target"] {
  const { role } = s;
  const reason = explain(s, nowMs);
  switch (role.kind) {
    case "stopped":
      return { state: "STOP", isReady: false, reason };
    case "following": {
      const isReady = s.attachedEpoch === role.epoch && !s.disk.outdated && !s.disk.isUnclean;
      return { state: "SECOND", isReady, reason };
    }
    case "leading":
      return leadingTarget(s, role, reason);
    case "stopping":
      if (role.step === "leaving" && s.shown?.target?.state === "SECOND") {
        return { state: "SECOND", isReady: false, reason };
      }
      return { state: role.goal === "stop" ? "STOP" : "WAIT", isReady: false, reason };
    default: {
      // An agent that restarted adopts the running application: nothing is stopped before it is
      // clear that this node will not simply go on.
      const mayAdopt = s.isServiceUp && (s.shown === null || s.shown.target === null);
      const isYoung = nowMs - s.startedMs < s.config.timers.giveUpAfterMs;
      if (role.kind === "waiting" && mayAdopt && isYoung && s.disk.isStartWanted) return null;
      return { state: "WAIT", isReady: false, reason };
    }
  }
}

function leadingTarget(s: NodeState, role: LeadingRole, reason: string): Outputs["target"] {
  if (role.handover !== null && role.handover.step !== "probing") {
    const state = role.handover.goal === "stop" ? "STOP" : "WAIT";
    return { state, isReady: false, reason };
  }
  if (!role.hasServed) {
    const shown = s.shown?.target ?? null;
    return shown === null && s.isServiceUp ? null : { state: "WAIT", isReady: false, reason };
  }
  const isHeld = (id: NodeId) => isRequired(s, id) && secondaryOf(role, id).isAttached;
  const isPaired = s.config.peers.some(isHeld);
  const isReady = role.fencedSinceMs === null;
  return { state: isPaired ? "PRIM" : "ALONE", isReady, reason };
}
