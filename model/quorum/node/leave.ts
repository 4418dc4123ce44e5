import type { BootMs } from "../../shared/ids.ts";
import type { PeerState } from "../peer-state.ts";
import { reachedPeers } from "./facts.ts";
import { type NodeState, patchDisk, toWaiting, withRole } from "./state.ts";

/**
 * Leaving when not primary. A secondary that goes in order first lets the primary take its
 * standing vote, so that the primary needs nobody while it is away, not even the witness.
 */
export function stepStopping(s: NodeState, nowMs: BootMs): NodeState {
  if (s.role.kind !== "stopping") return s;
  const role = s.role;
  switch (role.step) {
    case "leaving": {
      const leader = leaderToTell(s, nowMs);
      const isHeld = leader?.isStandingVoteHeld === true && s.disk.outdated;
      const waitedMs = nowMs - role.sinceMs;
      const mustWait = leader !== undefined && !isHeld;
      if (mustWait && waitedMs < s.config.timers.stopWaitMs) return s;
      return withRole(s, { ...role, step: "stoppingService", sinceMs: nowMs });
    }
    case "stoppingService":
      if (s.isServiceUp) return s;
      if (role.goal === "wait") return toWaiting(s, nowMs);
      return withRole(s, { ...role, step: "closing", sinceMs: nowMs });
    case "closing":
      return s;
  }
}

const leaderToTell = (s: NodeState, nowMs: BootMs): PeerState | undefined =>
  reachedPeers(s, nowMs).find(
    (peer) => peer.epoch === s.disk.epoch && (peer.role === "leading" || peer.role === "fenced"),
  );

export function dataClosed(s: NodeState, isSynced: boolean): NodeState {
  if (s.role.kind !== "stopping" || s.role.step !== "closing") return s;
  return withRole(patchDisk(s, { isStoppedCleanly: isSynced }), { kind: "stopped" });
}

/** Stopped nodes still vote: they promise to the primary, and give standing votes. */
export function stepStopped(s: NodeState, nowMs: BootMs): NodeState {
  if (s.role.kind !== "stopped" || !s.disk.isStartWanted) return s;
  const started = patchDisk(s, { isStoppedCleanly: false });
  const bootWaitUntilMs = nowMs + s.config.timers.bootWaitMs;
  return toWaiting({ ...started, bootWaitUntilMs }, nowMs);
}

/** Its application is down at last: nothing of the old epoch is left on this node. */
export function stepSteppingDown(s: NodeState, nowMs: BootMs): NodeState {
  if (s.role.kind !== "steppingDown" || s.isServiceUp) return s;
  return toWaiting(s, nowMs);
}
