import type { Epoch, ModuleId, NodeId, UnixMs } from "../shared/ids.ts";
import type { Maintenance } from "./maintenance.ts";
import type { PairDecision, PairVote, Release } from "./pair.ts";

/** A peer's lasting word that it will not become primary, or a person's that no peer will. */
export type StandingVote = { readonly from: NodeId | "person"; readonly epoch: Epoch };

/** A person's force that the witness has not recorded yet. */
export type Forced = {
  readonly historyId: string;
  readonly epoch: Epoch;
  readonly by: string;
  readonly reason: string;
};

/**
 * What a node remembers of one module, checksummed and written with fsync **before** it acts on
 * it, sends a vote or sends a request. It changes only through `decideNode`.
 */
export type NodeDisk = {
  readonly format: 1;
  readonly moduleId: ModuleId;
  readonly nodeId: NodeId;
  /** The highest epoch whose primary this node knows. 0 = none ever. */
  readonly epoch: Epoch;
  readonly historyId: string | null;
  /** Primary of `epoch`. */
  readonly primary: NodeId | null;
  /**
   * On the primary's disk: every node named here holds every acknowledged write, as the primary
   * removes a name durably before it acknowledges without it. Elsewhere: what was last heard.
   */
  readonly inSync: readonly NodeId[];
  /** This copy may lack acknowledged writes: it asks for promotion never, until it has joined. */
  readonly outdated: boolean;
  /**
   * By this node's wall clock, when it promised by a standing vote to be outdated: before that
   * nothing was acknowledged without it. For people; null = not noted.
   */
  readonly outdatedSinceMs: UnixMs | null;
  /** The OS restarted without a clean stop: the page cache is lost, so others go first. */
  readonly isUnclean: boolean;
  /** On the primary: this node's acknowledgement is required, though it may not be recorded yet. */
  readonly joining: NodeId | null;
  /** An epoch asked of the witness, answer not known; 0 = none. Binds until it is known. */
  readonly asked: Epoch;
  /**
   * A vote given: for a decision of the pair, or, of three data nodes, for a candidate. Binds for
   * ever: only a higher epoch ends it.
   */
  readonly pairVote: PairVote | null;
  /** The pair decision that began `epoch`, to show to a witness that is behind. */
  readonly pairDecision: PairDecision | null;
  /** This node's own release of `epoch`: it resumes that epoch never, only asks for a new one. */
  readonly released: Release | null;
  /** Held by the primary: those peers do not count until they have joined again. */
  readonly standingVotes: readonly StandingVote[];
  readonly forced: Forced | null;
  /** /proc/sys/kernel/random/boot_id of the OS that wrote this. */
  readonly bootId: string;
  /** False from the start of the data plane until it was closed and synced in order. */
  readonly isStoppedCleanly: boolean;
  /** What a person asked for last: survives restarts of the agent. */
  readonly isStartWanted: boolean;
  /** The longest peer lease ever promised: after a restart no promotion before it has passed. */
  readonly longestPromiseMs: number;
  /** The witness store this node last spoke to. */
  readonly storeId: string | null;
  /** Who lost its role to `primary`: for `defaultprim="lastprim"`. null: it was handed over. */
  readonly previousPrimary: NodeId | null;
  /** The history that the files of this copy belong to; null = none of this module's. */
  readonly copyHistoryId: string | null;
  /** A person works on the machines: nothing is done by itself. */
  readonly maintenance: Maintenance | null;
};

/** The part of a node's disk from which a witness that lost its memory rebuilds its record. */
export type DiskReport = {
  readonly epoch: Epoch;
  readonly historyId: string | null;
  readonly primary: NodeId | null;
  readonly inSync: readonly NodeId[];
  readonly outdated: boolean;
  readonly asked: Epoch;
};

/** A node that never took part in this module. */
export function freshDisk(
  moduleId: ModuleId,
  nodeId: NodeId,
  bootId: string,
  isLost: boolean,
): NodeDisk {
  return {
    format: 1,
    moduleId,
    nodeId,
    epoch: 0,
    historyId: null,
    primary: null,
    inSync: [],
    // A file that was lost or damaged is no proof of a first start: what it held may be newer
    // than anything on this disk.
    outdated: isLost,
    outdatedSinceMs: null,
    isUnclean: false,
    joining: null,
    asked: 0,
    pairVote: null,
    pairDecision: null,
    released: null,
    standingVotes: [],
    forced: null,
    bootId,
    isStoppedCleanly: true,
    isStartWanted: false,
    longestPromiseMs: 0,
    storeId: null,
    previousPrimary: null,
    copyHistoryId: null,
    maintenance: null,
  };
}

/** The epoch below which this node acts, acknowledges and promises nothing. */
export const boundEpoch = (disk: NodeDisk): Epoch =>
  Math.max(disk.epoch, disk.asked, disk.pairVote?.terms.epoch ?? 0);

/** True while a vote of this node may still make another epoch than `epoch` begin. */
export const hasOpenVote = (disk: NodeDisk): boolean => boundEpoch(disk) > disk.epoch;

export const diskReport = (disk: NodeDisk): DiskReport => ({
  epoch: disk.epoch,
  historyId: disk.historyId,
  primary: disk.primary,
  inSync: disk.inSync,
  outdated: disk.outdated,
  asked: boundEpoch(disk),
});
