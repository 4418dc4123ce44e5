import type { Epoch, ModuleId, NodeId } from "../shared/ids.ts";
import type { PublishedMaintenance } from "./maintenance.ts";
import type { PairDecision, PairVote, Release } from "./pair.ts";

/** The part a node plays for one module, as its peer needs to know it. */
export type PublishedRole =
  /** Leads under `epoch`: answers file operations, or will as soon as its mounts are ready. */
  | "leading"
  /** Would lead under `epoch`, but holds no live grant. */
  | "fenced"
  /** Takes the primary's operations, or waits for the first of them. */
  | "following"
  /** Neither; it may become either. */
  | "waiting"
  /** On the way out of leading: its application is being stopped. */
  | "steppingDown"
  | "stopped";

/**
 * Everything about one module that a node tells its peer, in every heartbeat. It is state, not
 * messages: the newest one received replaces all before it, so loss, duplication and reordering
 * harm nothing. Whatever it says of the disk is on the disk (with fsync) before it is published.
 * At most 1 KiB as JSON.
 */
export type PeerState = {
  readonly protocol: 1;
  readonly moduleId: ModuleId;
  readonly nodeId: NodeId;
  readonly role: PublishedRole;
  readonly epoch: Epoch;
  readonly historyId: string | null;
  /** What its files belong to: another history is set aside, never merged. */
  readonly copyHistoryId: string | null;
  readonly primary: NodeId | null;
  readonly inSync: readonly NodeId[];
  readonly outdated: boolean;
  readonly isUnclean: boolean;
  readonly joining: NodeId | null;
  readonly asked: Epoch;
  readonly pairVote: PairVote | null;
  readonly pairDecision: PairDecision | null;
  readonly release: Release | null;
  /** What lies in the replicated directories: decides only about a first start. */
  readonly data: "empty" | "hasData" | "unknown";
  readonly isStartWanted: boolean;
  /** Wants to stop or to leave the data path: please ask for my standing vote. */
  readonly isLeaving: boolean;
  /** Heard this peer within detectAfter: both directions work. */
  readonly hearsPeer: boolean;
  /** This node got no answer from the witness although it asked. */
  readonly witnessIsAway: boolean;
  /** As primary: please promise durably not to become primary. A new ask has a new id. */
  readonly standingVoteAsk: { readonly id: string; readonly epoch: Epoch } | null;
  /** As secondary: given, durably, in answer to exactly this ask. */
  readonly standingVoteGiven: { readonly id: string; readonly epoch: Epoch } | null;
  /** As primary: a standing vote of the peer is on this node's disk; it may stop now. */
  readonly isStandingVoteHeld: boolean;
  /** As secondary: resync is complete and the live stream of `epoch` is attached. */
  readonly isAttached: boolean;
  /** As secondary: ready to take over: scripts done, no blocking checker. */
  readonly isReady: boolean;
  /** A fault of this node's disk, or null. */
  readonly fault: string | null;
  /** The last maintenance that this node knows of; left out when there never was one. */
  readonly maintenance?: PublishedMaintenance | undefined;
};

/** The epoch below which that node acts, acknowledges and promises nothing. */
export const boundOf = (p: PeerState): Epoch =>
  Math.max(p.epoch, p.asked, p.pairVote?.terms.epoch ?? 0);

/** Bound on the JSON form of one published state; a longer one is a bug. */
export const PEER_STATE_BYTES_MAX = 1024;
