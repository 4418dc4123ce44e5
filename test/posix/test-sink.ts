/** A sink, a gate and a listener that a test can look into and hold up. */
import type { MutationListener } from "../../model/replication/dirty-set.ts";
import {
  AT_FDCWD,
  close,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
  openat,
} from "../../node-agent/adapters/linux/file.ts";
import { cString } from "../../node-agent/adapters/linux/library.ts";
import type { ReplyGate } from "../../node-agent/fuse/ports.ts";
import { Applier } from "../../node-agent/replication/applier.ts";
import { decodeFrames, encodeFrame } from "../../node-agent/replication/frame.ts";
import type { Operation, OperationSink } from "../../node-agent/replication/operation.ts";
import { WireWriter } from "../../node-agent/replication/wire.ts";
import type { ServeOptions, ServeReport } from "./serve-options.ts";

export class TestGate implements ReplyGate {
  #isOpen = true;
  readonly #held: (() => void)[] = [];

  mayReply(): boolean {
    return this.#isOpen;
  }
  hold(reply: () => void): void {
    this.#held.push(reply);
  }
  shut(): void {
    this.#isOpen = false;
  }
  open(): void {
    this.#isOpen = true;
    for (const reply of this.#held.splice(0)) reply();
  }
}

/** Applies to a second directory, keeps kinds, withholds acknowledgements: as the options say. */
export class TestSink implements OperationSink {
  readonly faults: string[] = [];
  onWindowOpen: () => void = () => undefined;
  readonly mutations: MutationListener;
  readonly #kinds: string[] = [];
  readonly #reported: string[] = [];
  readonly #isRecording: boolean;
  readonly #copyFd: number;
  readonly #applier: Applier | null;
  readonly #withheld: (() => void)[] = [];
  #isWithholding = false;

  constructor(options: ServeOptions) {
    this.#isRecording = options.record === true;
    const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    this.#copyFd =
      options.copyTo === undefined ? -1 : openat(AT_FDCWD, cString(options.copyTo), flags, 0);
    this.#applier = this.#copyFd < 0 ? null : new Applier([this.#copyFd]);
    const note = (kind: string, path: Uint8Array, rest = "") =>
      this.#reported.push(`${kind} ${Buffer.from(path).toString("latin1")}${rest}`);
    this.mutations = {
      changedFile: (_tree, path, { offsetBytes, lengthBytes }) =>
        note("file", path, ` ${offsetBytes}+${lengthBytes}`),
      changedDirectory: (_tree, path) => note("directory", path),
      changedSubtree: (_tree, path) => note("subtree", path),
      renamed: () => undefined,
      changedInode: () => this.#reported.push("inode"),
      lostName: () => this.#reported.push("lost name"),
      changedEverything: () => this.#reported.push("everything"),
    };
  }

  submit(operation: Operation, done?: () => void): boolean {
    if (this.#isRecording) this.#kinds.push(describe(operation));
    const applied = this.#applier?.apply(asSent(operation)) ?? 0;
    if (applied < 0) this.faults.push(`apply ${describe(operation)}: ${applied}`);
    if (this.#isWithholding && done !== undefined) this.#withheld.push(done);
    else done?.();
    return true;
  }

  hurry(): void {}
  attach(): void {
    this.#applier?.reset();
  }
  withhold(): void {
    this.#isWithholding = true;
  }
  release(): void {
    this.#isWithholding = false;
    for (const done of this.#withheld.splice(0)) done();
  }
  report(): Omit<ServeReport, "pending"> {
    return {
      operations: this.#kinds.splice(0),
      faults: this.faults.splice(0),
      mutations: this.#reported.splice(0),
    };
  }
  close(): void {
    this.#applier?.reset();
    if (this.#copyFd >= 0) close(this.#copyFd);
  }
}

const wire = new WireWriter();

/** Through the wire's form and back, as a secondary would have it. */
function asSent(operation: Operation): Operation {
  wire.clear();
  encodeFrame(wire, 1, { kind: "operation", sequence: 1, operation, isAwaited: true });
  let sent: Operation | null = null;
  const decoded = decodeFrames(Buffer.from(wire.written), ({ frame }) => {
    if (frame.kind === "operation") sent = frame.operation;
    return true;
  });
  if (!decoded.ok || sent === null) throw new Error(`${operation.kind} is not what it was`);
  return sent;
}

/** `"create a"`, `"write 4096+100"`, `"fsync"`: enough to see what was submitted, in what order. */
function describe(o: Operation): string {
  if (o.kind === "rename") return `rename ${text(o.name)} ${text(o.newName)}`;
  if (o.kind === "write") return `write ${o.offsetBytes}+${o.data.length}`;
  if (o.kind === "truncate") return `truncate ${o.sizeBytes}`;
  if (o.kind === "setattr") {
    const { kind: _kind, id: _id, ...rest } = o;
    return `setattr ${Object.keys(rest).join(",")}`;
  }
  return "name" in o ? `${o.kind} ${text(o.name)}` : o.kind;
}

const text = (name: Uint8Array): string => Buffer.from(name).toString("latin1");
