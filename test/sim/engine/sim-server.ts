import { Buffer } from "node:buffer";
import type { MutationListener } from "#model/replication/dirty-set.ts";
import type { Touch } from "#model/replication/hot-places.ts";
import { ERRNO } from "../../../node-agent/adapters/linux/errno.ts";
import type { ChangeGuard, FuseService, ReplyGate, Role } from "../../../node-agent/fuse/ports.ts";
import type { Operation, OperationSink } from "../../../node-agent/replication/operation.ts";
import type { Op, Oracle } from "../oracle.ts";
import type { SimDisk } from "../sim-disk.ts";
import type { Inode } from "../sim-tree.ts";
import type { SimBlocking } from "./sim-blocking.ts";

/**
 * The mount of the replicated directory: takes an application's calls, carries them out on this
 * node's copy, describes them to the sender, and answers when that lets it, the lease permitting.
 * It stands for node-agent/fuse, with its rules: perform, then submit; an fsync is sent first and
 * waits for both disks; a secondary refuses what changes anything; no reply passes a shut gate.
 */

export type Call =
  | { readonly kind: "create"; readonly name: string }
  | { readonly kind: "write"; readonly name: string; readonly cells: readonly number[] }
  | { readonly kind: "truncate"; readonly name: string; readonly cells: number }
  | { readonly kind: "rename"; readonly name: string; readonly newName: string }
  | { readonly kind: "unlink"; readonly name: string }
  | { readonly kind: "fsync"; readonly name: string }
  | { readonly kind: "read"; readonly name: string; readonly cell: number };

/** What the application is told: 0 or more, or -errno. */
export type Answer = { readonly result: number; readonly op: Op | null };

type Request = {
  readonly call: Call;
  readonly answer: (answer: Answer) => void;
  /** It was carried out on this copy, whatever is told of it. */
  isDone: boolean;
};

/** Cells of a file; one is eight bytes that hold the number of the operation that wrote it. */
export const CELLS = 8;
export const CELL_BYTES = 8;
/** A truncation's size carries its operation's number in units of this. */
export const SIZE_UNIT = 4096;

const ROOT = 1;
const ROOT_INODE = 0;

export type ServerOptions = {
  readonly device: number;
  readonly node: string;
  readonly disk: SimDisk;
  readonly oracle: Oracle;
  readonly sink: OperationSink;
  readonly gate: ReplyGate;
  readonly changes: ChangeGuard;
  readonly blocking: SimBlocking;
  readonly epoch: () => number;
  readonly onFault: (detail: string) => void;
  readonly onDiskError: (errno: number, operation: string) => void;
  readonly onIssued: (op: Op) => void;
  readonly onReply: (call: Call, answer: Answer, isDone: boolean) => void;
};

export class SimServer implements FuseService {
  readonly device: number;
  readonly #options: ServerOptions;
  readonly #queue: Request[] = [];
  readonly #pending = new Set<Request>();
  /** What waits for the record of changes. */
  #parked: Request[] = [];
  #ids = new Map<number, number>();
  #lastId = ROOT;
  #role: Role = "secondary";
  #isWindowFull = false;
  #isFaulted = false;
  #isClosed = false;
  mutations: MutationListener | null = null;
  isGone = false;

  constructor(options: ServerOptions) {
    this.device = options.device;
    this.#options = options;
  }

  get wantsRequests(): boolean {
    if (this.#isClosed || this.#isWindowFull) return false;
    return this.#role === "secondary" || this.#options.gate.mayReply();
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  readiness(): number {
    return this.#queue.length > 0 || this.isGone ? 1 : 0;
  }

  /** An application calls; it waits in the kernel until the loop takes it. */
  call(call: Call, answer: (answer: Answer) => void): void {
    this.#queue.push({ call, answer, isDone: false });
  }

  handleReadable(budget: number): number {
    for (let handled = 0; handled < budget; handled += 1) {
      if (this.isGone) return -ERRNO.ENODEV;
      if (!this.wantsRequests) return handled;
      const request = this.#queue.shift();
      if (request === undefined) return handled;
      this.#handle(request);
    }
    return budget;
  }

  handleParked(): void {
    for (const request of this.#parked.splice(0)) {
      if (this.#pending.has(request)) this.#handle(request);
    }
  }

  setRole(role: Role): void {
    this.#role = role;
  }

  onAttach(): void {
    this.#ids = new Map();
  }

  onWindowOpen(): void {
    this.#isWindowFull = false;
  }

  flushTimes(): void {}

  failPending(errno: number): void {
    this.#isFaulted = true;
    for (const request of [...this.#pending]) this.#reply(request, { result: -errno, op: null });
    for (const request of this.#queue.splice(0)) {
      this.#options.onReply(request.call, { result: -errno, op: null }, false);
      request.answer({ result: -errno, op: null });
    }
  }

  close(): void {
    this.#isClosed = true;
  }

  #handle(request: Request): void {
    this.#pending.add(request);
    const { call } = request;
    const { tree, faults } = this.#options.disk;
    if (call.kind === "read") {
      const inode = tree.names.get(call.name);
      const result =
        inode === undefined ? -ERRNO.ENOENT : Math.max(0, inode.cells.get(call.cell) ?? 0);
      this.#complete(request, { result, op: null });
      return;
    }
    if (this.#role === "secondary") {
      this.#complete(request, { result: -ERRNO.EROFS, op: null });
      return;
    }
    if (faults.dataError !== null && call.kind !== "fsync") {
      this.#complete(request, { result: -ERRNO[faults.dataError], op: null });
      return;
    }
    if (call.kind === "fsync") this.#sync(request, call.name);
    else this.#mutate(request, call);
  }

  #mutate(request: Request, call: Exclude<Call, { kind: "read" | "fsync" }>): void {
    const { tree } = this.#options.disk;
    const inode = tree.names.get(call.name);
    if (call.kind === "create" ? inode !== undefined : inode === undefined) {
      const result = call.kind === "create" ? -ERRNO.EEXIST : -ERRNO.ENOENT;
      this.#complete(request, { result, op: null });
      return;
    }
    if (!this.#options.changes.announce(touchesOf(call, inode, tree.names))) {
      this.#parked.push(request);
      return;
    }
    const id = this.#options.oracle.nextId();
    request.isDone = true;
    const done = this.#perform(id, call, inode ?? { stamp: id, cells: new Map() });
    this.#replicate(done.operation, () => this.#complete(request, { result: 0, op: done.op }));
  }

  #perform(
    id: number,
    call: Exclude<Call, { kind: "read" | "fsync" }>,
    inode: Inode,
  ): { readonly op: Op; readonly operation: Operation } {
    switch (call.kind) {
      case "create":
        return this.#create(id, call.name, inode);
      case "write":
        return this.#write(id, call, inode);
      case "truncate":
        return this.#truncate(id, call, inode);
      case "rename":
        return this.#rename(id, call, inode);
      case "unlink":
        return this.#unlink(id, call.name, inode);
    }
  }

  #create(id: number, name: string, inode: Inode) {
    const { tree } = this.#options.disk;
    tree.setNames([[name, inode]]);
    this.#options.changes.born(0, inode.stamp);
    this.mutations?.changedDirectory(0, Buffer.from(""));
    this.mutations?.changedSubtree(0, Buffer.from(name));
    const fileId = this.#born(inode);
    const op = this.#issue(id, `create ${name}`, [
      { place: { kind: "name", name }, value: inode.stamp },
    ]);
    const birth = { mode: 0o100644, uid: inode.stamp, gid: 0 };
    const operation: Operation = {
      ...{ kind: "create", parent: ROOT, name: Buffer.from(name), id: fileId, birth, rdev: id },
    };
    return { op, operation };
  }

  #write(id: number, call: Extract<Call, { kind: "write" }>, inode: Inode) {
    const { tree } = this.#options.disk;
    const fileId = this.#idOf(inode, call.name);
    tree.setCells(
      inode,
      call.cells.map((cell) => [cell, id] as const),
    );
    const [first = 0] = call.cells;
    const data = Buffer.alloc(call.cells.length * CELL_BYTES);
    for (const index of call.cells.keys()) data.writeDoubleLE(id, index * CELL_BYTES);
    this.mutations?.changedFile(0, Buffer.from(call.name), {
      inode: inode.stamp,
      offsetBytes: first * CELL_BYTES,
      lengthBytes: data.length,
    });
    const op = this.#issue(
      id,
      `write ${call.name} ${call.cells}`,
      call.cells.map((cell) => ({ place: { kind: "cell", stamp: inode.stamp, cell }, value: id })),
    );
    const operation: Operation = {
      ...{ kind: "write", id: fileId, offsetBytes: first * CELL_BYTES, data },
    };
    return { op, operation };
  }

  #truncate(id: number, call: Extract<Call, { kind: "truncate" }>, inode: Inode) {
    const { tree } = this.#options.disk;
    const fileId = this.#idOf(inode, call.name);
    const cut = Array.from({ length: CELLS - call.cells }, (_, index) => call.cells + index);
    tree.setCells(
      inode,
      cut.map((cell) => [cell, -id] as const),
    );
    const offsetBytes = call.cells * CELL_BYTES;
    this.mutations?.changedFile(0, Buffer.from(call.name), { inode: inode.stamp, offsetBytes });
    const op = this.#issue(
      id,
      `truncate ${call.name} ${call.cells}`,
      cut.map((cell) => ({ place: { kind: "cell", stamp: inode.stamp, cell }, value: -id })),
    );
    const sizeBytes = id * SIZE_UNIT + call.cells * CELL_BYTES;
    return { op, operation: { kind: "truncate", id: fileId, sizeBytes } satisfies Operation };
  }

  #rename(id: number, call: Extract<Call, { kind: "rename" }>, inode: Inode) {
    const { tree } = this.#options.disk;
    this.#replaced(call.newName);
    tree.setNames([
      [call.name, null],
      [call.newName, inode],
    ]);
    this.mutations?.changedDirectory(0, Buffer.from(""));
    this.mutations?.changedSubtree(0, Buffer.from(call.newName));
    const op = this.#issue(id, `rename ${call.name} ${call.newName}`, [
      { place: { kind: "name", name: call.name }, value: 0 },
      { place: { kind: "name", name: call.newName }, value: inode.stamp },
    ]);
    const operation: Operation = {
      ...{ kind: "rename", parent: ROOT, name: Buffer.from(call.name) },
      ...{ newParent: ROOT, newName: Buffer.from(call.newName), flags: 0 },
    };
    return { op, operation };
  }

  #unlink(id: number, name: string, inode: Inode) {
    const { tree } = this.#options.disk;
    this.#options.oracle.removed(inode.stamp);
    tree.setNames([[name, null]]);
    this.mutations?.changedDirectory(0, Buffer.from(""));
    const op = this.#issue(id, `unlink ${name}`, [{ place: { kind: "name", name }, value: 0 }]);
    return {
      op,
      operation: { kind: "unlink", parent: ROOT, name: Buffer.from(name) } satisfies Operation,
    };
  }

  /** fsync(2) on both nodes at once; the reply waits for both. */
  #sync(request: Request, name: string): void {
    const { oracle, disk, blocking, sink } = this.#options;
    const inode = disk.tree.names.get(name);
    if (inode === undefined) {
      this.#complete(request, { result: -ERRNO.ENOENT, op: null });
      return;
    }
    const id = oracle.nextId();
    const fileId = this.#idOf(inode, name);
    const places = [
      { place: { kind: "name", name } as const, value: inode.stamp },
      ...Array.from({ length: CELLS }, (_, cell) => ({
        place: { kind: "cell", stamp: inode.stamp, cell } as const,
        value: inode.cells.get(cell) ?? 0,
      })),
    ];
    const op = this.#issue(id, `fsync ${name}`, places, true);
    let waitsFor = 2;
    let error = 0;
    const finish = (): void => {
      waitsFor -= 1;
      const told = error < 0 ? { result: error, op: null } : { result: 0, op };
      if (waitsFor === 0) this.#complete(request, told);
    };
    if (!sink.submit({ kind: "fsync", id: fileId, dataOnly: false }, finish)) {
      this.#isWindowFull = true;
    }
    sink.hurry();
    const mark = disk.tree.mark();
    blocking.submitFile(inode.stamp, mark, (result) => {
      error = result;
      finish();
    });
  }

  #issue(id: number, what: string, changes: Op["changes"], isSync = false): Op {
    const { oracle, node, epoch, onIssued } = this.#options;
    const op = oracle.issued({ id, what, node, epoch: epoch(), changes, isSync });
    onIssued(op);
    return op;
  }

  /** What a rename puts its file over is gone. */
  #replaced(name: string): void {
    const over = this.#options.disk.tree.names.get(name);
    if (over !== undefined) this.#options.oracle.removed(over.stamp);
  }

  #born(inode: Inode): number {
    this.#lastId += 1;
    this.#ids.set(inode.stamp, this.#lastId);
    return this.#lastId;
  }

  /** The id under which the stream knows a file; it is introduced before its first use. */
  #idOf(inode: Inode, name: string): number {
    const known = this.#ids.get(inode.stamp);
    if (known !== undefined) return known;
    const id = this.#born(inode);
    this.#replicate({ kind: "bind", id, parent: ROOT, name: Buffer.from(name) });
    return id;
  }

  #replicate(operation: Operation, done?: () => void): void {
    if (!this.#options.sink.submit(operation, done)) this.#isWindowFull = true;
  }

  #complete(request: Request, answer: Answer): void {
    if (!this.#pending.has(request)) return;
    const { gate } = this.#options;
    if (this.#role === "primary" && !gate.mayReply()) {
      gate.hold(() => this.#complete(request, answer));
      return;
    }
    this.#reply(request, answer);
  }

  /** As node-agent/fuse/replies.ts does. */
  #lookForDiskError({ kind }: Call, { result }: Answer): void {
    const isReadOnly = result === -ERRNO.EROFS && this.#role === "primary";
    if (this.#isFaulted || (result !== -ERRNO.EIO && !isReadOnly)) return;
    this.#isFaulted = true;
    this.#options.onDiskError(-result, kind);
  }

  #reply(request: Request, answer: Answer): void {
    this.#lookForDiskError(request.call, answer);
    this.#pending.delete(request);
    this.#options.onReply(request.call, answer, request.isDone);
    request.answer(answer);
  }
}

/** What a call is about to touch, as node-agent/fuse/touches.ts tells it. */
function touchesOf(
  call: Exclude<Call, { kind: "read" | "fsync" }>,
  inode: Inode | undefined,
  names: ReadonlyMap<string, Inode>,
): Touch[] {
  const at = (path: string) => () => Buffer.from(path);
  const listing: Touch = { kind: "names", tree: 0, inode: ROOT_INODE, path: at("") };
  const nameOf = (name: string): Touch => ({
    ...{ kind: "name", tree: 0, directory: ROOT_INODE, name: Buffer.from(name), path: at(name) },
    replaces: names.has(name),
  });
  const stamp = inode?.stamp ?? 0;
  switch (call.kind) {
    case "create":
      return [listing, nameOf(call.name)];
    case "unlink":
      return [listing];
    case "rename":
      return [
        { kind: "moves", tree: 0, inode: stamp, isDirectory: false },
        listing,
        nameOf(call.newName),
      ];
    case "truncate":
    case "write": {
      const [first = 0] = call.kind === "write" ? call.cells : [call.cells];
      const startBytes = first * CELL_BYTES;
      const endBytes =
        call.kind === "write"
          ? startBytes + call.cells.length * CELL_BYTES
          : Number.POSITIVE_INFINITY;
      return [
        { kind: "content", tree: 0, inode: stamp, startBytes, endBytes, path: at(call.name) },
      ];
    }
  }
}
