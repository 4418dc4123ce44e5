import { LeaseCell } from "../../../node-agent/peer/lease-cell.ts";
import { assembleCore } from "../../../node-agent/replication/assemble-core.ts";
import type { Core } from "../../../node-agent/replication/core.ts";
import type { CommandResult, ToCore } from "../../../node-agent/replication/core-messages.ts";
import type { EngineEvent, OpenOptions } from "../../../node-agent/replication/engine.ts";
import { Descriptors, SimPoller } from "../descriptors.ts";
import type { Life, Machine } from "../machine.ts";
import type { Op, Oracle } from "../oracle.ts";
import type { Prng } from "../prng.ts";
import type { SimDisk } from "../sim-disk.ts";
import type { SimSockets } from "../sim-sockets.ts";
import type { Kind } from "../virtual-clock.ts";
import type { ResyncHost } from "./resync-run.ts";
import { type Applied, SimApplier } from "./sim-applier.ts";
import { ROOT_FD, SimBlocking } from "./sim-blocking.ts";
import { SimChangeStore } from "./sim-change-store.ts";
import { type Answer, type Call, SimServer } from "./sim-server.ts";
import { SourceRun } from "./source-run.ts";
import { TargetRun } from "./target-run.ts";

/** What the simulated node gives to a data loop. */
export type LoopHost = {
  readonly machine: Machine;
  readonly life: Life;
  readonly sockets: SimSockets;
  readonly prng: Prng;
  readonly disk: SimDisk;
  readonly oracle: Oracle;
  readonly resyncFileMs: number;
  readonly onIssued: (op: Op) => void;
  readonly onReply: (call: Call, answer: Answer, isDone: boolean) => void;
  readonly onApplied: (applied: Applied) => void;
  readonly onDurable: () => void;
  readonly onPhase: (phase: string) => void;
  /** The process ends: its descriptors with it. */
  readonly onDeath: (closeAll: () => void) => void;
};

export type LoopOptions = {
  readonly host: LoopHost;
  /** The epoch that the engine was told to serve. */
  readonly epoch: () => number;
  readonly emit: (event: EngineEvent) => void;
  readonly reply: (id: number, result: CommandResult) => void;
};

/** A message from one thread to another. */
const HAND_OVER_MS = 0.05;

/**
 * The data thread of a simulated node: the production core (node-agent/replication/core.ts), whose
 * turns are tasks of the clock. What data-thread.ts does around it with poll(2) is done here.
 */
export class DataLoop {
  readonly #options: LoopOptions;
  readonly #descriptors: Descriptors;
  readonly #inbox: ToCore[] = [];
  #core: Core | null = null;
  cell: LeaseCell | null = null;
  server: SimServer | null = null;
  #poller: SimPoller | null = null;
  #isAwake = false;
  #cancelTurn: () => void = () => undefined;
  #isTurnSoon = false;
  #timeoutMs = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
    const { sockets, machine, prng, onDeath } = options.host;
    this.#descriptors = new Descriptors(sockets, machine, prng, () => this.#wake());
    onDeath(() => this.#descriptors.closeAll());
  }

  get isRunning(): boolean {
    return this.#core !== null;
  }

  /** Begins to turn; returns the port on which it listens. */
  start(options: OpenOptions): number {
    const { fd, port } = this.#descriptors.listen();
    const cell = new LeaseCell(options.leaseCell);
    this.cell = cell;
    this.#core = this.#assemble(options, fd, cell);
    cell.watchDataThread(true);
    this.#timeoutMs = this.#core.prepare();
    this.#turnIn(this.#timeoutMs, "work");
    return port;
  }

  tell(message: ToCore): void {
    this.#inbox.push(message);
    const { machine, life } = this.#options.host;
    machine.after(life, "kernel", "work", HAND_OVER_MS, () => {
      this.#isAwake = true;
      this.#wake();
    });
  }

  /** The guard detached the mount: nobody reaches the data through it any more. */
  takeMountAway(): void {
    const { server } = this;
    if (server === null || this.#core === null) return;
    server.isGone = true;
    // Whoever was inside a call of a mount that is taken away gets an error.
    server.failPending(5);
    this.#wake();
  }

  /** Something may be ready that no descriptor tells of by itself. */
  wake(): void {
    if (this.#poller !== null && this.#poller.wait() > 0) this.#wake();
  }

  end(): void {
    // Its loop has come to its end, if it still turned at all.
    if (this.#core !== null && !this.#options.host.machine.isStill("data")) {
      this.cell?.watchDataThread(false);
    }
    this.#core = null;
    this.#descriptors.closeAll();
  }

  #assemble(options: OpenOptions, listenerFd: number, cell: LeaseCell): Core {
    const { host, emit, reply } = this.#options;
    const { disk, machine } = host;
    const descriptors = this.#descriptors;
    const blocking = this.#newBlocking();
    const wakeFd = descriptors.add({ readiness: () => (this.#isAwake ? 1 : 0) });
    return assembleCore({
      moduleId: options.moduleId,
      nodeId: options.nodeId,
      stateDirectory: options.stateDirectory,
      syncMode: options.syncMode ?? "write",
      replTimeoutMs: options.replTimeoutMs ?? 2000,
      gapMs: options.gapMs ?? 100,
      resyncBytesPerSecond: null,
      durablePointMs: options.durablePointMs ?? 10_000,
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
      changeStore: new SimChangeStore(disk, blocking, machine.bootId),
      newServers: (parts) => {
        const device = descriptors.add({ readiness: () => this.server?.readiness() ?? 0 });
        this.server = new SimServer({
          ...{ device, node: machine.id, disk, oracle: host.oracle, blocking, sink: parts.sink },
          ...{
            gate: parts.gate,
            changes: parts.changes,
            onFault: parts.onFault,
            onDiskError: parts.onDiskError,
            epoch: this.#options.epoch,
          },
          ...{ onIssued: host.onIssued, onReply: host.onReply },
        });
        return [this.server];
      },
      startResync: (job) => {
        const resync = this.#resyncHost();
        return job.role === "source" ? new SourceRun(resync, job) : new TargetRun(resync, job);
      },
      emit: (event) => this.#onMain(() => emit(event)),
      reply: (id, result) => this.#onMain(() => reply(id, result)),
    });
  }

  #newBlocking(): SimBlocking {
    const { machine, life, disk, onDurable } = this.#options.host;
    const onChange = (): void => this.#wake();
    const blocking: SimBlocking = new SimBlocking({
      descriptor: this.#descriptors.add({ readiness: () => blocking.readiness() }),
      ...{ disk, onChange, onDurable },
      after: (delayMs, run) => machine.after(life, "helper", "work", delayMs, run),
    });
    return blocking;
  }

  #resyncHost(): ResyncHost {
    const { machine, life, disk, resyncFileMs, onPhase } = this.#options.host;
    return {
      ...{ disk, descriptors: this.#descriptors, nowMs: machine.bootMs, onPhase },
      bootId: machine.bootId,
      after: (delayMs, run) => machine.after(life, "helper", "work", delayMs, run),
      wake: () => {
        this.#isAwake = true;
        this.#wake();
      },
      fileMs: resyncFileMs,
    };
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
    const { machine, life, disk } = this.#options.host;
    const { slowMs } = disk.faults;
    // A disk that is slow keeps a loop waiting that works on it.
    const slow = delayMs < 1 && Number.isFinite(slowMs) ? Math.min(slowMs, 2000) : 0;
    this.#cancelTurn = machine.after(life, "data", kind, delayMs + slow, () => this.#turn());
  }

  #turn(): void {
    this.#isTurnSoon = false;
    const core = this.#core;
    if (core === null) return;
    if (!Number.isFinite(this.#options.host.disk.faults.slowMs)) {
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

  #onMain(run: () => void): void {
    const { machine, life } = this.#options.host;
    machine.after(life, "main", "work", HAND_OVER_MS, run);
  }
}
