/**
 * Resync: brings the secondary's directories up to the primary's while the application goes on
 * writing, sending only what differs, then hands over to the live stream.
 *
 * Two threads of their own, one per node, over one channel: the *source* (source.ts) walks the
 * primary's real directories through descriptors from before the mount; the *target* (target.ts)
 * applies into the secondary's. Every call may block; neither thread serves anybody.
 *
 * Course. Before the first pass the core (which serves the mounts) starts reporting mutations into
 * a `DirtySet`. The target offers what its disk says of its copy, the core joins that with its own
 * record of changes (model/replication/decide-resync.ts), and pass 1 compares the places where the
 * copies may differ, or everything where that cannot be told. Each later pass handles what was reported during the
 * one before. When little is left the core pauses, the last pass runs, the live stream is attached
 * and the core goes on. If the set does not shrink, writers are slowed; after `PASSES_MAX` passes
 * the run fails, so it never goes on for ever.
 *
 * Comparison (source-walk.ts, source-file.ts, apply-list.ts, apply-content.ts). The source sends a directory's entries
 * with their whole metadata; small files with a hash of their content, bigger ones by hashes of
 * blocks, holes as holes. Equal size and mtime are not trusted. The target fixes by itself what
 * needs no content, and answers with one bit per entry or block: "send me this". So an equal tree
 * costs its metadata and hashes, and a second run after a cut sends only what is still different.
 * The dirty set is taken *after* a pass, so what changed while it was read is looked at again.
 *
 * Trust. A marker file says "half-written" from before the first change until everything is on
 * stable storage; the target opens every path beneath its root without following symbolic links;
 * every length in a record has a limit and a malformed record ends the run (wire.ts).
 *
 * Not carried: atime, inode flags (chattr), and birth and change times, which nobody can set.
 */

import type { ResyncPlan, TargetRecord } from "#model/replication/decide-resync.ts";
import type { DirtySnapshot } from "#model/replication/dirty-set.ts";
import type { Result } from "#model/shared/result.ts";

/** Largest record either side sends; the channel must carry this much in one. */
export const RECORD_BYTES_MAX = 1024 * 1024;

/**
 * A bidirectional, ordered, reliable channel of whole records, synchronous because both ends are
 * threads of their own. Records are at most `RECORD_BYTES_MAX` long.
 *
 * Both sides may have up to 64 KiB under way at once: `send` may block only beyond that.
 */
export interface RecordChannel {
  /** Copies or sends before it returns. Throws `ChannelClosed` when the link is gone. */
  send(record: Uint8Array): void;
  /** The next record, or null after `timeoutMs` without one. Throws `ChannelClosed`. */
  receive(timeoutMs: number): Uint8Array | null;
  /** Idempotent; the peer's next call throws `ChannelClosed` after it has read what was sent. */
  close(): void;
}

/** The link is gone: lost, closed by the peer, or failed authentication. */
export class ChannelClosed extends Error {
  override readonly name = "ChannelClosed";
}

/** One replicated directory on this node. */
export type ResyncTree = {
  /** A readable descriptor of the real directory, opened before anything was mounted over it. */
  readonly rootFd: number;
  /** Paths relative to the root, as bytes, that stay local to each node (`<notreplicated>`). */
  readonly exclusions: readonly Uint8Array[];
};

/** Time, so that tests need not wait. */
export interface ResyncClock {
  /** CLOCK_BOOTTIME or any other clock that only goes forward. */
  nowMs(): number;
  /** Blocks this thread. */
  sleepMs(milliseconds: number): void;
}

/** What the source asks of the core thread, which serves the mounts. All calls block briefly. */
export interface ResyncCore {
  /** What the first pass looks at, given what the target says of itself. Called once, first. */
  plan(target: TargetRecord): ResyncPlan;
  /** Everything reported since the last call (or since reporting began, before the run). */
  takeDirty(): DirtySnapshot;
  /** No request is handled from its return until `resume` or `attach`. False: it cannot now. */
  pause(): boolean;
  resume(): void;
  /**
   * The target equals the source at this instant, and the core is paused: start the live stream,
   * then go on handling requests. False: it cannot (the run ends in `refused`; the core goes on).
   */
  attach(): boolean;
  /** Delay each mutation by this much from now on; 0 at the end. Helps the passes converge. */
  slow(milliseconds: number): void;
}

export type ResyncPhase =
  | "counting"
  | "comparing"
  | "catchingUp"
  | "finalPass"
  | "syncing"
  | "finished";

export type ResyncProgress = {
  readonly phase: ResyncPhase;
  /** 1 compares what `comparison` says, later ones what changed meanwhile. */
  readonly pass: number;
  /** Only where the copies may differ, or all, and why; null until that is known. */
  readonly comparison: Pick<ResyncPlan, "kind" | "why"> | null;
  readonly filesTotal: number;
  readonly filesChecked: number;
  /** Content only; grows while `phase` is `counting`. */
  readonly bytesTotal: number;
  readonly bytesChecked: number;
  /** Everything sent on the channel. */
  readonly bytesSent: number;
  /** Content checked per second, over the last seconds. */
  readonly bytesPerSecond: number;
  /** Null for the first 5 seconds, and whenever it cannot be told honestly. */
  readonly secondsLeft: number | null;
  /** What it is waiting for right now, for people; null when it is busy. */
  readonly waitsFor: "bandwidthLimit" | "target" | "targetDisk" | "core" | null;
};

/** Where it happened: tree number and path relative to its root. */
export type ResyncPlace = { readonly tree: number; readonly path: Uint8Array };

export type ResyncError =
  | { readonly kind: "cancelled" }
  | { readonly kind: "channelClosed" }
  /** The other side sent what the protocol forbids; nothing of that record was applied. */
  | { readonly kind: "malformed"; readonly detail: string }
  /** The other side speaks another version or has another number of trees. */
  | { readonly kind: "incompatible"; readonly detail: string }
  /** The other side was silent for too long. */
  | { readonly kind: "timedOut" }
  | {
      readonly kind: "sourceFault" | "targetFault";
      /** Positive, as in errno(3). */
      readonly errno: number;
      readonly operation: string;
      readonly place: ResyncPlace;
    }
  /** Writers were faster for all passes. */
  | { readonly kind: "notConverging"; readonly passes: number }
  /** The core could not pause or attach. */
  | { readonly kind: "refused"; readonly detail: string };

export type ResyncSummary = {
  readonly comparison: Pick<ResyncPlan, "kind" | "why"> | null;
  readonly passes: number;
  readonly filesChecked: number;
  readonly bytesChecked: number;
  readonly bytesSent: number;
  /** How long the application was not served. */
  readonly pausedMs: number;
};

export type ResyncSourceOptions = {
  readonly trees: readonly ResyncTree[];
  readonly channel: RecordChannel;
  readonly core: ResyncCore;
  readonly clock: ResyncClock;
  /** Null for no limit. */
  readonly bandwidthBytesPerSecond: number | null;
  /** Called a few times a second. */
  readonly progress: (progress: ResyncProgress) => void;
  /** Asked at every record and every wait. */
  readonly isCancelled: () => boolean;
};

/** Runs a whole resync on the primary; blocks until it ended. Never throws for expected failures. */
export type RunResyncSource = (options: ResyncSourceOptions) => Result<ResyncSummary, ResyncError>;

/** "This copy is half-written": durable, so that it is still known after any crash. */
export interface IncompleteMarker {
  /** Returns when the mark is on stable storage. Idempotent. */
  set(): void;
  /** Returns when its absence is on stable storage. Idempotent. */
  clear(): void;
  isSet(): boolean;
}

/** The change record of a copy that is brought up to date. All calls block. */
export interface OfferedRecord {
  /** What this node's disk says about its copy; asked once, before any change. */
  offer(): TargetRecord;
  /** Durably: a comparison of everything begins, and where it will change this copy nobody knows. */
  forget(): void;
  /** Durably: the copy equals the source's at the start of the live stream, all of it on disk. */
  complete(): void;
}

export type ResyncTargetOptions = {
  readonly trees: readonly ResyncTree[];
  readonly channel: RecordChannel;
  readonly record: OfferedRecord;
  /** Set before the first change, cleared after syncfs(2) of every tree at the end. */
  readonly marker: IncompleteMarker;
  /**
   * First resync ever of a directory that was not empty: a folder (created when needed) into which
   * what would be deleted or overwritten is moved, and listed in its file `LIST`. Null: delete.
   */
  readonly setAside: string | null;
  readonly isCancelled: () => boolean;
  /**
   * The last pass has been applied, and the primary has opened the live stream: it may be applied
   * from now on, while what came before is brought to stable storage. @default nothing
   */
  readonly applied?: () => void;
};

export type ResyncTargetSummary = {
  readonly filesChanged: number;
  readonly entriesRemoved: number;
  readonly entriesSetAside: number;
};

/** Runs the secondary's side; blocks until it ended. Never throws for expected failures. */
export type RunResyncTarget = (
  options: ResyncTargetOptions,
) => Result<ResyncTargetSummary, ResyncError>;
