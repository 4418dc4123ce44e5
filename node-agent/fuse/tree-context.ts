/**
 * What the handlers of one mounted tree share: the request and reply under way, the tables, and
 * how a change gets into the stream. A handler takes it and the file that the request is about,
 * and returns the length of the reply's payload, -errno, or one of the marks below.
 *
 * The order within a mutating handler is the heart of it:
 *
 * 1. Bind what the operation will name (`placeOf`, `bindings.idOf`), while every path is still
 *    what it was.
 * 2. Make the call on the real directory. If it fails, answer its errno: nothing was submitted.
 * 3. Submit the operation with the facts as they came to be. It is in the stream now.
 * 4. Answer when the sink says that everybody who must have it has it.
 */

import { CachedReader } from "../adapters/linux/cached-reader.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import { close, fdatasync, fsync } from "../adapters/linux/file.ts";
import { Stat } from "../adapters/linux/stat.ts";
import type { FileId, Operation, OperationSink } from "../replication/operation.ts";
import { Bindings, type BoundId } from "./bindings.ts";
import { Caller } from "./caller.ts";
import { ChangedTimes } from "./changed-times.ts";
import { type Handle, HandleTable } from "./handle-table.ts";
import { InodeTable, type Node, openPath } from "./inode-table.ts";
import { MutationReports } from "./mutation-reports.ts";
import { PathFinder, splitPath } from "./paths.ts";
import type { BlockingReads, ChangeGuard, FuseServerOptions, Role } from "./ports.ts";
import type { Validity } from "./protocol/attributes.ts";
import { type Agreement, mustAlwaysStripPrivileges } from "./protocol/negotiation.ts";
import { DATA_BYTES_MAX, FOPEN_DIRECT_IO, FOPEN_KEEP_CACHE } from "./protocol/opcodes.ts";
import { Reply, Request } from "./protocol/request.ts";
import { Replies } from "./replies.ts";

/** The handler keeps the request: it is answered through a `Deferred`. */
export const LATER = -1_000_000;
/** The kernel expects no answer. */
export const NO_REPLY = -1_000_001;

/** Answers in `reply`; the payload's length, -errno, `LATER` or `NO_REPLY`. */
export type Handler = (tree: TreeContext, node: Node) => number;

const DESCRIPTORS_MAX = 8192;
/** Nobody but the kernel that asks changes a primary's tree, so what it was told stays true. */
const PRIMARY_VALIDITY: Validity = { entrySeconds: 3600, attributeSeconds: 3600 };
/** A secondary's tree is changed underneath, by what the primary sends. */
const SECONDARY_VALIDITY: Validity = { entrySeconds: 0, attributeSeconds: 0 };

export class TreeContext {
  readonly request = new Request();
  readonly reply = new Reply(DATA_BYTES_MAX);
  readonly stat = new Stat();
  readonly handles = new HandleTable();
  readonly nodes: InodeTable;
  readonly paths: PathFinder;
  readonly bindings: Bindings;
  readonly times: ChangedTimes;
  readonly reports: MutationReports;
  readonly replies: Replies;
  readonly caller: Caller;
  readonly blocking: BlockingReads;
  readonly changes: ChangeGuard;
  /** The tree's place in the module's file, from 0. */
  readonly number: number;
  readonly memory = new CachedReader(this.reply.payload(0, DATA_BYTES_MAX));
  agreement: Agreement | null = null;
  isWindowFull = false;
  readonly #sink: OperationSink;
  readonly #options: FuseServerOptions;
  readonly #exclusions: readonly { directory: Uint8Array; name: Uint8Array }[];

  /** Takes over `rootPathFd`, an O_PATH descriptor of the root. */
  constructor(options: FuseServerOptions, rootPathFd: number, rootStat: Stat) {
    const { tree, ids } = options;
    this.#options = options;
    this.#exclusions = tree.exclusions.map(splitPath);
    this.#sink = {
      submit: (operation, done) => this.#submit(operation, done),
      hurry: () => options.sink.hurry(),
    };
    this.nodes = new InodeTable(rootPathFd, rootStat, options.descriptorsMax ?? DESCRIPTORS_MAX);
    this.paths = new PathFinder(this.nodes);
    this.bindings = new Bindings(this.nodes, this.paths, {
      ids,
      sink: this.#sink,
      rootId: tree.id,
    });
    this.times = new ChangedTimes(this.nodes, this.bindings, this.#sink);
    this.reports = new MutationReports(tree.number, this.paths);
    this.replies = new Replies(options, this.request, this.reply);
    this.caller = new Caller();
    this.blocking = options.blocking;
    this.changes = options.changes;
    this.number = tree.number;
  }

  get role(): Role {
    return this.replies.role;
  }
  get validity(): Validity {
    return this.role === "primary" ? PRIMARY_VALIDITY : SECONDARY_VALIDITY;
  }
  get dataBytesMax(): number {
    return this.agreement?.dataBytesMax ?? DATA_BYTES_MAX;
  }
  /** `killFlag`: the kernel asks for it. True as well where it leaves all of it to us. */
  mustStripPrivileges(killFlag: boolean): boolean {
    return killFlag || (this.agreement !== null && mustAlwaysStripPrivileges(this.agreement));
  }

  /** How the kernel may cache an open file. */
  openFlags(node: Node): number {
    if (this.role === "secondary") return FOPEN_DIRECT_IO;
    if (node.hasTrustedPages) return FOPEN_KEEP_CACHE;
    // The first open as primary drops pages that may be from before.
    node.hasTrustedPages = true;
    return 0;
  }

  /** Whether `name` in `parent` is a place that stays local. */
  isLocalPlace(parent: Node, name: Uint8Array): boolean {
    if (parent.isLocal) return true;
    // Nearly every name differs already in itself: only then is a path worth its price.
    const candidates = this.#exclusions.filter((o) => Buffer.compare(o.name, name) === 0);
    if (candidates.length === 0) return false;
    const directory = this.paths.of(parent);
    if (!(directory instanceof Uint8Array)) return false;
    return candidates.some((o) => Buffer.compare(o.directory, directory) === 0);
  }

  /** The id under which the stream names `parent`; 0 when `name` in it is not replicated. */
  placeOf(parent: Node, name: Uint8Array): BoundId {
    return this.isLocalPlace(parent, name) ? 0 : this.bindings.idOf(parent);
  }

  /** Tells the kernel of `name` in `parent`: its node with one more lookup, or -errno. Fills `stat`. */
  adopt(parent: Node, directory: number, name: Uint8Array): Node | number {
    const fd = openPath(directory, name);
    if (fd < 0) return fd;
    const described = this.stat.of(fd);
    if (described < 0) {
      close(fd);
      return described;
    }
    return this.nodes.remember(fd, this.stat, parent, this.isLocalPlace(parent, name));
  }

  /** Carries an operation that nobody waits for. */
  submit(operation: Operation): void {
    this.#sink.submit(operation);
  }

  /** Carries an operation; the reply of `length` leaves when everybody who must have it has it. */
  replicate(operation: Operation, length: number): number {
    let isDone = false;
    let finish = () => {
      isDone = true;
    };
    this.#sink.submit(operation, () => finish());
    if (isDone) return length;
    const deferred = this.replies.defer(length);
    finish = () => this.replies.complete(deferred, 0);
    return LATER;
  }

  /**
   * fsync(2) on both nodes at once: the peer starts before we do, and the reply waits for both.
   * `id` 0: here only.
   */
  sync(o: SyncCall, length: number): number {
    const kind = o.dataOnly ? "fdatasync" : "fsync";
    const handle = this.handles.get(o.handle);
    if (handle === undefined) return -ERRNO.EBADF;
    const deferred = this.replies.defer(length);
    let waitsFor = o.id > 0 ? 2 : 1;
    let error = 0;
    const finish = () => {
      waitsFor -= 1;
      if (waitsFor === 0) this.replies.complete(deferred, error);
    };
    if (o.id > 0) {
      this.#sink.submit({ kind: "fsync", id: o.id, dataOnly: o.dataOnly }, finish);
      this.#sink.hurry();
    }
    handle.busy += 1;
    const local = (result: number) => {
      this.releaseHandle(handle);
      error = result;
      finish();
    };
    // Too many wait already: then everybody waits for this one.
    if (!this.blocking.submit(kind, handle.fd, local)) {
      local(o.dataOnly ? fdatasync(handle.fd) : fsync(handle.fd));
    }
    return LATER;
  }

  /** A call on another thread that used `handle` has ended. */
  releaseHandle(handle: Handle): void {
    handle.busy -= 1;
    if (handle.isReleased && handle.busy === 0) close(handle.fd);
  }

  /** What must not happen did: the application sees EIO, and the owner hears of it. */
  fault(operation: string, error: number | string): number {
    this.replies.isFaulted = true;
    this.#options.onFault({ operation, detail: String(error) });
    return -ERRNO.EIO;
  }

  #submit(operation: Operation, done?: () => void): boolean {
    const isOpen = this.#options.sink.submit(operation, done);
    if (!isOpen) this.isWindowFull = true;
    return isOpen;
  }
}

export type SyncCall = {
  readonly handle: number;
  readonly id: FileId;
  readonly dataOnly: boolean;
};
