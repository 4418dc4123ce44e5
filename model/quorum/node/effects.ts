import { areEqual } from "../../shared/equal.ts";
import type { NodeEffect } from "../types.ts";
import type { Outputs } from "./outputs.ts";
import type { NodeState } from "./state.ts";

/**
 * From two states to the effects between them, in the one order that is safe: first what restrains
 * this node, then the durable write, then what that write allows: to promise, to serve, to tell.
 * A crash between two effects therefore finds a node that has done less than its disk allows.
 */
export function effectsBetween(before: NodeState | null, after: NodeState): readonly NodeEffect[] {
  const was = before?.shown ?? null;
  const now = after.shown;
  if (now === null) return [];
  const effects: NodeEffect[] = [];
  restrain(effects, was, now, after);
  const isNews = !areEqual(before?.disk, after.disk);
  if (isNews && after.role.kind !== "broken") {
    effects.push({ kind: "persist", disk: after.disk });
  }
  // What could not be opened then is opened now.
  const isDiskTried = (before?.fault ?? null) !== null && after.fault === null;
  allow(effects, isDiskTried && was !== null ? { ...was, data: NOTHING_OPEN } : was, now, after);
  tell(effects, was, now);
  const asked = after.witness.pending;
  const earlier = before?.witness.pending ?? null;
  const isNewAttempt =
    asked?.request.id !== earlier?.request.id || asked?.attempts !== earlier?.attempts;
  if (asked !== null && isNewAttempt) effects.push({ kind: "askWitness", request: asked.request });
  for (const r of after.reports) effects.push({ kind: "report", ...r });
  return effects;
}

const NOTHING_OPEN: Outputs["data"] = { kind: "refuse", below: 0 };

function restrain(to: NodeEffect[], was: Outputs | null, now: Outputs, s: NodeState): void {
  const { peerLeaseMs } = s.config.timers;
  if (now.isFenced && was?.isFenced !== true) {
    to.push({ kind: "fence", reason: now.target?.reason ?? "restarted" });
  }
  if (now.kill !== null && (was?.kill ?? null) === null) {
    to.push({ kind: "killApplication", reason: now.kill });
  }
  if (now.promise === null && (was?.promise ?? null) !== null) {
    to.push({ kind: "promise", epoch: null, peerLeaseMs });
  }
  if (now.seek === null && (was?.seek ?? null) !== null) {
    to.push({ kind: "seekPeerGrant", epoch: null });
  }
  if (now.witnessGrantUntilMs === null && (was?.witnessGrantUntilMs ?? null) !== null) {
    to.push({ kind: "setWitnessGrant", untilMs: null });
  }
  if (!now.isStandingVoteHeld && was?.isStandingVoteHeld === true) {
    to.push({ kind: "setStandingVote", isHeld: false });
  }
  if (now.data.kind === "refuse" && !areEqual(was?.data, now.data)) {
    to.push({ kind: "refuseBelow", epoch: now.data.below });
  }
}

function allow(to: NodeEffect[], was: Outputs | null, now: Outputs, s: NodeState): void {
  const { peerLeaseMs } = s.config.timers;
  if (now.promise !== null && now.promise !== was?.promise) {
    to.push({ kind: "promise", epoch: now.promise, peerLeaseMs });
  }
  if (now.seek !== null && now.seek !== was?.seek) {
    to.push({ kind: "seekPeerGrant", epoch: now.seek });
  }
  const untilMs = now.witnessGrantUntilMs;
  if (untilMs !== null && untilMs !== was?.witnessGrantUntilMs) {
    to.push({ kind: "setWitnessGrant", untilMs });
  }
  if (now.isStandingVoteHeld && was?.isStandingVoteHeld !== true) {
    to.push({ kind: "setStandingVote", isHeld: true });
  }
  if (now.isDraining && was?.isDraining !== true) to.push({ kind: "drainReceiver" });
  if (now.data.kind !== "refuse" && !areEqual(was?.data, now.data)) {
    to.push(
      now.data.kind === "follow"
        ? { kind: "follow", epoch: now.data.epoch }
        : { kind: "serve", epoch: now.data.epoch, ackBy: now.data.ackBy },
    );
  }
  if (!now.isFenced && was?.isFenced === true) to.push({ kind: "thaw" });
  for (const [peer, { epoch, attempt, setAside }] of Object.entries(now.resyncs)) {
    if (attempt === was?.resyncs[peer]?.attempt) continue;
    to.push({ kind: "resyncPeer", peer, epoch, setAside });
  }
  if (now.flush !== null && !areEqual(was?.flush, now.flush)) {
    to.push({ kind: "flushPeer", ...now.flush });
  }
  if (now.isClosing && was?.isClosing !== true) to.push({ kind: "closeData" });
}

function tell(to: NodeEffect[], was: Outputs | null, now: Outputs): void {
  if (now.sign !== null && now.sign !== was?.sign) to.push({ kind: "sign", text: now.sign });
  for (const [peer, state] of Object.entries(now.peerStates)) {
    if (areEqual(was?.peerStates[peer], state)) continue;
    to.push({ kind: "publishPeerState", to: peer, state });
  }
  if (now.target !== null && !areEqual(was?.target, now.target)) {
    to.push({ kind: "setTarget", ...now.target });
  }
}
