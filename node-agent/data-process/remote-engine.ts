import { spawn } from "node:child_process";
import { Socket } from "node:net";
import { join } from "node:path";
import { assert } from "#model/shared/assert.ts";
import type { Epoch } from "#model/shared/ids.ts";
import { err, type Result } from "#model/shared/result.ts";
import { ERRNO } from "../adapters/linux/errno.ts";
import { LeaseCell } from "../peer/lease-cell.ts";
import type { ModuleMemory } from "../peer/module-memory.ts";
import type {
  EngineError,
  EngineEvent,
  EngineMetrics,
  Opened,
  OpenOptions,
  PeerAddress,
  ReplicationEngine,
  SessionKey,
} from "../replication/engine.ts";
import { Lines } from "./lines.ts";
import { endOf } from "./process-end.ts";
import { type FromHost, type HostedOptions, keyText, type ToHost } from "./protocol.ts";

/** Longer than what the process itself bounds its data thread's answers by (data-thread.ts). */
const ANSWER_MS_MAX = 95_000;
const METRICS_MS_MAX = 2_000;
const CLOSE_MS_MAX = 20_000;
const AGENT_DESCRIPTOR = 4;
const MAIN = join(import.meta.dirname, "data-process-main.ts");
/** Below the state directory of the module. */
export const SOCKET_NAME = "data.sock";

const GONE: EngineError = { kind: "threadFailed", detail: "the data process has ended" };

/** One connection to a data process, and its number. */
export type DataLink = { readonly lines: Lines<FromHost>; readonly processId: number };

type Waiting = { readonly settle: (text: string | null) => void; readonly timer: NodeJS.Timeout };
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
type Call = Without<Extract<ToHost, { readonly id: number }>, "id">;

/** A `ReplicationEngine` whose work is done by the module's data process. */
export class RemoteEngine implements ReplicationEngine {
  /** Told of each process that is begun or taken over: the fence must not stop it. */
  readonly #onProcess: (processId: number) => void;
  readonly #listeners: ((event: EngineEvent) => void)[] = [];
  readonly #waiting = new Map<number, Waiting>();
  /** What was said before it was open. */
  #sessions: SessionKey[] = [];
  #addresses: readonly PeerAddress[] = [];
  #link: DataLink | null = null;
  #cell: LeaseCell | null = null;
  #nextId = 1;
  #isClosing = false;

  constructor(onProcess: (processId: number) => void) {
    this.#onProcess = onProcess;
  }

  /** Goes on with a process that an earlier agent opened. */
  static takeOver(
    link: DataLink,
    memory: ModuleMemory,
    onProcess: (processId: number) => void,
  ): RemoteEngine {
    const engine = new RemoteEngine(onProcess);
    engine.#use(link, memory);
    return engine;
  }

  async open({ leaseCell, ...options }: OpenOptions): Promise<Result<Opened, EngineError>> {
    if (this.#link !== null || this.#isClosing) {
      return err({ kind: "wrongState", detail: "an engine is opened once" });
    }
    const link = spawnDataProcess(join(options.stateDirectory, SOCKET_NAME), leaseCell);
    if (link === null) return err({ kind: "threadFailed", detail: "no data process started" });
    this.#use(link, leaseCell);
    for (const session of this.#sessions) this.addSession(session);
    this.setPeer(this.#addresses);
    const opened = await this.#open(options);
    if (!opened.ok) await this.close({ lazy: true });
    return opened;
  }

  async #open(options: HostedOptions): Promise<Result<Opened, EngineError>> {
    return await this.#ask<Result<Opened, EngineError>>({ call: "open", options }, err(GONE));
  }

  addSession(session: SessionKey): void {
    if (this.#link === null) this.#sessions.push(session);
    else this.#tell({ call: "addSession", session: keyText(session) });
  }

  dropSession(sessionId: Uint8Array): void {
    const id = Buffer.from(sessionId);
    this.#sessions = this.#sessions.filter((session) => !id.equals(session.sessionId));
    this.#tell({ call: "dropSession", sessionId: id.toString("base64") });
  }

  setPeer(addresses: readonly PeerAddress[]): void {
    this.#addresses = addresses;
    this.#tell({ call: "setPeer", addresses });
  }

  serve(o: {
    readonly epoch: Epoch;
    readonly ackBy: "peer" | "none";
  }): Promise<Result<void, EngineError>> {
    return this.#done({ call: "serve", ...o });
  }

  acknowledgeAlone(epoch: Epoch): Promise<Result<void, EngineError>> {
    return this.#done({ call: "acknowledgeAlone", epoch });
  }

  requirePeer(epoch: Epoch): Promise<Result<void, EngineError>> {
    return this.#done({ call: "requirePeer", epoch });
  }

  follow({ epoch }: { readonly epoch: Epoch }): Promise<Result<void, EngineError>> {
    return this.#done({ call: "follow", epoch });
  }

  refuseBelow(epoch: Epoch): Promise<Result<void, EngineError>> {
    return this.#done({ call: "refuseBelow", epoch });
  }

  drain(): Promise<Result<{ readonly appliedSequence: number }, EngineError>> {
    return this.#ask({ call: "drain" }, err(GONE));
  }

  admitResync(attachmentId: string, isForeign: boolean): void {
    this.#tell({ call: "admitResync", attachmentId, isForeign });
  }

  flush(): Promise<Result<void, EngineError>> {
    return this.#done({ call: "flush" });
  }

  /** Through the memory: it must not wait for a process, and works on one that hangs. */
  fence(): void {
    this.#cell?.fence();
  }

  thaw(): void {
    this.#cell?.thaw();
  }

  startResync({ epoch }: { readonly epoch: Epoch }): Promise<Result<void, EngineError>> {
    return this.#done({ call: "startResync", epoch });
  }

  cancelResync(): void {
    this.#tell({ call: "cancelResync" });
  }

  metrics(): Promise<EngineMetrics | null> {
    return this.#ask<EngineMetrics | null>({ call: "metrics" }, null, METRICS_MS_MAX);
  }

  async close({ lazy }: { readonly lazy: boolean }): Promise<void> {
    this.#isClosing = true;
    const link = this.#link;
    if (link === null) return;
    await this.#ask<unknown>({ call: "close", lazy }, null, CLOSE_MS_MAX);
    this.#link = null;
    link.lines.socket.destroy();
    // It ends by itself; one that hangs must not keep its mounts from the next.
    await endOf(link.processId);
  }

  onEvent(listener: (event: EngineEvent) => void): void {
    this.#listeners.push(listener);
  }

  #use(link: DataLink, memory: ModuleMemory): void {
    this.#link = link;
    this.#cell = new LeaseCell(memory);
    this.#onProcess(link.processId);
    link.lines.socket.on("close", () => this.#lost());
    link.lines.taker = (message) => this.#take(message);
  }

  #take(message: FromHost): void {
    if (message.kind === "event") this.#emit(message.event);
    if (message.kind !== "reply") return;
    this.#settle(message.id, message.text);
  }

  /** Its mounts went with it: whoever used them has been told so by the kernel. */
  #lost(): void {
    for (const id of [...this.#waiting.keys()]) this.#settle(id, null);
    if (this.#isClosing) return;
    this.#isClosing = true;
    const detail = "the data process ended, and its mounts with it";
    this.#emit({ kind: "localFault", errno: ERRNO.ENODEV, detail });
  }

  #emit(event: EngineEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #tell(message: ToHost): void {
    this.#link?.lines.write(message);
  }

  #done(call: Call): Promise<Result<void, EngineError>> {
    return this.#ask<Result<void, EngineError>>(call, err(GONE));
  }

  /** `otherwise` when the process ends, or does not answer. Typed by the engine that answers. */
  #ask<T>(call: Call, otherwise: T, boundMs = ANSWER_MS_MAX): Promise<T> {
    const link = this.#link;
    if (link === null || link.lines.socket.destroyed) return Promise.resolve(otherwise);
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((resolve) => {
      const settle = (text: string | null): void => {
        const value: T = text === null ? otherwise : JSON.parse(text);
        resolve(value);
      };
      const timer = setTimeout(() => this.#settle(id, null), boundMs);
      this.#waiting.set(id, { settle, timer });
      link.lines.write({ id, ...call });
    });
  }

  #settle(id: number, text: string | null): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting.settle(text);
  }
}

/** Begins a data process; it outlives this one. Null when none can be started. */
function spawnDataProcess(socketPath: string, memory: ModuleMemory): DataLink | null {
  assert("descriptor" in memory, "a data process needs memory that it can inherit");
  const child = spawn(process.execPath, [MAIN, socketPath], {
    // A session of its own: what ends the agent's group must not end it.
    detached: true,
    stdio: ["ignore", "inherit", "inherit", memory.descriptor, "pipe"],
  });
  child.on("error", () => undefined);
  child.unref();
  const socket = child.stdio[AGENT_DESCRIPTOR];
  if (child.pid === undefined || !(socket instanceof Socket)) return null;
  return { lines: new Lines(socket), processId: child.pid };
}
