/**
 * Real-time replication of one mirror module, as the agent's main thread sees it.
 *
 * The work itself is done by the module's *data thread* (core-thread.ts): one thread that polls
 * the /dev/fuse descriptors of every replicated tree and the raw replication socket, so that all
 * trees of the module share one total order of operations and join and leave the in-sync set
 * together. The main thread only tells it what the quorum protocol has decided (model/quorum), and
 * hears what happened. Nothing here decides who is primary.
 *
 * Order of a life: `open` (mounted, read-only for everybody, listening) → `serve` as primary or
 * `follow` as secondary → `close`. A secondary is promoted by `drain`, then `serve`. A primary is
 * never turned into a secondary in place: the replies it holds back must never be given, so it is
 * closed (which aborts the mounts) and opened again.
 *
 * Two rules bind the caller. What `acknowledgeAlone`, `requirePeer` and `follow` rest on must be
 * on disk (or in the witness's record) before they are called, because they act at once. And every
 * method that names an epoch is refused when the engine has already been told of a newer one.
 */

import type { LatencyCounts } from "#model/replication/latency-histogram.ts";
import type { BootMs, Epoch, NodeId } from "#model/shared/ids.ts";
import type { Result } from "#model/shared/result.ts";
import type { ModuleMemory } from "../peer/module-memory.ts";
import type { SessionKeys } from "../peer/session-keys.ts";
import type { SyncMode } from "./sender.ts";

/** One replicated directory; its place in the list is its `FileId` (first = 1) on both nodes. */
export type ReplicatedTree = {
  /** Absolute path: the mount point, and the real directory beneath it. */
  readonly path: string;
  /** Paths relative to `path` that stay local to this node (`<notreplicated>`). */
  readonly notReplicated: readonly string[];
  /** Relative paths that must exist, or nothing is opened: a disk may not be mounted (`<tocheck>`). */
  readonly toCheck?: readonly string[];
};

export type OpenOptions = {
  readonly moduleId: string;
  readonly nodeId: NodeId;
  readonly trees: readonly ReplicatedTree[];
  /** Where the data thread listens for the peer. Port 0: any free one, see `Opened`. */
  readonly listen: { readonly host: string; readonly port: number };
  /** The module's lease cell (node-agent/peer/lease-cell.ts): looked at before every reply. */
  readonly leaseCell: ModuleMemory;
  /** A folder of the module in the agent's state directory: resync marker, files set aside. */
  readonly stateDirectory: string;
  /** When a plain write is answered. @default "write" */
  readonly syncMode?: SyncMode;
  /** An operation unacknowledged for longer is reported as `stalled`. @default 2000 */
  readonly replTimeoutMs?: number;
  /** A gap in the data thread's own loop longer than this is reported. @default 100 */
  readonly gapMs?: number;
  /** Bytes per second that a resync may send; null for no limit (`reiallowedbw`). @default null */
  readonly resyncBytesPerSecond?: number | null;
};

export type Opened = {
  readonly port: number;
  /** False: a resync into this node's trees began and never ended, so the copy is not usable. */
  readonly dataIsComplete: boolean;
  /** True when every tree was found without a single entry (a fresh pair may start by itself). */
  readonly dataIsEmpty: boolean;
};

/** Where the data thread stands now. */
export type Standing = {
  readonly role: "primary" | "secondary";
  /** The newest that it was told of; 0: none. */
  readonly epoch: Epoch;
  /** The live stream of `epoch` runs, and its copy is complete. */
  readonly isAttached: boolean;
  /** Primary: each operation needs the peer's acknowledgement. */
  readonly isPeerRequired: boolean;
};

export type EngineError =
  | { readonly kind: "mountFailed"; readonly path: string; readonly detail: string }
  | { readonly kind: "listenFailed"; readonly errno: number; readonly detail: string }
  | { readonly kind: "staleEpoch"; readonly epoch: Epoch; readonly known: Epoch }
  | { readonly kind: "wrongState"; readonly detail: string }
  | { readonly kind: "detached"; readonly detail: string }
  | { readonly kind: "threadFailed"; readonly detail: string };

/** What replication needs of one mutual-TLS session with the peer (`SessionKeys` will do as it is). */
export type SessionKey = Pick<SessionKeys, "sessionId" | "replicationKey" | "peerId">;

/** Where the peer's data thread of this module listens, one per network, best first. */
export type PeerAddress = { readonly host: string; readonly port: number };

export type ResyncProgress = {
  readonly phase: string;
  readonly bytesTotal: number;
  readonly bytesChecked: number;
  readonly bytesSent: number;
  readonly filesTotal: number;
  readonly filesChecked: number;
  readonly bytesPerSecond: number;
  /** Null until it can be told honestly. */
  readonly secondsLeft: number | null;
};

/** Counters since `open`; for `status`, events and figures. */
export type EngineMetrics = {
  readonly operationsSubmitted: number;
  /** Written by them. */
  readonly bytesSubmitted: number;
  readonly bytesUnacknowledged: number;
  /** Of those whose caller waited for the peer, from submission to answer. */
  readonly latencies: LatencyCounts;
  /** Primary: changes made without the peer, and bytes they wrote; its copy may lack them. */
  readonly changesAlone: number;
  readonly bytesAlone: number;
  readonly operationsApplied: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly operationsUnacknowledged: number;
  readonly oldestUnacknowledgedMs: number;
  readonly repliesHeld: number;
  /** Requests of applications taken and not answered yet. */
  readonly requestsPending: number;
};

export type EngineEvent =
  /**
   * Primary: the live stream runs and the peer has everything submitted so far; call
   * `requirePeer`. Secondary: the copy is complete and on stable storage, every later operation
   * arrives in order.
   */
  | { readonly kind: "attached"; readonly epoch: Epoch; readonly attachmentId: string }
  /** The live stream is gone for good: only a resync brings the peer back. */
  | { readonly kind: "detached"; readonly epoch: Epoch; readonly reason: string }
  /** Primary: something waits for the peer's answer for longer than `replTimeoutMs`. Repeated. */
  | { readonly kind: "stalled"; readonly epoch: Epoch; readonly oldestUnacknowledgedMs: number }
  /** The stall ended by itself. */
  | { readonly kind: "caughtUp"; readonly epoch: Epoch }
  /**
   * Secondary: the primary wants to overwrite this copy. Nothing is changed until `admitResync`:
   * first persist that this node is outdated, or a half-written copy could be promoted.
   */
  | { readonly kind: "resyncAsked"; readonly epoch: Epoch; readonly attachmentId: string }
  | { readonly kind: "resyncProgress"; readonly progress: ResyncProgress }
  | { readonly kind: "resyncFailed"; readonly epoch: Epoch; readonly reason: string }
  /** The peer could not apply an operation: its copy is no longer in step. */
  | { readonly kind: "peerFault"; readonly errno: number; readonly detail: string }
  /** The peer refused our epoch: it knows `epoch`, which is newer when it exceeds ours. */
  | { readonly kind: "peerRefused"; readonly epoch: Epoch; readonly reason: string }
  /** This node could not apply or sync what it received, or its own device failed. */
  | { readonly kind: "localFault"; readonly errno: number; readonly detail: string }
  /**
   * The data thread did not run for `gapMs` though it should have. It has marked the lease cell
   * (`noticeStall`), so replies wait until a voter answers a request sent after the gap.
   */
  | { readonly kind: "gapNoticed"; readonly gapMs: number; readonly endedAtBootMs: BootMs }
  /** The data thread ended though nobody asked it to: the node must fence. */
  | { readonly kind: "threadFailed"; readonly detail: string };

/** One per mirror module. Every promise settles within a bound, also when the peer is silent. */
export interface ReplicationEngine {
  /** Mounts every tree (read-only for everybody) and listens; nothing is answered as primary yet. */
  open(options: OpenOptions): Promise<Result<Opened, EngineError>>;
  /** Session keys come and go with the mutual-TLS link; an old one stays until it is dropped. */
  addSession(session: SessionKey): void;
  dropSession(sessionId: Uint8Array): void;
  /** Where to connect to as primary. */
  setPeer(addresses: readonly PeerAddress[]): void;

  /**
   * Primary of `epoch` from now on: mutations are allowed, replies leave while the lease lives.
   * With `ackBy: "peer"` each operation also needs the attached peer's acknowledgement: when none
   * is attached, the reply waits.
   */
  serve(o: {
    readonly epoch: Epoch;
    readonly ackBy: "peer" | "none";
  }): Promise<Result<void, EngineError>>;
  /** The recorded set is {self}: release what waits, send nothing more to the peer. */
  acknowledgeAlone(epoch: Epoch): Promise<Result<void, EngineError>>;
  /**
   * From now on each operation needs the attached peer's acknowledgement (joining). Resolves when
   * everything that was answered without it is on the peer too.
   */
  requirePeer(epoch: Epoch): Promise<Result<void, EngineError>>;

  /** Secondary: receive under this epoch, refuse every older one. */
  follow(o: { readonly epoch: Epoch }): Promise<Result<void, EngineError>>;
  /** A durable vote for `epoch` has been cast: frames of older epochs are refused from here on. */
  refuseBelow(epoch: Epoch): Promise<Result<void, EngineError>>;
  /** Secondary about to be promoted: stop receiving; everything received has been applied. */
  drain(): Promise<Result<{ readonly appliedSequence: number }, EngineError>>;
  /**
   * Secondary: the primary may overwrite this copy (see `resyncAsked`). `isForeign`: it may hold
   * what was written in another history, which is set aside and listed, never lost or merged.
   */
  admitResync(attachmentId: string, isForeign: boolean): void;

  /** Orderly stop of a primary: all operations acknowledged by the peer, both copies synced. */
  flush(): Promise<Result<void, EngineError>>;

  /** No reply leaves. Immediate through the lease cell; nothing to wait for. */
  fence(): void;
  /** Replies held back leave, in order, while the lease lives. */
  thaw(): void;

  /**
   * Primary: bring the peer's copy up to date while the application runs, then attach the live
   * stream. Ends in `attached` or `resyncFailed`. Also the way to attach an identical copy.
   */
  startResync(o: { readonly epoch: Epoch }): Promise<Result<void, EngineError>>;
  cancelResync(): void;

  metrics(): Promise<EngineMetrics | null>;
  /** Unmounts and ends the data thread. `lazy`: do not wait for processes that use the mounts. */
  close(o: { readonly lazy: boolean }): Promise<void>;
  /** Called in order, on the main thread. */
  onEvent(listener: (event: EngineEvent) => void): void;
}
