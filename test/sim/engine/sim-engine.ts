import type { Epoch } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { LeaseCell } from "../../../node-agent/peer/lease-cell.ts";
import { assembleCore } from "../../../node-agent/replication/assemble-core.ts";
import type { Core } from "../../../node-agent/replication/core.ts";
import type {
  Command,
  CommandResult,
  ToCore,
} from "../../../node-agent/replication/core-messages.ts";
import type {
  EngineError,
  EngineEvent,
  EngineMetrics,
  Opened,
  OpenOptions,
  PeerAddress,
  ReplicationEngine,
  SessionKey,
} from "../../../node-agent/replication/engine.ts";
import type { Life, Machine, Thread } from "../machine.ts";
import type { Op, Oracle } from "../oracle.ts";
import type { Prng } from "../prng.ts";
import type { SimDisk } from "../sim-disk.ts";
import { Descriptors, SimPoller, type SimSockets } from "../sim-sockets.ts";
import type { Kind } from "../virtual-clock.ts";
import { type Applied, SimApplier } from "./sim-applier.ts";
import { ROOT_FD, SimBlocking } from "./sim-blocking.ts";
import { INCOMPLETE, JOINED, type ResyncHost, SourceRun, TargetRun } from "./sim-resync.ts";
import { type Answer, type Call, SimServer } from "./sim-server.ts";

export type EngineHost = {
  readonly machine: Machine;
  readonly life: Life;
  readonly sockets: SimSockets;
  readonly prng: Prng;
  readonly disk: SimDisk;
  readonly oracle: Oracle;
  readonly resyncFileMs: number;
  readonly onIssued: (op: Op) => void;
  readonly onReply: (call: Call, answer: Answer) => void;
  readonly onApplied: (applied: Applied) => void;
  readonly onDurable: () => void;
  readonly onPhase: (phase: string) => void;
  /** The process ends: its descriptors with it. */
  readonly onDeath: (closeAll: () => void) => void;
  readonly onOpened: (engine: SimEngine) => void;
  readonly onClosed: (engine: SimEngine) => void;
};

const COMMAND_MS_MAX = 90_000;
/** A message from one thread to another. */
const HAND_OVER_MS = 0.05;
const CLOSED: EngineError = { kind: "wrongState", detail: "the engine is not open" };

/**
 * The replication engine of a simulated node: the production data loop (node-agent/replication)
 * over simulated sockets, disk, mount and helper threads. What replication-engine.ts and
 * data-thread.ts do around that loop with mounts and threads is done here with tasks.
 */
export class SimEngine implements ReplicationEngine {
  readonly host: EngineHost;
  readonly #listeners: ((event: EngineEvent) => void)[] = [];
  readonly #sessions: SessionKey[] = [];
  readonly #inbox: ToCore[] = [];
  readonly #waiting = new Map<
    number,
    { readonly settle: (result: CommandResult) => void; cancel: () => void }
  >();
  readonly #descriptors: Descriptors;
  #addresses: readonly PeerAddress[] = [];
  #core: Core | null = null;
  #cell: LeaseCell | null = null;
  server: SimServer | null = null;
  #isUsed = false;
  #role: "primary" | "secondary" = "secondary";
  #isAwake = false;
  #cancelTurn: () => void = () => undefined;
  #isTurnSoon = false;
  #nextId = 1;
  #isClosed = false;
  #epoch: Epoch = 0;
  #timeoutMs = 0;
  #poller: SimPoller | null = null;

  constructor(host: EngineHost) {
    this.host = host;
    const { sockets, machine, prng } = host;
    this.#descriptors = new Descriptors(sockets, machine, prng, () => this.#wake());
    host.onDeath(() => this.#descriptors.closeAll());
  }

  get isPrimary(): boolean {
    return this.#role === "primary" && !this.#isClosed;
  }

  get cell(): LeaseCell | null {
    return this.#cell;
  }

  async open(options: OpenOptions): Promise<Result<Opened, EngineError>> {
    if (this.#isUsed) return err({ kind: "wrongState", detail: "an engine is opened once" });
    this.#isUsed = true;
    await this.#later("main", 20);
    const { disk } = this.host;
    if (disk.faults.dataError === "EIO") {
      return err({ kind: "mountFailed", path: options.trees[0]?.path ?? "", detail: "EIO" });
    }
    const { fd, port } = this.#descriptors.listen();
    this.#assemble(options, fd);
    for (const session of this.#sessions) this.#tell({ kind: "addSession", session });
    this.#tell({ kind: "setPeer", addresses: this.#addresses });
    this.host.onOpened(this);
    const dataIsComplete = !disk.markers.has(INCOMPLETE);
    return ok({ port, dataIsComplete, dataIsEmpty: disk.tree.isEmpty });
  }

  addSession(session: SessionKey): void {
    this.#sessions.push(session);
    this.#tell({ kind: "addSession", session });
  }

  dropSession(sessionId: Uint8Array): void {
    this.#tell({ kind: "dropSession", sessionId });
  }

  setPeer(addresses: readonly PeerAddress[]): void {
    this.#addresses = addresses;
    this.#tell({ kind: "setPeer", addresses });
  }

  async serve(o: {
    readonly epoch: Epoch;
    readonly ackBy: "peer" | "none";
  }): Promise<Result<void, EngineError>> {
    this.#cell?.serve(o.epoch);
    const done = await this.#ask({ kind: "serve", ...o });
    if (done.ok) {
      this.#role = "primary";
      this.#epoch = o.epoch;
    }
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
    const done = await this.#command({ kind: "drain" });
    if (!done.ok) return done;
    return ok({ appliedSequence: typeof done.value === "number" ? done.value : 0 });
  }

  admitResync(attachmentId: string): void {
    this.#tell({ kind: "admitResync", attachmentId });
  }

  flush(): Promise<Result<void, EngineError>> {
    return this.#ask({ kind: "flush" });
  }

  fence(): void {
    this.#cell?.fence();
  }

  thaw(): void {
    this.#cell?.thaw();
  }

  startResync(o: {
    readonly epoch: Epoch;
    readonly isFull?: boolean;
  }): Promise<Result<void, EngineError>> {
    return this.#ask({ kind: "startResync", epoch: o.epoch, isFull: o.isFull ?? false });
  }

  cancelResync(): void {
    this.#tell({ kind: "cancelResync" });
  }

  async metrics(): Promise<EngineMetrics | null> {
    const done = await this.#command({ kind: "metrics" });
    return done.ok && typeof done.value === "object" ? done.value : null;
  }

  async close(o: { readonly lazy: boolean }): Promise<void> {
    if (this.#core === null || this.#isClosed) return;
    if (!o.lazy) await this.#later("main", 10);
    this.#cell?.serve(null);
    await Promise.race([this.#command({ kind: "close" }), this.#later("main", 5000)]);
    this.#end();
  }

  onEvent(listener: (event: EngineEvent) => void): void {
    this.#listeners.push(listener);
  }

  /** The guard detached the mount: nobody reaches the data through it any more. */
  takeMountAway(): void {
    const { server } = this;
    if (server === null || this.#isClosed) return;
    server.isGone = true;
    // Whoever was inside a call of a mount that is taken away gets an error.
    server.failPending(5);
    this.#wake();
  }

  #end(): void {
    this.#isClosed = true;
    // Its loop has come to its end, if it still turned at all.
    if (this.#core !== null && !this.host.machine.isStill("data")) {
      this.#cell?.watchDataThread(false);
    }
    this.#core = null;
    this.#descriptors.closeAll();
    this.host.onClosed(this);
    for (const { settle, cancel } of this.#waiting.values()) {
      cancel();
      settle(err({ kind: "threadFailed", detail: "closed" }));
    }
    this.#waiting.clear();
  }

  #assemble(options: OpenOptions, listenerFd: number): void {
    const { host } = this;
    const { disk, oracle, machine } = host;
    const cell = new LeaseCell(options.leaseCell);
    this.#cell = cell;
    const descriptors = this.#descriptors;
    const blocking = this.#newBlocking();
    const wakeFd = descriptors.add({ readiness: () => (this.#isAwake ? 1 : 0) });
    const core = assembleCore({
      moduleId: options.moduleId,
      nodeId: options.nodeId,
      stateDirectory: options.stateDirectory,
      replTimeoutMs: options.replTimeoutMs ?? 2000,
      gapMs: options.gapMs ?? 100,
      resyncBytesPerSecond: null,
      listenerFd,
      rootFds: [ROOT_FD],
      cell,
      nowMs: machine.bootMs,
      network: descriptors,
      newPoller: (slots) => {
        this.#poller = new SimPoller(descriptors, slots);
        return this.#poller;
      },
      inbox: {
        wakeFd,
        clearWake: () => {
          this.#isAwake = false;
        },
        take: () => this.#inbox.shift() ?? null,
      },
      blocking,
      applier: new SimApplier({ disk, onApplied: host.onApplied }),
      newServers: (parts) => {
        const device = descriptors.add({ readiness: () => this.server?.readiness() ?? 0 });
        this.server = new SimServer({
          ...{ device, node: machine.id, disk, oracle, blocking, sink: parts.sink },
          ...{ gate: parts.gate, onFault: parts.onFault, epoch: () => this.#epoch },
          ...{ onIssued: host.onIssued, onReply: host.onReply },
        });
        return [this.server];
      },
      startResync: (job) => {
        const resync = this.#resyncHost();
        return job.role === "source" ? new SourceRun(resync, job) : new TargetRun(resync, job);
      },
      emit: (event) => this.#onMain(() => this.#emit(event)),
      reply: (id, result) => this.#onMain(() => this.#settle(id, result)),
    });
    this.#core = core;
    cell.watchDataThread(true);
    this.#timeoutMs = core.prepare();
    this.#turnIn(this.#timeoutMs, "work");
  }

  #newBlocking(): SimBlocking {
    const { machine, life, disk, onDurable } = this.host;
    const onChange = (): void => this.#wake();
    const blocking: SimBlocking = new SimBlocking({
      descriptor: this.#descriptors.add({ readiness: () => blocking.readiness() }),
      ...{ disk, onChange, onDurable },
      after: (delayMs, run) => machine.after(life, "helper", "work", delayMs, run),
    });
    return blocking;
  }

  #resyncHost(): ResyncHost {
    const { machine, life, disk, resyncFileMs, onPhase } = this.host;
    return {
      ...{ disk, descriptors: this.#descriptors, nowMs: machine.bootMs, onPhase },
      after: (delayMs, run) => machine.after(life, "helper", "work", delayMs, run),
      wake: () => {
        this.#isAwake = true;
        this.#wake();
      },
      fileMs: resyncFileMs,
    };
  }

  /** Something may be ready that no descriptor tells of by itself. */
  wake(): void {
    if (this.#poller !== null && this.#poller.wait() > 0) this.#wake();
  }

  /** Something is ready: the loop's wait ends. */
  #wake(): void {
    if (this.#core === null || this.#isTurnSoon) return;
    this.#cancelTurn();
    this.#turnIn(0.01, "work");
    this.#isTurnSoon = true;
  }

  #turnIn(delayMs: number, kind: Kind): void {
    this.#isTurnSoon = false;
    const { machine, life, disk } = this.host;
    const { slowMs } = disk.faults;
    // A disk that is slow keeps a loop waiting that works on it.
    const slow = delayMs < 1 && Number.isFinite(slowMs) ? Math.min(slowMs, 2000) : 0;
    this.#cancelTurn = machine.after(life, "data", kind, delayMs + slow, () => this.#turn());
  }

  #turn(): void {
    this.#isTurnSoon = false;
    const core = this.#core;
    if (core === null) return;
    if (!Number.isFinite(this.host.disk.faults.slowMs)) {
      // It hangs in a call to its disk, and looks again when that has ended.
      this.#turnIn(500, "work");
      return;
    }
    core.proceed(this.#timeoutMs);
    if (this.#core !== core) return;
    const waitMs = core.prepare();
    this.#timeoutMs = waitMs;
    const isReady = (this.#poller?.wait() ?? 0) > 0;
    // Woken again and again while something is held back, it is not at rest.
    this.#turnIn(isReady ? 0.01 : waitMs, isReady || waitMs < 10 ? "work" : "routine");
    this.#isTurnSoon = isReady;
  }

  #tell(message: ToCore): void {
    if (this.#core === null && this.#isUsed === false) return;
    this.#inbox.push(message);
    this.host.machine.after(this.host.life, "kernel", "work", HAND_OVER_MS, () => {
      this.#isAwake = true;
      this.#wake();
    });
  }

  async #ask(command: Command): Promise<Result<void, EngineError>> {
    const done = await this.#command(command);
    return done.ok ? ok(undefined) : done;
  }

  #command(command: Command): Promise<CommandResult> {
    if (this.#core === null) return Promise.resolve(err(CLOSED));
    const id = this.#nextId;
    this.#nextId += 1;
    const { promise, resolve } = Promise.withResolvers<CommandResult>();
    const { machine, life } = this.host;
    const cancel = machine.after(life, "main", "work", COMMAND_MS_MAX, () => {
      const detail = `${command.kind} was not answered`;
      this.#settle(id, err({ kind: "threadFailed", detail }));
    });
    this.#waiting.set(id, { settle: resolve, cancel });
    this.#tell({ kind: "command", id, command });
    return promise;
  }

  #settle(id: number, result: CommandResult): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.cancel();
    waiting?.settle(result);
  }

  #onMain(run: () => void): void {
    this.host.machine.after(this.host.life, "main", "work", HAND_OVER_MS, run);
  }

  #emit(event: EngineEvent): void {
    if (event.kind === "attached" && this.isPrimary) this.host.disk.setMarker(JOINED, true);
    for (const listener of this.#listeners) listener(event);
  }

  #later(thread: Thread, delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.host.machine.after(this.host.life, thread, "work", delayMs, resolve);
    return promise;
  }
}
