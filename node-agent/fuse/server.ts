/**
 * The FUSE server of one replicated directory: reads requests from /dev/fuse, performs them on the
 * real directory and describes every change to an `OperationSink`, in the order of effects.
 *
 * It owns no thread and never waits: whoever serves it polls its device and calls
 * `handleReadable`. It must be constructed and called on one and the same thread, which must never
 * itself touch the mount (it would wait for itself).
 *
 * Where things are: protocol/ (the kernel's layouts), operations/ (one handler a request),
 * tree-context.ts (what handlers share, and the order they keep), inode-table.ts, bindings.ts (how
 * the stream names files), replies.ts (one reply each, none past a shut gate).
 *
 * What differs from the plain directory: locks are local to this node and end with its epoch;
 * chattr(1) flags cannot be set; sync(2) and syncfs(2) reach this node's disk only, because the
 * kernel does not tell an ordinary FUSE mount of them (fsync(2) does reach both); reading does not
 * update atime on the peer; a file system inside the directory is not followed into.
 */
import type { MutationListener } from "#model/replication/dirty-set.ts";
import { assert } from "#model/shared/assert.ts";
import { ERRNO, errnoName } from "../adapters/linux/errno.ts";
import { close, O_CLOEXEC, O_DIRECTORY, O_PATH, openat, read } from "../adapters/linux/file.ts";
import { cString } from "../adapters/linux/library.ts";
import { Stat } from "../adapters/linux/stat.ts";
import { HANDLERS } from "./handlers.ts";
import { batchForget, forget } from "./operations/lookup.ts";
import type { FuseServerOptions, FuseService, Role } from "./ports.ts";
import { negotiate } from "./protocol/negotiation.ts";
import { OPCODE, opcodeName } from "./protocol/opcodes.ts";
import type { Deferred } from "./replies.ts";
import { touchesOf } from "./touches.ts";
import { LATER, NO_REPLY, TreeContext } from "./tree-context.ts";

/** Requests that wait for the record of changes; beyond this no more are taken. */
const PARKED_BYTES_MAX = 32 * 1024 * 1024;

/** A request that waits: nothing of it has been done. */
type Parked = { readonly bytes: Uint8Array; readonly deferred: Deferred };

export class FuseServer implements FuseService {
  readonly device: number;
  readonly #options: FuseServerOptions;
  readonly #tree: TreeContext;
  #parked: Parked[] = [];
  #parkedBytes = 0;
  #isClosed = false;

  constructor(options: FuseServerOptions) {
    this.#options = options;
    this.device = options.device;
    const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    const root = openat(options.tree.rootFd, cString("."), flags, 0);
    assert(root >= 0, `the tree's root: ${errnoName(root)}`);
    const stat = new Stat();
    const described = stat.of(root);
    assert(described === 0, `the tree's root: ${errnoName(described)}`);
    this.#tree = new TreeContext(options, root, stat);
  }

  get wantsRequests(): boolean {
    if (this.#isClosed || this.#tree.isWindowFull) return false;
    if (this.#parkedBytes > PARKED_BYTES_MAX) return false;
    return this.#tree.role === "secondary" || this.#options.gate.mayReply();
  }

  get pendingCount(): number {
    return this.#tree.replies.pendingCount;
  }

  get mutations(): MutationListener | null {
    return this.#tree.reports.listener;
  }
  set mutations(listener: MutationListener | null) {
    this.#tree.reports.listener = listener;
  }

  setRole(role: Role): void {
    assert(role === "primary" || this.#tree.role === "secondary", "a primary is closed instead");
    this.#tree.replies.role = role;
  }

  onAttach(): void {
    this.#tree.bindings.attach();
  }

  onWindowOpen(): void {
    this.#tree.isWindowFull = false;
  }

  flushTimes(): void {
    this.#tree.times.flush();
  }

  failPending(errno: number): void {
    this.#tree.replies.failAll(-Math.abs(errno));
  }

  handleReadable(budget: number): number {
    const { request } = this.#tree;
    for (let handled = 0; handled < budget; handled += 1) {
      // A full window or a shut gate leaves the rest with the kernel, where nothing is lost.
      if (!this.wantsRequests) return handled;
      const length = read(this.device, request.bytes, request.bytes.length);
      if (length > 0) {
        this.#tree.times.flushIfMany();
        this.#handle();
      } else if (length === -ERRNO.ENODEV || length === -ERRNO.EBADF || length === 0) {
        return -ERRNO.ENODEV;
      } else if (length === -ERRNO.EAGAIN) {
        return handled;
      }
      // ENOENT and EINTR: the request was taken back, or a signal came; look for the next.
    }
    return budget;
  }

  handleParked(): void {
    if (this.#parked.length === 0 || this.#isClosed) return;
    const parked = this.#parked;
    this.#parked = [];
    this.#parkedBytes = 0;
    for (const { bytes, deferred } of parked) {
      // Answered meanwhile, by an error: it must not be done any more.
      if (!this.#tree.replies.drop(deferred)) continue;
      this.#tree.request.bytes.set(bytes);
      this.#handle();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    close(this.device);
    this.#tree.handles.closeAll();
    this.#tree.nodes.closeAll();
  }

  #handle(): void {
    let outcome: number;
    try {
      outcome = this.#dispatch();
    } catch (error) {
      const operation = opcodeName(this.#tree.request.opcode);
      // It may have happened in part: the owner must not go on as if both copies were equal.
      outcome = this.#tree.fault(operation, error instanceof Error ? error.message : "unknown");
    }
    if (outcome >= 0) this.#tree.replies.send(outcome);
    else if (outcome > LATER) this.#tree.replies.fail(outcome);
  }

  #dispatch(): number {
    const { request, role } = this.#tree;
    switch (request.opcode) {
      case OPCODE.FORGET:
        return forget(this.#tree, request.nodeId, request.u64(40));
      case OPCODE.BATCH_FORGET:
        return batchForget(this.#tree);
      case OPCODE.INTERRUPT:
        return NO_REPLY;
      case OPCODE.INIT:
        return this.#initialise();
      case OPCODE.DESTROY:
        return 0;
      default:
    }
    const entry = HANDLERS.get(request.opcode);
    if (entry === undefined) return -ERRNO.ENOSYS;
    if (request.length < entry.bytesMin) return -ERRNO.EINVAL;
    const node = this.#tree.nodes.get(request.nodeId);
    if (node === undefined) return -ERRNO.ESTALE;
    if (entry.mutates && role === "secondary") return -ERRNO.EROFS;
    if (entry.mutates) {
      const touches = touchesOf(this.#tree, node);
      if (!this.#tree.changes.announce(touches)) return this.#park();
      this.#tree.reports.lostNames(touches);
    }
    return entry.handle(this.#tree, node);
  }

  #park(): number {
    const { request, replies } = this.#tree;
    const bytes = request.bytes.slice(0, request.length);
    this.#parked.push({ bytes, deferred: replies.defer(0) });
    this.#parkedBytes += bytes.length;
    return LATER;
  }

  #initialise(): number {
    const { request, reply } = this.#tree;
    const negotiated = negotiate(request, reply, this.#options.kernelLimit);
    if (negotiated === null) {
      this.#options.onFault({
        operation: "INIT",
        detail: `the kernel speaks FUSE ${request.u32(40)}.${request.u32(44)}`,
      });
      return -ERRNO.EPROTO;
    }
    this.#tree.agreement = negotiated.agreement;
    return negotiated.length;
  }
}
