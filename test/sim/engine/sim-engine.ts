import type { Epoch } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { LeaseCell } from "../../../node-agent/peer/lease-cell.ts";
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
import { DataLoop, type LoopHost } from "./data-loop.ts";
import { INCOMPLETE, JOINED } from "./resync-run.ts";
import type { SimServer } from "./sim-server.ts";

export type EngineHost = LoopHost & {
  readonly onOpened: (engine: SimEngine) => void;
  readonly onClosed: (engine: SimEngine) => void;
};

const COMMAND_MS_MAX = 90_000;
const OPEN_MS = 20;
const CLOSED: EngineError = { kind: "wrongState", detail: "the engine is not open" };

/**
 * The replication engine of a simulated node, as the module sees it. What replication-engine.ts
 * does with mounts and a thread is done here with a loop of tasks (data-loop.ts).
 */
export class SimEngine implements ReplicationEngine {
  readonly host: EngineHost;
  readonly #loop: DataLoop;
  readonly #listeners: ((event: EngineEvent) => void)[] = [];
  readonly #sessions: SessionKey[] = [];
  readonly #waiting = new Map<
    number,
    { readonly settle: (result: CommandResult) => void; cancel: () => void }
  >();
  #addresses: readonly PeerAddress[] = [];
  #isUsed = false;
  #role: "primary" | "secondary" = "secondary";
  #nextId = 1;
  #isClosed = false;
  #epoch: Epoch = 0;
  /** Its loop has said that it takes nothing of an epoch below this one any more. */
  boundEpoch: Epoch = 0;

  constructor(host: EngineHost) {
    this.host = host;
    this.#loop = new DataLoop({
      host,
      epoch: () => this.#epoch,
      emit: (event) => this.#emit(event),
      reply: (id, result) => this.#settle(id, result),
    });
  }

  get isPrimary(): boolean {
    return this.#role === "primary" && !this.#isClosed;
  }

  get cell(): LeaseCell | null {
    return this.#loop.cell;
  }

  get server(): SimServer | null {
    return this.#loop.server;
  }

  async open(options: OpenOptions): Promise<Result<Opened, EngineError>> {
    if (this.#isUsed) return err({ kind: "wrongState", detail: "an engine is opened once" });
    this.#isUsed = true;
    await this.#later(OPEN_MS);
    const { disk } = this.host;
    if (disk.faults.dataError === "EIO") {
      return err({ kind: "mountFailed", path: options.trees[0]?.path ?? "", detail: "EIO" });
    }
    const port = this.#loop.start(options);
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
    this.cell?.serve(o.epoch);
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
    return this.#bind({ kind: "follow", ...o });
  }

  refuseBelow(epoch: Epoch): Promise<Result<void, EngineError>> {
    return this.#bind({ kind: "refuseBelow", epoch });
  }

  async #bind(command: Extract<Command, { readonly epoch: Epoch }>) {
    const done = await this.#ask(command);
    if (done.ok) this.boundEpoch = Math.max(this.boundEpoch, command.epoch);
    return done;
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
    this.cell?.fence();
  }

  thaw(): void {
    this.cell?.thaw();
  }

  startResync(o: { readonly epoch: Epoch }): Promise<Result<void, EngineError>> {
    return this.#ask({ kind: "startResync", ...o });
  }

  cancelResync(): void {
    this.#tell({ kind: "cancelResync" });
  }

  async metrics(): Promise<EngineMetrics | null> {
    const done = await this.#command({ kind: "metrics" });
    const value = done.ok ? done.value : undefined;
    return typeof value === "object" && "bytesSent" in value ? value : null;
  }

  async close(o: { readonly lazy: boolean }): Promise<void> {
    if (!this.#loop.isRunning || this.#isClosed) return;
    if (!o.lazy) await this.#later(10);
    this.cell?.serve(null);
    await Promise.race([this.#command({ kind: "close" }), this.#later(5000)]);
    this.#end();
  }

  onEvent(listener: (event: EngineEvent) => void): void {
    this.#listeners.push(listener);
  }

  takeMountAway(): void {
    this.#loop.takeMountAway();
  }

  wake(): void {
    this.#loop.wake();
  }

  #end(): void {
    this.#isClosed = true;
    this.#loop.end();
    this.host.onClosed(this);
    for (const { settle, cancel } of this.#waiting.values()) {
      cancel();
      settle(err({ kind: "threadFailed", detail: "closed" }));
    }
    this.#waiting.clear();
  }

  #tell(message: ToCore): void {
    if (this.#loop.isRunning || this.#isUsed) this.#loop.tell(message);
  }

  async #ask(command: Command): Promise<Result<void, EngineError>> {
    const done = await this.#command(command);
    return done.ok ? ok(undefined) : done;
  }

  #command(command: Command): Promise<CommandResult> {
    if (!this.#loop.isRunning) return Promise.resolve(err(CLOSED));
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

  #emit(event: EngineEvent): void {
    if (event.kind === "attached" && this.isPrimary) this.host.disk.setMarker(JOINED, true);
    for (const listener of this.#listeners) listener(event);
  }

  #later(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.host.machine.after(this.host.life, "main", "work", delayMs, resolve);
    return promise;
  }
}
