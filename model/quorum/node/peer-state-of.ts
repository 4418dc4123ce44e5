import type { BootMs, NodeId } from "../../shared/ids.ts";
import type { PeerState, PublishedRole } from "../peer-state.ts";
import { hasStandingVote, heardPeer, isWitnessAway, viewOf } from "./facts.ts";
import { type NodeState, secondaryOf } from "./state.ts";

/** What this node tells that peer: a function of its state, so it can never be forgotten. */
export function peerStateOf(s: NodeState, to: NodeId, nowMs: BootMs): PeerState {
  const { disk, role } = s;
  const peerKnows = (viewOf(s, to).state?.epoch ?? -1) >= disk.epoch;
  const ask = role.kind === "leading" ? secondaryOf(role, to).ask : null;
  return {
    protocol: 1,
    moduleId: disk.moduleId,
    nodeId: disk.nodeId,
    role: publishedRole(s),
    epoch: disk.epoch,
    historyId: disk.historyId,
    copyHistoryId: disk.copyHistoryId,
    primary: disk.primary,
    inSync: disk.inSync,
    outdated: disk.outdated,
    isUnclean: disk.isUnclean,
    joining: disk.joining,
    asked: disk.asked,
    pairVote: disk.pairVote,
    // Shown until the peer has it too; the witness gets it with every request.
    pairDecision: peerKnows ? null : disk.pairDecision,
    release: disk.released,
    data: s.data,
    isStartWanted: disk.isStartWanted,
    isLeaving: role.kind === "stopping" || s.blocker !== null || !disk.isStartWanted,
    hearsPeer: heardPeer(s, to, nowMs) !== null,
    witnessIsAway: isWitnessAway(s, nowMs),
    standingVoteAsk: ask === null ? null : { id: ask.id, epoch: disk.epoch },
    standingVoteGiven: to === disk.primary ? s.voteGiven : null,
    isStandingVoteHeld: role.kind === "leading" && hasStandingVote(s, to, role.epoch),
    isAttached: s.attachedEpoch !== null && s.attachedEpoch === disk.epoch,
    isReady: role.kind === "following" && s.blocker === null && s.fault === null,
    fault: s.fault,
    ...publishedMaintenance(s),
  };
}

function publishedMaintenance({ disk }: NodeState): Pick<PeerState, "maintenance"> {
  if (disk.maintenance === null) return {};
  const { id, serial, by, forMs, untilUnixMs, isOver } = disk.maintenance;
  return { maintenance: { id, serial, by, forMs, untilUnixMs, isOver } };
}

function publishedRole(s: NodeState): PublishedRole {
  const { role } = s;
  switch (role.kind) {
    case "leading":
      return role.fencedSinceMs === null ? "leading" : "fenced";
    case "following":
      return "following";
    case "steppingDown":
      return "steppingDown";
    case "stopped":
      return "stopped";
    case "stopping":
      return s.disk.primary === s.config.self ? "steppingDown" : "waiting";
    case "waiting":
    case "candidate":
    case "released":
    case "broken":
      return "waiting";
  }
}
