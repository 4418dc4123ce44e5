import { Worker } from "node:worker_threads";
import { STATE_BYTES_MAX } from "#model/heartbeat/datagram.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";
import { assert, assertNever } from "#model/shared/assert.ts";
import type { Epoch, ModuleId } from "#model/shared/ids.ts";
import type { FenceTargets } from "../guard/fence-order.ts";
import type {
  HeartbeatModule,
  Heartbeats,
  HeartbeatView,
  PeerStateMessage,
  PromiseAnswer,
  PromiseTerms,
} from "./heartbeats.ts";
import { MainProgress } from "./lease-cell.ts";
import { parsePeerState } from "./peer-state-schema.ts";
import type { SessionKeys } from "./session-keys.ts";
import type { ThreadCommand, ThreadEvent, ThreadOptions } from "./thread-messages.ts";

/** How often the main thread shows that its loop turns. */
const PROGRESS_MS = 50;
/** Promises under way at most; the quorum core has one per module. */
const PENDING_MAX = 256;

/** What the thread needs; its progress counter is made here. */
export type HeartbeatOptions = Omit<ThreadOptions, "mainProgress">;

/** Starts the heartbeat thread; resolves when it runs. Its sockets may still be binding. */
export async function startHeartbeats(options: HeartbeatOptions): Promise<Heartbeats> {
  const progress = new MainProgress();
  const worker = new Worker(new URL("./heartbeat-thread.ts", import.meta.url), {
    workerData: { ...options, mainProgress: progress.buffer },
  });
  const heartbeats = new ThreadedHeartbeats(worker, progress);
  await heartbeats.ready;
  return heartbeats;
}

class ThreadedHeartbeats implements Heartbeats {
  readonly ready: Promise<void>;
  readonly #worker: Worker;
  readonly #timer: NodeJS.Timeout;
  readonly #pending = new Map<number, (answer: PromiseAnswer) => void>();
  readonly #peerStateListeners: ((message: PeerStateMessage) => void)[] = [];
  readonly #viewListeners: ((view: HeartbeatView) => void)[] = [];
  readonly #failureListeners: ((cause: Error) => void)[] = [];
  readonly #guardLostListeners: (() => void)[] = [];
  readonly #networkListeners: ((network: string, detail: string) => void)[] = [];
  #requestId = 0;
  #isClosed = false;

  constructor(worker: Worker, progress: MainProgress) {
    this.#worker = worker;
    const started = Promise.withResolvers<void>();
    this.ready = started.promise;
    worker.on("message", (event: ThreadEvent) => {
      if (event.kind === "ready") started.resolve();
      else this.#take(event);
    });
    worker.on("error", (cause) => {
      const error = cause instanceof Error ? cause : new Error(String(cause));
      started.reject(error);
      this.#fail(error);
    });
    worker.on("exit", (code) => {
      const error = new Error(`the heartbeat thread ended (${code})`);
      started.reject(error);
      if (!this.#isClosed) this.#fail(error);
    });
    this.#timer = setInterval(() => progress.count(), PROGRESS_MS);
    this.#timer.unref();
  }

  setModule({ moduleId, cell }: HeartbeatModule): void {
    this.#tell({ kind: "setModule", moduleId, cell: cell.buffer });
  }

  removeModule(moduleId: ModuleId): void {
    this.#tell({ kind: "removeModule", moduleId });
  }

  publish(moduleId: ModuleId, state: PeerState): void {
    const stateJson = JSON.stringify(state);
    assert(stateJson.length <= STATE_BYTES_MAX, `${moduleId}: the published state is too long`);
    this.#tell({ kind: "publish", moduleId, stateJson });
  }

  seekGrant(moduleId: ModuleId, epoch: Epoch | null): void {
    this.#tell({ kind: "seekGrant", moduleId, epoch });
  }

  promise(moduleId: ModuleId, terms: PromiseTerms | null): Promise<PromiseAnswer> {
    assert(this.#pending.size < PENDING_MAX, "too many promises under way");
    this.#requestId += 1;
    const requestId = this.#requestId;
    return new Promise((resolve) => {
      this.#pending.set(requestId, resolve);
      this.#tell({ kind: "promise", requestId, moduleId, terms });
    });
  }

  addSession(keys: SessionKeys): void {
    this.#tell({ kind: "addSession", keys });
  }

  guard(moduleId: ModuleId, targets: FenceTargets | null): void {
    this.#tell({ kind: "guard", moduleId, targets });
  }

  onPeerState(listener: (message: PeerStateMessage) => void): void {
    this.#peerStateListeners.push(listener);
  }

  onView(listener: (view: HeartbeatView) => void): void {
    this.#viewListeners.push(listener);
  }

  onGuardLost(listener: () => void): void {
    this.#guardLostListeners.push(listener);
  }

  onNetworkFailed(listener: (network: string, detail: string) => void): void {
    this.#networkListeners.push(listener);
  }

  onFailure(listener: (cause: Error) => void): void {
    this.#failureListeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    const ended = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    this.#worker.postMessage({ kind: "close" } satisfies ThreadCommand);
    await ended;
  }

  #tell(command: ThreadCommand): void {
    if (!this.#isClosed) this.#worker.postMessage(command);
  }

  #take(event: Exclude<ThreadEvent, { kind: "ready" }>): void {
    switch (event.kind) {
      case "promiseTaken":
        this.#pending.get(event.requestId)?.(event.answer);
        this.#pending.delete(event.requestId);
        return;
      case "peerState": {
        const { kind: _, ...message } = event;
        const state = parsePeerState(message.state);
        // Authentic but not understood: a version that we cannot follow says nothing to us.
        if (state === null) return;
        for (const listener of this.#peerStateListeners) listener({ ...message, state });
        return;
      }
      case "view":
        for (const listener of this.#viewListeners) listener(event.view);
        return;
      case "guardLost":
        for (const listener of this.#guardLostListeners) listener();
        return;
      case "networkFailed":
        for (const listener of this.#networkListeners) listener(event.network, event.detail);
        return;
      default:
        assertNever(event);
    }
  }

  #fail(cause: Error): void {
    for (const listener of this.#failureListeners) listener(cause);
  }
}
