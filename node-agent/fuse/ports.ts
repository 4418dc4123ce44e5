/**
 * What the FUSE server asks of its surroundings. It owns no thread and no loop: a data thread
 * polls `FuseServer.device` (and `BlockingPool.descriptor`), calls `handleReadable`, and carries
 * the operations that come out at the `OperationSink` (node-agent/replication/operation.ts).
 */
import type { InodeKey, MutationListener } from "#model/replication/dirty-set.ts";
import type { Touch } from "#model/replication/hot-places.ts";
import type { FileId, OperationSink } from "../replication/operation.ts";

/** Looked at immediately before each reply of a primary is written to the kernel. */
export interface ReplyGate {
  /** False while this node is fenced, its lease is over, or it is not yet sure of either. */
  mayReply(): boolean;
  /** Keeps a reply until the gate opens; then all run, in order, on the core thread. Or never. */
  hold(reply: () => void): void;
}

/** Told of what a primary is about to touch, so that it is known after any crash (hot-places.ts). */
export interface ChangeGuard {
  /** False: this must reach a disk first. Ask again, with the same, in a later turn of the loop. */
  announce(touches: readonly Touch[]): boolean;
  /** A file came to be under a name that was announced. */
  born(tree: number, inode: InodeKey): void;
}

/** Gives out file ids, one after the other; shared by all trees of a module. */
export class FileIdAllocator {
  #last: number;

  /** Ids `1..trees` are taken by the roots. */
  constructor(trees: number) {
    this.#last = trees;
  }

  next(): FileId {
    this.#last += 1;
    return this.#last;
  }
}

/** Runs calls that may wait for a disk on other threads; `done` runs on the core thread. */
export interface BlockingCalls {
  /** `done` gets 0 or -errno. False: the queue is full and nothing was taken. */
  submit(kind: BlockingKind, fd: number, done: (result: number) => void): boolean;
}

/** The same, and reading from a disk. */
export interface BlockingReads extends BlockingCalls {
  /**
   * pread(2); `done` gets bytes read or -errno, and the bytes, which are only valid during it.
   * False: too many reads are under way, and nothing was taken.
   */
  read(o: BlockingRead, done: (result: number, data: Uint8Array) => void): boolean;
}

export type BlockingRead = {
  readonly fd: number;
  readonly offsetBytes: number;
  readonly length: number;
};

export type BlockingKind = "fsync" | "fdatasync" | "syncfs" | "close";

export type Role = "primary" | "secondary";

/**
 * Something that must not happen did, and the copies may now differ: the peer must leave the
 * in-sync set (or this node stop leading). The request itself has been answered with EIO.
 */
export type FuseFault = { readonly operation: string; readonly detail: string };

/** One replicated directory, opened before the mount (see mount-tree.ts). */
export type ServedTree = {
  /** The tree's place in the module's file, from 0; told to the `MutationListener`. */
  readonly number: number;
  /** The root's file id: `number + 1`. */
  readonly id: FileId;
  /** A readable descriptor of the real directory. The server duplicates it. */
  readonly rootFd: number;
  /** Paths relative to the root, as bytes, that stay local to this node (`<notreplicated>`). */
  readonly exclusions: readonly Uint8Array[];
};

export type FuseServerOptions = {
  /** /dev/fuse of the mount, non-blocking. The server closes it in `close`. */
  readonly device: number;
  readonly tree: ServedTree;
  readonly ids: FileIdAllocator;
  readonly sink: OperationSink;
  readonly gate: ReplyGate;
  readonly blocking: BlockingReads;
  readonly changes: ChangeGuard;
  readonly onFault: (fault: FuseFault) => void;
  /** The disk beneath failed a call, given as errno: once, however many fail. */
  readonly onDiskError: (errno: number, operation: string) => void;
  /** Descriptors kept for files that the kernel knows but nobody has open. @default 8192 */
  readonly descriptorsMax?: number;
  /** Pretends that the kernel offers less, to test fallbacks. */
  readonly kernelLimit?: KernelLimit;
};

export type KernelLimit = {
  readonly minorMax: number;
  readonly flagsMask: number;
  readonly flags2Mask: number;
};

/**
 * The server's methods, as the data thread uses them (implemented by `FuseServer` in server.ts).
 *
 * Roles. It starts as `secondary`: reads are answered from the real directory without any caching
 * and without asking the gate (a secondary's copy is nobody's promise), mutations get EROFS. A
 * primary is never made secondary again: close it and mount anew.
 */
export interface FuseService {
  /** To poll for POLLIN while `wantsRequests`. */
  readonly device: number;
  /** False while the sink's window is full or the gate is shut: then do not poll the device. */
  readonly wantsRequests: boolean;
  /** Handles up to `budget` requests; how many, or -ENODEV once unmounted. Never blocks on input. */
  handleReadable(budget: number): number;
  /** Handles what waited for the record of changes, if that lets it now. Once a turn. */
  handleParked(): void;
  setRole(role: Role): void;
  /**
   * A secondary was freshly attached and knows the roots only: every file is bound anew before
   * its next use, and files that are open but have no name are sent whole. Call it between two
   * requests, before anything else is submitted.
   */
  onAttach(): void;
  /** The sink can take more again. */
  onWindowOpen(): void;
  /** Told of every mutation while it is set (a resync runs). */
  mutations: MutationListener | null;
  /** Sends the modification times that changed since; call it about every 100 ms and when idle. */
  flushTimes(): void;
  /** Answers every request that still waits (for a peer or the gate) with `errno`, for good. */
  failPending(errno: number): void;
  /** Requests taken from the kernel and not yet answered. */
  readonly pendingCount: number;
  /** Closes the device (which aborts the mount for whoever still uses it) and all descriptors. */
  close(): void;
}
