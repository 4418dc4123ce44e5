import type { PeerState } from "#model/quorum/peer-state.ts";
import type { ModuleId, NodeId } from "#model/shared/ids.ts";

/** A well-formed published state, for tests of what carries it. */
export const samplePeerState = (moduleId: ModuleId, nodeId: NodeId): PeerState => ({
  protocol: 1,
  moduleId,
  nodeId,
  role: "leading",
  epoch: 7,
  historyId: "history",
  copyHistoryId: "history",
  primary: nodeId,
  inSync: [nodeId],
  outdated: false,
  isUnclean: false,
  joining: null,
  asked: 0,
  pairVote: null,
  pairDecision: null,
  release: null,
  data: "hasData",
  isStartWanted: true,
  isLeaving: false,
  hearsPeer: true,
  witnessIsAway: false,
  standingVoteAsk: { id: "ask-1", epoch: 7 },
  standingVoteGiven: null,
  isStandingVoteHeld: false,
  isAttached: false,
  isReady: true,
  fault: null,
});
