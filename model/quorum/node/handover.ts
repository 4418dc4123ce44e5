import { assertNever } from "../../shared/assert.ts";
import type { BootMs, NodeId } from "../../shared/ids.ts";
import { isWitnessAway } from "./facts.ts";
import {
  type Handover,
  type LeadingRole,
  type NodeState,
  patchDisk,
  report,
  secondaryOf,
  toWaiting,
  withRole,
} from "./state.ts";

/**
 * A primary on its orderly way out: stop the application, let the peer apply everything, sign and
 * persist the release. Up to the release it keeps every duty of a leader (grants, fence, shrink),
 * and may change its mind; after it, this node acts under the epoch never again.
 */
export function stepHandover(s: NodeState, role: LeadingRole, nowMs: BootMs): NodeState {
  const handover = role.handover;
  if (handover === null) return s;
  switch (handover.step) {
    case "probing":
      return stepProbing(s, role, handover, nowMs);
    case "stoppingService":
      if (s.isServiceUp) return s;
      if (handover.to === null) return stopAlone(s, handover, nowMs);
      return withRole(s, { ...role, handover: { ...handover, step: "flushing", sinceMs: nowMs } });
    case "flushing":
      if (handover.to !== null && secondaryOf(role, handover.to).isAttached) return s;
      return abandon(s, role, handover, "the stream to the peer broke before it was flushed");
    case "signing":
      return s;
    default:
      return assertNever(handover.step);
  }
}

/** The control plane must answer before a switchover that needs it to move the address. */
function stepProbing(
  s: NodeState,
  role: LeadingRole,
  handover: Handover,
  nowMs: BootMs,
): NodeState {
  const answered = s.witness.lastAnswerMs;
  if (answered !== null && answered >= handover.sinceMs) {
    const step = "stoppingService";
    return withRole(s, { ...role, handover: { ...handover, step, sinceMs: nowMs } });
  }
  const waitedMs = nowMs - handover.sinceMs;
  if (!isWitnessAway(s, nowMs) && waitedMs < s.config.timers.stopWaitMs) return s;
  const why = "the control plane, which moves the address, does not answer";
  return report(withRole(s, { ...role, handover: null }), "event", `switchover refused: ${why}`);
}

/** A switchover without a successor goes on leading; a stop goes on stopping. */
function abandon(s: NodeState, role: LeadingRole, handover: Handover, why: string): NodeState {
  const next = handover.goal === "follow" ? null : { ...handover, to: null };
  const back = next === null ? null : ({ ...next, step: "stoppingService" } as const);
  return report(withRole(s, { ...role, handover: back }), "event", `handover given up: ${why}`);
}

export const flushFailed = (s: NodeState, peer: NodeId, cause: string): NodeState =>
  s.role.kind === "leading" && isFlushing(s.role.handover, peer)
    ? abandon(s, s.role, s.role.handover, cause)
    : s;

const isFlushing = (handover: Handover | null, to: NodeId): handover is Handover =>
  handover?.step === "flushing" && handover.to === to;

/** Nobody takes over: this copy stays primary of its epoch, and resumes it at the next start. */
function stopAlone(s: NodeState, handover: Handover, nowMs: BootMs): NodeState {
  if (handover.goal === "stop") {
    return withRole(s, { kind: "stopping", step: "closing", goal: "stop", sinceMs: nowMs });
  }
  return toWaiting(s, nowMs);
}

export function flushed(s: NodeState, peer: NodeId, nowMs: BootMs): NodeState {
  if (s.role.kind !== "leading" || !isFlushing(s.role.handover, peer)) return s;
  const handover = { ...s.role.handover, step: "signing", sinceMs: nowMs } as const;
  return withRole(s, { ...s.role, handover });
}

/** The release is signed: durable with the next persist, which comes before it is published. */
export function releaseSigned(s: NodeState, signature: string, nowMs: BootMs): NodeState {
  if (s.role.kind !== "leading" || s.role.handover?.step !== "signing") return s;
  const { to, goal } = s.role.handover;
  if (to === null) return s;
  const { moduleId, self } = s.config;
  const { epoch } = s.role;
  const released = patchDisk(s, {
    released: { moduleId, epoch, from: self, to, signature },
    outdated: s.fault !== null,
  });
  const told = report(released, "event", `released epoch ${epoch} to ${to}`);
  return withRole(told, { kind: "released", epoch, goal, sinceMs: nowMs });
}

/** Nobody took over in time: ask for itself, or stop all the same. */
export function stepReleased(s: NodeState, nowMs: BootMs): NodeState {
  if (s.role.kind !== "released") return s;
  if (nowMs - s.role.sinceMs < s.config.timers.releaseWaitMs) return s;
  if (s.role.goal === "stop") {
    return withRole(s, { kind: "stopping", step: "closing", goal: "stop", sinceMs: nowMs });
  }
  return toWaiting(s, nowMs);
}
