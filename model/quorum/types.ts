import type { BootMs, Epoch, ModuleId, NodeId, UnixMs } from "../shared/ids.ts";
import type { NodeDisk } from "./disk.ts";
import type { KeptPlane } from "./kept.ts";
import type { PeerState } from "./peer-state.ts";
import type { QuorumTimers } from "./timers.ts";
import type { VoteAnswer, VoteRequest } from "./votes.ts";

/**
 * What goes into the node's decision (events, past tense) and what comes out of it (effects,
 * imperative). The shell runs the effects of one decision in their order. It completes `persist`
 * (fsync included) before it runs any later effect of the same list; the others it only starts,
 * and their outcomes come back as events.
 */

/** One module on one node, as configured. */
export type NodeConfig = {
  readonly moduleId: ModuleId;
  readonly self: NodeId;
  /** The other data nodes, sorted. */
  readonly peers: readonly [NodeId, ...NodeId[]];
  readonly timers: QuorumTimers;
  /** `failover="off"`: the secondary never promotes itself. */
  readonly hasFailover: boolean;
  /** `defaultprim`: who leads once both are in sync. */
  readonly defaultPrimary:
    | { readonly kind: "alone" }
    | { readonly kind: "lastPrimary" }
    | { readonly kind: "node"; readonly nodeId: NodeId };
  /** Who moves the virtual address: decides whether a switchover needs the witness. */
  readonly addressMovedBy: "nodes" | "cloud";
};

export type Command =
  /** `dataFrom` names the good copy at the first start ever; ignored once there is a record. */
  | { readonly kind: "start"; readonly dataFrom: NodeId | null }
  | { readonly kind: "stop" }
  | { readonly kind: "switchover" }
  /**
   * Makes this node primary although it may lack acknowledged writes. `historyId` is random, from
   * the shell. `withoutWitness`: the person answers for the peer being off.
   */
  | {
      readonly kind: "forcePrimary";
      readonly seenEpoch: Epoch;
      readonly historyId: string;
      readonly by: string;
      readonly reason: string;
      readonly withoutWitness: boolean;
    }
  /** Nothing is done by itself for `forMs`. `id`: the same on both nodes; `nowUnixMs`: wall clock. */
  | {
      readonly kind: "maintenanceOn";
      readonly id: string;
      readonly forMs: number;
      readonly nowUnixMs: UnixMs;
      readonly by: string;
      readonly reason: string;
    }
  | { readonly kind: "maintenanceOff"; readonly by: string };

export type NodeEvent =
  /** The agent began to serve this module. Must be the first event, once per run of the agent. */
  | {
      readonly kind: "started";
      /** null: no file. */
      readonly disk: NodeDisk | null;
      /** The file was there and could not be trusted (checksum, form): counts as a lost disk. */
      readonly isDiskLost: boolean;
      readonly bootId: string;
      /** Random, new at each start of the agent: makes request ids unique. */
      readonly incarnation: string;
      readonly data: PeerState["data"];
      /** The application of an earlier run of the agent still runs, and is adopted. */
      readonly isServiceUp?: boolean;
      /** The data plane of an earlier run of the agent, if `mayKeep` says so; with its application. */
      readonly kept?: KeptPlane;
      /** After an OS boot: start, stay stopped, or as before. Ignored when only the agent restarted. */
      readonly atBoot: "start" | "stop" | "asBefore";
      /** A random id, used should this node become the first primary ever. */
      readonly newHistoryId: string;
      /** The wall clock: for people, and for what must outlive a boot. */
      readonly nowUnixMs?: UnixMs;
    }
  /** At least every heartbeat; nothing happens in time without it. */
  | { readonly kind: "ticked"; readonly nowUnixMs?: UnixMs }
  /** Send it at least as often as `ticked`, before it. */
  | {
      readonly kind: "heartbeatViewChanged";
      readonly peer: NodeId;
      readonly lastHeardMs: BootMs | null;
      /** That peer's promise for `peerGrantEpoch`, as counted here: sending + 0.9 peerLease. */
      readonly peerGrantUntilMs: BootMs | null;
      readonly peerGrantEpoch: Epoch | null;
    }
  | { readonly kind: "peerStateReceived"; readonly state: PeerState }
  /** Answers `promise{epoch:null}`: nothing more will be promised until told to. */
  | {
      readonly kind: "promisesClosed";
      /** When the last promise given ends (receipt + peerLease); null = none given. */
      readonly lastPromiseEndsMs: BootMs | null;
    }
  /** Answers `sign`. */
  | { readonly kind: "signed"; readonly text: string; readonly signature: string }
  | { readonly kind: "voteAnswered"; readonly requestId: string; readonly answer: VoteAnswer }
  /** One attempt ended without an answer. It may have been granted: "no answer" is not "no". */
  | { readonly kind: "voteFailed"; readonly requestId: string; readonly cause: string }
  /** Primary: an operation sent to that peer is unanswered since then (> replTimeout). */
  | { readonly kind: "replicationStalled"; readonly peer: NodeId; readonly sinceMs: BootMs }
  /**
   * Primary: resync is complete and flushed on that peer, the live stream runs, and no operation is
   * acknowledged without it from here on, until a `serve` whose `ackBy` lacks it says otherwise.
   */
  | { readonly kind: "replicationAttached"; readonly peer: NodeId; readonly epoch: Epoch }
  /** Either side: the stream between this node and that peer is gone and was not resumed. */
  | { readonly kind: "replicationDetached"; readonly peer: NodeId; readonly cause: string }
  /** Secondary: this copy is complete and flushed, the live stream of `epoch` is attached. */
  | { readonly kind: "resyncFinished"; readonly epoch: Epoch }
  /** Primary: an attempt begun by `resyncPeer` ended without attachment. */
  | { readonly kind: "resyncFailed"; readonly peer: NodeId; readonly cause: string }
  /** Answers `drainReceiver`: all that was received is applied, nothing more is taken. */
  | { readonly kind: "receiverDrained" }
  /** Answers `flushPeer`: the peer acknowledged everything, both disks are synced. */
  | { readonly kind: "peerFlushed"; readonly peer: NodeId }
  | { readonly kind: "flushFailed"; readonly peer: NodeId; readonly cause: string }
  | { readonly kind: "serviceStarted" }
  /**
   * The application is down: scripts done after `setTarget` to WAIT or STOP, or killed. Every such
   * target and every `killApplication` is answered by it, also when nothing was running.
   */
  | { readonly kind: "serviceStopped" }
  /** Answers `closeData`: unmounted; `isSynced` = everything is on the disk. */
  | { readonly kind: "dataClosed"; readonly isSynced: boolean }
  /** This node's own disk failed (write, fsync, read). */
  | { readonly kind: "dataFaulted"; readonly cause: string }
  /** `persist` failed: later effects of that list were not run. `kept`: what the disk has. */
  | { readonly kind: "persistFailed"; readonly cause: string; readonly kept: NodeDisk }
  /** A checker with the action `wait` blocks this node (text) or no longer does (null). */
  | { readonly kind: "blockingChanged"; readonly blocker: string | null }
  | { readonly kind: "commanded"; readonly command: Command }
  /** A gap in the own loop, or a jump between wall clock and BOOTTIME, up to now. */
  | {
      readonly kind: "stallNoticed";
      readonly lastedMs: number;
      /** How far the wall clock went from BOOTTIME meanwhile; absent when only a loop was looked at. */
      readonly jumpedMs?: number;
    };

export type TargetState = "STOP" | "WAIT" | "ALONE" | "PRIM" | "SECOND";

export type NodeEffect =
  | { readonly kind: "persist"; readonly disk: NodeDisk }
  /** No file operation is answered, the address leaves, the processes freeze. Idempotent. */
  | { readonly kind: "fence"; readonly reason: string }
  /** Undoes `fence`. */
  | { readonly kind: "thaw" }
  /** Ends open file operations with EIO, kills the module's processes; then `serviceStopped`. */
  | { readonly kind: "killApplication"; readonly reason: string }
  /** To the heartbeat thread: promise to the primary of `epoch`, or (null) stop promising. */
  | { readonly kind: "promise"; readonly epoch: Epoch | null; readonly peerLeaseMs: number }
  /** To the heartbeat thread: list `epoch` in heartbeats so that answers renew our peer grant. */
  | { readonly kind: "seekPeerGrant"; readonly epoch: Epoch | null }
  /** To the lease cell: counted from before the request was sent; null = does not count. */
  | { readonly kind: "setWitnessGrant"; readonly untilMs: BootMs | null }
  /** To the lease cell: a grant without end, or no longer. */
  | { readonly kind: "setStandingVote"; readonly isHeld: boolean }
  | { readonly kind: "publishPeerState"; readonly to: NodeId; readonly state: PeerState }
  /** One attempt, bounded by voteTimeout; ends in `voteAnswered` or `voteFailed`. */
  | { readonly kind: "askWitness"; readonly request: VoteRequest }
  | { readonly kind: "sign"; readonly text: string }
  /** The data plane answers as primary. Nothing is acknowledged without all of these peers. */
  | { readonly kind: "serve"; readonly epoch: Epoch; readonly ackBy: readonly NodeId[] }
  /** The data plane takes operations of `epoch`, refuses every older one, mounts read-only. */
  | { readonly kind: "follow"; readonly epoch: Epoch }
  /** Refuse every frame of an epoch below, at once and for ever: a newer one is known or voted. */
  | { readonly kind: "refuseBelow"; readonly epoch: Epoch }
  /** Take nothing more until the next `follow`; apply what was received. */
  | { readonly kind: "drainReceiver" }
  /** Bring that peer back; `setAside`: its differing files are kept apart and listed. */
  | {
      readonly kind: "resyncPeer";
      readonly peer: NodeId;
      readonly epoch: Epoch;
      readonly setAside: boolean;
    }
  | { readonly kind: "flushPeer"; readonly peer: NodeId; readonly epoch: Epoch }
  | { readonly kind: "closeData" }
  /** What the module's life cycle must run and show. `isReady` false = Transient or NotReady. */
  | {
      readonly kind: "setTarget";
      readonly state: TargetState;
      readonly isReady: boolean;
      readonly reason: string;
    }
  | {
      readonly kind: "report";
      readonly severity: "critical" | "event" | "info";
      readonly text: string;
    };
