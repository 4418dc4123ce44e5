import { assert } from "../shared/assert.ts";
import type { BootMs, Epoch, NodeId } from "../shared/ids.ts";
import { noteAttached } from "./kept.ts";
import { stepVote, voteSigned } from "./node/ballot.ts";
import { boot, type Unstarted } from "./node/boot.ts";
import { command } from "./node/command.ts";
import { noteCopyAge } from "./node/copy-age.ts";
import { effectsBetween } from "./node/effects.ts";
import { explain } from "./node/explain.ts";
import { heardPeer, isConfirmedSince, primaryPeer, viewOf } from "./node/facts.ts";
import { flushed, flushFailed, releaseSigned, stepReleased } from "./node/handover.ts";
import { stepLeading } from "./node/lead.ts";
import { learnFromPeer } from "./node/learn.ts";
import { dataClosed, stepSteppingDown, stepStopped, stepStopping } from "./node/leave.ts";
import { expire, learnMaintenance, takeBlocker } from "./node/maintenance.ts";
import { outputsOf } from "./node/outputs.ts";
import { stepCandidate } from "./node/promote.ts";
import {
  type NodeState,
  type PeerView,
  patch,
  report,
  withRole,
  withSecondary,
} from "./node/state.ts";
import { giveStandingVote, stepFollowing, stepWaiting } from "./node/wait.ts";
import { driveVotes, voteAnswered, voteFailed } from "./node/witness.ts";
import type { PeerState } from "./peer-state.ts";
import type { NodeEffect, NodeEvent } from "./types.ts";

/**
 * The node's whole mind for one module: state and event in, state and effects out. It reads no
 * clock and does no I/O; the shell feeds it events one at a time and runs the effects in order.
 * What goes wrong between two effects is a crash, and every crash must be survivable: see
 * node/effects.ts for the order and docs/QUORUM.md for the protocol.
 */
export type NodeDecision = {
  readonly state: NodeState;
  readonly effects: readonly NodeEffect[];
  /** One sentence: what this node does now, and why. */
  readonly reason: string;
};

export type { NodeState, Unstarted };

/** `nowBootMs` is CLOCK_BOOTTIME: it runs on through suspend and never steps. */
export function decideNode(
  was: NodeState | Unstarted,
  event: NodeEvent,
  nowBootMs: BootMs,
): NodeDecision {
  if (event.kind === "started") {
    const booted = boot(was.config, event, nowBootMs);
    return conclude(null, booted, nowBootMs);
  }
  assert("disk" in was, `${event.kind} came before started`);
  const heard = expire(patch(was, { reports: [] }), nowBootMs);
  const isDeaf = was.role.kind === "broken" && !ENDS_SOMETHING.has(event.kind);
  const told = isDeaf ? heard : observe(heard, event, nowBootMs);
  return conclude(was, told, nowBootMs);
}

/** What a node that cannot keep its state still takes note of: the ends of what it began. */
const ENDS_SOMETHING: ReadonlySet<NodeEvent["kind"]> = new Set([
  "promisesClosed",
  "serviceStopped",
  "receiverDrained",
  "dataClosed",
]);

function conclude(was: NodeState | null, told: NodeState, nowMs: BootMs): NodeDecision {
  const settled =
    told.role.kind === "broken"
      ? told
      : driveVotes(noteCopyAge(was, settle(told, nowMs), nowMs), nowMs);
  const shown = outputsOf(settled, nowMs);
  const state = patch(settled, { ...afterShowing(settled, shown), shown });
  return { state, effects: effectsBetween(was, state), reason: explain(state, nowMs) };
}

/** Showing has consequences of its own: a closing promise is owed an answer, scripts run. */
function afterShowing(s: NodeState, shown: NonNullable<NodeState["shown"]>): Partial<NodeState> {
  const isClosing = shown.promise === null && (s.shown?.promise ?? null) !== null;
  const closesPending = s.promises.closesPending + (isClosing ? 1 : 0);
  const startsDrain = shown.isDraining && s.shown?.isDraining !== true;
  const runs = shown.target?.state;
  const startsService = runs === "PRIM" || runs === "ALONE" || runs === "SECOND";
  const isChanged = runs !== s.shown?.target?.state;
  return {
    promises: { ...s.promises, closesPending },
    drainsPending: s.drainsPending + (startsDrain ? 1 : 0),
    isServiceUp: s.isServiceUp || (startsService && isChanged),
  };
}

/** More turns than any chain of transitions needs: a longer one goes round in circles. */
const SETTLE_TURNS_MAX = 24;

/** Looks at the part this node plays until it no longer changes. */
function settle(s: NodeState, nowMs: BootMs): NodeState {
  let now = s;
  for (let turn = 0; turn < SETTLE_TURNS_MAX; turn += 1) {
    const next = step(now, nowMs);
    if (next === now) return now;
    now = next;
  }
  assert(false, `the role ${now.role.kind} does not settle`);
}

function step(s: NodeState, nowMs: BootMs): NodeState {
  const paired = stepVote(s, nowMs);
  if (paired !== s) return paired;
  const trying = tryDiskAgain(s, nowMs);
  if (trying !== s) return trying;
  const primary = primaryPeer(s);
  const leader = primary === null ? null : heardPeer(s, primary, nowMs);
  const voted = leader === null ? s : giveStandingVote(s, leader);
  if (voted !== s) return voted;
  switch (s.role.kind) {
    case "stopped":
      return stepStopped(s, nowMs);
    case "waiting":
      return stepWaiting(s, nowMs);
    case "following":
      return stepFollowing(s, nowMs);
    case "candidate":
      return stepCandidate(s, nowMs);
    case "leading":
      return stepLeading(s, nowMs);
    case "released":
      return stepReleased(s, nowMs);
    case "steppingDown":
      return stepSteppingDown(s, nowMs);
    case "stopping":
      return stepStopping(s, nowMs);
    case "broken":
      return s;
  }
}

/**
 * A disk that was full or failed may have been mended. While this node leads nothing, the next
 * resync finds out without harm: it fails again, or makes the copy complete.
 */
function tryDiskAgain(s: NodeState, nowMs: BootMs): NodeState {
  const isIdle = s.role.kind === "waiting" || s.role.kind === "following";
  if (s.fault === null || !isIdle || nowMs - s.faultSinceMs < s.config.timers.faultRetryMs) {
    return s;
  }
  return report(patch(s, { fault: null }), "event", `tries its disk again, after ${s.fault}`);
}

type Told = Exclude<NodeEvent, { kind: "started" }>;

/** What the event says, taken down. What follows from it comes in `settle`. */
function observe(s: NodeState, e: Told, nowMs: BootMs): NodeState {
  switch (e.kind) {
    case "ticked":
      return e.nowUnixMs === undefined ? s : patch(s, { unixAheadMs: e.nowUnixMs - nowMs });
    case "serviceStarted":
      return s;
    case "heartbeatViewChanged":
      return hearView(s, e);
    case "peerStateReceived": {
      const { moduleId, peers } = s.config;
      const isOurs = e.state.moduleId === moduleId && peers.includes(e.state.nodeId);
      if (!isOurs || e.state.protocol !== 1) return s;
      return takePeerState(s, e.state, nowMs);
    }
    case "promisesClosed":
      return promisesClosed(s, e.lastPromiseEndsMs);
    case "signed":
      return voteSigned(releaseSigned(s, e.signature, nowMs), e.text, e.signature, nowMs);
    case "voteAnswered":
      return voteAnswered(s, e.requestId, e.answer, nowMs);
    case "voteFailed":
      return voteFailed(s, e.requestId);
    case "serviceStopped":
      return patch(s, { isServiceUp: false });
    case "dataClosed":
      return dataClosed(s, e.isSynced);
    case "persistFailed":
      return persistFailed(s, e);
    case "blockingChanged":
      return takeBlocker(s, e.blocker);
    case "commanded":
      return command(s, e.command, nowMs);
    case "stallNoticed":
      return report(
        patch(s, { unconfirmedSinceMs: nowMs, accuseFromMs: nowMs }),
        "event",
        `${stallText(e)}: nothing is answered until it is confirmed`,
      );
    default:
      return observeData(s, e, nowMs);
  }
}

/** A jump is no proof that this node stood still, only that its clocks cannot tell. */
function stallText({ lastedMs, jumpedMs = 0 }: Extract<Told, { kind: "stallNoticed" }>): string {
  return jumpedMs > lastedMs
    ? `the wall clock of this node jumped by ${Math.round(jumpedMs)} ms`
    : `this node stood still for ${Math.round(lastedMs)} ms`;
}

type DataEvent = Extract<
  NodeEvent,
  {
    kind:
      | "replicationStalled"
      | "replicationAttached"
      | "replicationDetached"
      | "resyncFinished"
      | "resyncFailed"
      | "receiverDrained"
      | "peerFlushed"
      | "flushFailed"
      | "dataFaulted";
  }
>;

function observeData(s: NodeState, e: DataEvent, nowMs: BootMs): NodeState {
  const leading = s.role.kind === "leading" ? s.role : null;
  const later = { resync: null, resyncNotBeforeMs: nowMs + s.config.timers.resyncHoldOffMs };
  switch (e.kind) {
    case "replicationAttached":
      if (leading === null && s.kept?.epoch === e.epoch) {
        return patch(s, { kept: noteAttached(s.disk, s.kept, e.peer, true) });
      }
      if (leading?.epoch !== e.epoch) return s;
      return withSecondary(s, leading, e.peer, { isAttached: true, resync: null });
    case "replicationStalled":
    case "replicationDetached": {
      if (leading === null) {
        const kept = noteAttached(s.disk, s.kept, e.peer, false);
        return patch(s, { attachedEpoch: null, kept });
      }
      return withSecondary(s, leading, e.peer, { isAttached: false, ...later });
    }
    case "resyncFinished":
      return resyncFinished(s, e.epoch);
    case "resyncFailed":
      if (leading === null) return s;
      return withSecondary(s, leading, e.peer, later);
    case "receiverDrained":
      return patch(s, { drainsPending: Math.max(0, s.drainsPending - 1) });
    case "peerFlushed":
      return flushed(s, e.peer, nowMs);
    case "flushFailed":
      return flushFailed(s, e.peer, e.cause);
    case "dataFaulted":
      return report(
        patch(s, { fault: e.cause, faultSinceMs: nowMs, attachedEpoch: null }),
        "critical",
        e.cause,
      );
  }
}

/**
 * The primary may not be heard at this moment: the data plane goes on until it is told otherwise,
 * and the primary, which knows that the copy is complete, will require it.
 */
function resyncFinished(s: NodeState, epoch: Epoch): NodeState {
  const isSecondary = s.role.kind === "following" || s.role.kind === "waiting";
  const isOurs = isSecondary && s.disk.epoch === epoch && primaryPeer(s) !== null;
  return isOurs ? patch(s, { attachedEpoch: epoch }) : s;
}

function hearView(
  s: NodeState,
  e: Extract<NodeEvent, { kind: "heartbeatViewChanged" }>,
): NodeState {
  const { lastHeardMs, peerGrantUntilMs: grantUntilMs, peerGrantEpoch: grantEpoch } = e;
  const heard = withView(s, e.peer, { lastHeardMs, grantUntilMs, grantEpoch });
  if (s.unconfirmedSinceMs === null) return heard;
  // Only a heartbeat sent after the stall and answered proves that the epoch still stands.
  const isConfirmed = isConfirmedSince(heard, s.disk.epoch, s.unconfirmedSinceMs);
  return isConfirmed ? patch(heard, { unconfirmedSinceMs: null }) : heard;
}

const withView = (s: NodeState, id: NodeId, part: Partial<PeerView>): NodeState =>
  patch(s, { peers: { ...s.peers, [id]: { ...viewOf(s, id), ...part } } });

function takePeerState(s: NodeState, peer: PeerState, nowMs: BootMs) {
  const heard = learnMaintenance(withView(s, peer.nodeId, { state: peer }), peer, nowMs);
  // A proposal of this node that the peer took names its own epoch: known before it is news.
  return learnFromPeer(stepVote(heard, nowMs), peer, nowMs);
}

/**
 * What could not be kept was not said, and never is: this node stands by what its disk has, asks
 * nothing more, and learns nothing that it would have to keep, until its agent starts anew.
 */
function persistFailed(
  s: NodeState,
  { cause, kept }: Extract<NodeEvent, { kind: "persistFailed" }>,
): NodeState {
  const witness = { ...s.witness, pending: null, grantUntilMs: null };
  // The peer is told of the fault, so that it does not wait for this node.
  const silent = patch(s, { disk: kept, witness, pairing: null, voteGiven: null, fault: cause });
  return report(withRole(silent, { kind: "broken", because: cause }), "critical", cause);
}

function promisesClosed(s: NodeState, lastEndsMs: BootMs | null): NodeState {
  const { closesPending, lastEndsMs: known } = s.promises;
  const latest = lastEndsMs === null ? known : Math.max(lastEndsMs, known ?? lastEndsMs);
  const promises = { closesPending: Math.max(0, closesPending - 1), lastEndsMs: latest };
  return patch(s, { promises });
}
