import { assertNever } from "../../shared/assert.ts";
import type { BootMs } from "../../shared/ids.ts";
import { oneSentence } from "../../shared/one-sentence.ts";
import { ambition } from "./ambition.ts";
import { diskFailed, isWitnessAway, lastPrimary, neededBy, reachedPeer } from "./facts.ts";
import { maintenanceOf, untilText } from "./maintenance.ts";
import { type LeadingRole, type NodeState, secondaryOf } from "./state.ts";

/** One sentence: what this node does, why, and what a person can do where one is needed. */
export function explain(s: NodeState, nowMs: BootMs): string {
  const maintenance = maintenanceOf(s);
  const why = explainRole(s, nowMs);
  return oneSentence(maintenance === null ? why : `${untilText(maintenance)}; ${why}`);
}

function explainRole(s: NodeState, nowMs: BootMs): string {
  const { role } = s;
  switch (role.kind) {
    case "stopped":
      return "stopped: start it to take part again";
    case "waiting":
      return explainWaiting(s, nowMs);
    case "following":
      return explainFollowing(s);
    case "candidate":
      if (role.step === "closing") return "about to take over: the last promise is running out";
      return isWitnessAway(s, nowMs)
        ? "asked to take over; the control plane does not answer: waiting for it or for the peer"
        : "asked the control plane to take over";
    case "leading":
      return explainLeading(s, role, nowMs);
    case "released":
      return `handed epoch ${role.epoch} over: waiting for ${s.disk.released?.to} to take it`;
    case "steppingDown":
      return role.because;
    case "stopping":
      return role.step === "leaving" ? "stopping: telling the primary first" : "stopping";
    case "broken":
      return `this node cannot keep its state: ${role.because}; mend the disk, then restart`;
    default:
      return assertNever(role);
  }
}

function explainWaiting(s: NodeState, nowMs: BootMs): string {
  const wish = ambition(s, nowMs);
  if (wish.kind === "wait") return wish.reason;
  const verb = wish.kind === "resume" ? "going on" : "taking over";
  const waiting = isWitnessAway(s, nowMs)
    ? "the control plane does not answer: waiting for it or for the peer"
    : "waiting for another voter's word";
  return `${verb}: ${wish.reason}; ${waiting}`;
}

function explainFollowing(s: NodeState): string {
  const peer = lastPrimary(s);
  if (s.fault !== null) return diskFailed(s.fault);
  if (s.disk.outdated) return `this copy is not complete: resyncing from ${peer}`;
  if (s.attachedEpoch !== s.disk.epoch) return `waiting for the stream from ${peer}`;
  return `holds every write of ${peer}, ready to take over`;
}

function explainLeading(s: NodeState, role: LeadingRole, nowMs: BootMs): string {
  if (role.fencedSinceMs !== null) {
    const away = isWitnessAway(s, nowMs) ? " and the control plane does not answer" : "";
    return `fenced: no other voter confirms epoch ${role.epoch}${away}`;
  }
  if (!role.hasServed) return "becoming primary: applying what was received";
  if (role.handover !== null) return "handing over in order";
  const { joining, inSync } = s.disk;
  const gone = neededBy(s, role).find((id) => !secondaryOf(role, id).isAttached);
  if (gone !== undefined) {
    if (gone === joining) return `writes wait: ${gone} is gone, and that is not recorded yet`;
    const asked = reachedPeer(s, gone, nowMs) === null ? "the control plane" : gone;
    return `writes wait until ${asked} confirms going on without ${gone}`;
  }
  if (joining !== null) {
    return `${joining} has joined: waiting until the control plane has recorded it`;
  }
  const { self, peers } = s.config;
  const held = inSync.filter((id) => id !== self);
  if (held.length > 0) return `primary, every write is also on ${held.join(", ")}`;
  const back = peers.filter((id) => secondaryOf(role, id).resync !== null);
  return back.length === 0
    ? `primary, alone: ${peers.join(", ")} does not hold every write`
    : `primary, alone: bringing ${back.join(", ")} back`;
}
