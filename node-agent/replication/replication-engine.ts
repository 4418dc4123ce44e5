/**
 * The `ReplicationEngine` of one mirror module: mounts, listens, runs the data thread, and takes
 * everything down again, in whatever state it is.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Epoch } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { listDirectory } from "../adapters/linux/directory.ts";
import { errnoName } from "../adapters/linux/errno.ts";
import { close } from "../adapters/linux/file.ts";
import { eventfd } from "../adapters/linux/poll.ts";
import { listenOn, localPort } from "../adapters/linux/socket.ts";
import { type MountError, type MountedTree, mountTree, unmountTree } from "../fuse/mount-tree.ts";
import { LeaseCell } from "../peer/lease-cell.ts";
import type { Command } from "./core-messages.ts";
import { DataThread } from "./data-thread.ts";
import type {
  EngineError,
  EngineEvent,
  EngineMetrics,
  Opened,
  OpenOptions,
  PeerAddress,
  ReplicatedTree,
  ReplicationEngine,
  SessionKey,
  Standing,
} from "./engine.ts";
import { incompleteMarker, joinedMarker } from "./incomplete-marker.ts";

const REPL_TIMEOUT_MS = 2000;
const GAP_MS = 100;
const UNMOUNT_MS_MAX = 5000;
/** What the file system itself keeps in its root is nobody's data. */
const LOST_AND_FOUND = Buffer.from("lost+found");

type Running = {
  readonly options: OpenOptions;
  readonly trees: readonly MountedTree[];
  readonly thread: DataThread;
  readonly cell: LeaseCell;
  readonly wakeFd: number;
};

const CLOSED: EngineError = { kind: "wrongState", detail: "the engine is not open" };

/** A new engine: opened once, closed once. */
export function newReplicationEngine(): LocalEngine {
  return new MirrorEngine();
}

/** An engine whose data thread is one of this process. */
export interface LocalEngine extends ReplicationEngine {
  /** Null: it is not open, or its data thread has ended. */
  standing(): Promise<Standing | null>;
}

class MirrorEngine implements LocalEngine {
  #running: Running | null = null;
  #isUsed = false;
  #role: "primary" | "secondary" = "secondary";
  #listeners: ((event: EngineEvent) => void)[] = [];
  #sessions: SessionKey[] = [];
  #addresses: readonly PeerAddress[] = [];

  async open(options: OpenOptions): Promise<Result<Opened, EngineError>> {
    if (this.#isUsed) return err({ kind: "wrongState", detail: "an engine is opened once" });
    this.#isUsed = true;
    const mounted = mountAll(options.trees);
    if (!mounted.ok) return mounted;
    const listener = listen(options.listen);
    if (!listener.ok) {
      dismount(mounted.value);
      return listener;
    }
    const { fd, port } = listener.value;
    const running = this.#start(options, mounted.value, fd);
    this.#running = running;
    if (!(await running.thread.ready())) {
      this.#running = null;
      dismount(mounted.value);
      return err({ kind: "threadFailed", detail: "the data thread did not start" });
    }
    for (const session of this.#sessions) running.thread.tell({ kind: "addSession", session });
    running.thread.tell({ kind: "setPeer", addresses: this.#addresses });
    return ok({
      port,
      dataIsComplete: !incompleteMarker(options.stateDirectory).isSet(),
      dataIsEmpty: mounted.value.every((tree) => isEmpty(tree.rootFd)),
    });
  }

  addSession(session: SessionKey): void {
    this.#sessions.push(session);
    this.#running?.thread.tell({ kind: "addSession", session });
  }

  dropSession(sessionId: Uint8Array): void {
    const id = Buffer.from(sessionId);
    this.#sessions = this.#sessions.filter((session) => !id.equals(session.sessionId));
    this.#running?.thread.tell({ kind: "dropSession", sessionId });
  }

  setPeer(addresses: readonly PeerAddress[]): void {
    this.#addresses = addresses;
    this.#running?.thread.tell({ kind: "setPeer", addresses });
  }

  async serve(o: {
    readonly epoch: Epoch;
    readonly ackBy: "peer" | "none";
  }): Promise<Result<void, EngineError>> {
    // The lease of any other epoch must not count for a single reply of this one.
    this.#running?.cell.serve(o.epoch);
    const done = await this.#ask({ kind: "serve", ...o });
    if (done.ok) this.#role = "primary";
    return done;
  }

  acknowledgeAlone(epoch: Epoch): Promise<Result<void, EngineError>> {
    return this.#ask({ kind: "acknowledgeAlone", epoch });
  }

  requirePeer(epoch: Epoch): Promise<Result<void, EngineError>> {
    return this.#ask({ kind: "requirePeer", epoch });
  }

  follow(o: { readonly epoch: Epoch }): Promise<Result<void, EngineError>> {
    return this.#ask({ kind: "follow", ...o });
  }

  refuseBelow(epoch: Epoch): Promise<Result<void, EngineError>> {
    return this.#ask({ kind: "refuseBelow", epoch });
  }

  async drain(): Promise<Result<{ readonly appliedSequence: number }, EngineError>> {
    const done = await this.#running?.thread.ask({ kind: "drain" });
    if (done === undefined) return err(CLOSED);
    if (!done.ok) return done;
    return ok({ appliedSequence: typeof done.value === "number" ? done.value : 0 });
  }

  admitResync(attachmentId: string, isForeign: boolean): void {
    const running = this.#running;
    if (running === null) return;
    // For good until a resync has ended well: one that breaks off is followed by one of its kind.
    if (isForeign) joinedMarker(running.options.stateDirectory).clear();
    running.thread.tell({ kind: "admitResync", attachmentId });
  }

  flush(): Promise<Result<void, EngineError>> {
    return this.#ask({ kind: "flush" });
  }

  fence(): void {
    this.#running?.cell.fence();
  }

  thaw(): void {
    this.#running?.cell.thaw();
  }

  startResync(o: { readonly epoch: Epoch }): Promise<Result<void, EngineError>> {
    return this.#ask({ kind: "startResync", ...o });
  }

  cancelResync(): void {
    this.#running?.thread.tell({ kind: "cancelResync" });
  }

  async metrics(): Promise<EngineMetrics | null> {
    const done = await this.#running?.thread.ask({ kind: "metrics" });
    const value = done?.ok === true ? done.value : undefined;
    return typeof value === "object" && "bytesSent" in value ? value : null;
  }

  async standing(): Promise<Standing | null> {
    const done = await this.#running?.thread.ask({ kind: "standing" });
    const value = done?.ok === true ? done.value : undefined;
    return typeof value === "object" && "role" in value ? value : null;
  }

  async close(o: { readonly lazy: boolean }): Promise<void> {
    const running = this.#running;
    this.#running = null;
    if (running === null) return;
    const paths = running.trees.map((tree) => tree.path);
    // In order first; what that leaves (because it is in use, or waits for a dead peer) is
    // detached, and then aborted with the data thread, so that nobody waits for ever.
    if (!o.lazy) await unmountInOrder(paths);
    for (const path of paths) unmountTree(path, { lazy: true });
    running.cell.serve(null);
    await running.thread.close();
    for (const tree of running.trees) close(tree.rootFd);
    close(running.wakeFd);
  }

  onEvent(listener: (event: EngineEvent) => void): void {
    this.#listeners.push(listener);
  }

  #start(options: OpenOptions, trees: readonly MountedTree[], listenerFd: number): Running {
    const wakeFd = eventfd();
    const cell = new LeaseCell(options.leaseCell);
    const thread = new DataThread({
      start: {
        wakeFd,
        listenerFd,
        moduleId: options.moduleId,
        nodeId: options.nodeId,
        trees: trees.map(({ rootFd, device }, index) => ({
          rootFd,
          device,
          exclusions: (options.trees[index]?.notReplicated ?? []).map((path) => Buffer.from(path)),
        })),
        leaseCell: options.leaseCell,
        stateDirectory: options.stateDirectory,
        syncMode: options.syncMode ?? "write",
        replTimeoutMs: options.replTimeoutMs ?? REPL_TIMEOUT_MS,
        gapMs: options.gapMs ?? GAP_MS,
        resyncBytesPerSecond: options.resyncBytesPerSecond ?? null,
      },
      onEvent: (event) => this.#emit(event),
      onFailed: (detail) => {
        // Its descriptors outlive the thread: without this every caller would wait for ever.
        for (const tree of trees) close(tree.device);
        this.#emit({ kind: "threadFailed", detail });
      },
    });
    return { options, trees, thread, cell, wakeFd };
  }

  async #ask(command: Command): Promise<Result<void, EngineError>> {
    const done = await this.#running?.thread.ask(command);
    if (done === undefined) return err(CLOSED);
    return done.ok ? ok(undefined) : done;
  }

  #emit(event: EngineEvent): void {
    const running = this.#running;
    // From here on this copy is the module's: no later resync sets anything of it aside.
    if (event.kind === "attached" && this.#role === "primary" && running !== null) {
      joinedMarker(running.options.stateDirectory).set();
    }
    for (const listener of this.#listeners) listener(event);
  }
}

function mountAll(trees: readonly ReplicatedTree[]): Result<readonly MountedTree[], EngineError> {
  const mounted: MountedTree[] = [];
  const fail = (path: string, detail: string): Result<never, EngineError> => {
    dismount(mounted);
    return err({ kind: "mountFailed", path, detail });
  };
  for (const { path, toCheck = [] } of trees) {
    const tree = mountTree(path);
    if (!tree.ok) return fail(path, describe(tree.error));
    mounted.push(tree.value);
    const missing = toCheck.find((inside) => !isThere(tree.value.rootFd, inside));
    if (missing !== undefined) {
      return fail(path, `${missing} is not in it: is the disk with the data mounted there?`);
    }
  }
  return ok(mounted);
}

/** Beneath the mount: looking at the mount itself would wait for a server that does not run yet. */
const isThere = (rootFd: number, inside: string): boolean =>
  existsSync(join(`/proc/self/fd/${rootFd}`, inside));

function describe(error: MountError): string {
  if (error.kind === "insideAnother") return `it lies inside ${error.outer}, which is replicated`;
  if (error.kind === "nestedMount") return `${error.nested} is mounted below it`;
  return "detail" in error ? `${error.kind}: ${error.detail}` : error.kind;
}

/** For mounts that nobody serves yet: nothing can wait in them. */
function dismount(trees: readonly MountedTree[]): void {
  for (const tree of trees) {
    close(tree.device);
    unmountTree(tree.path, { lazy: true });
    close(tree.rootFd);
  }
}

function listen(o: OpenOptions["listen"]): Result<{ fd: number; port: number }, EngineError> {
  const fd = listenOn(o.host, o.port);
  if (fd >= 0) return ok({ fd, port: localPort(fd) });
  return err({ kind: "listenFailed", errno: -fd, detail: `${o.host}:${o.port} ${errnoName(fd)}` });
}

function isEmpty(rootFd: number): boolean {
  const entries = listDirectory(rootFd);
  if (typeof entries === "number") return false;
  return entries.every((entry) => LOST_AND_FOUND.equals(entry.name));
}

/** Resolves when all are off, or after the bound; what is left is somebody else's to force. */
async function unmountInOrder(paths: readonly string[]): Promise<void> {
  const worker = new Worker(new URL("./unmount-thread.ts", import.meta.url), { workerData: paths });
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, UNMOUNT_MS_MAX);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    worker.on("message", done);
    worker.on("error", done);
  });
  worker.unref();
}
