/**
 * The main thread's hold on one data thread: starts it, sends it commands, has resync threads
 * started for it, and hears when it ends. Every command settles within a bound.
 */

import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { err } from "#model/shared/result.ts";
import type { Command, CommandResult, CoreStart, FromCore, ToCore } from "./core-messages.ts";
import type { EngineEvent } from "./engine.ts";
import { type ResyncSpec, wake } from "./resync-link.ts";

const START_MS_MAX = 10_000;
/** Longer than the longest bound that the data thread sets for itself (core-commands.ts). */
const COMMAND_MS_MAX = 90_000;
const CLOSE_MS_MAX = 5000;

export type DataThreadOptions = {
  readonly start: Omit<CoreStart, "port">;
  readonly onEvent: (event: EngineEvent) => void;
  /** It ended though nobody asked it to. */
  readonly onFailed: (detail: string) => void;
};

type Waiting = { readonly settle: (result: CommandResult) => void; readonly timer: NodeJS.Timeout };

export class DataThread {
  readonly #options: DataThreadOptions;
  readonly #port: MessagePort;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #resyncs = new Set<Worker>();
  readonly #exited: Promise<void>;
  #onReady: (isReady: boolean) => void = () => {};
  #nextId = 1;
  #isClosing = false;

  constructor(options: DataThreadOptions) {
    this.#options = options;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const workerData: CoreStart = { ...options.start, port: port2 };
    this.#worker = new Worker(new URL("./core-thread.ts", import.meta.url), {
      workerData,
      transferList: [port2],
    });
    port1.on("message", (message: FromCore) => this.#take(message));
    this.#worker.on("error", (error: unknown) => {
      this.#fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.on("exit", () => {
        this.#fail("the data thread exited");
        resolve();
      });
    });
  }

  /** Resolves to true when the loop runs, to false when it did not come up. */
  ready(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), START_MS_MAX);
      this.#onReady = (isReady) => {
        clearTimeout(timer);
        resolve(isReady);
      };
    });
  }

  /** One-way. */
  tell(message: ToCore): void {
    this.#port.postMessage(message);
    wake(this.#options.start.wakeFd);
  }

  ask(command: Command): Promise<CommandResult> {
    const id = this.#nextId;
    this.#nextId += 1;
    return new Promise((settle) => {
      if (this.#isClosing && command.kind !== "close") {
        settle(err({ kind: "threadFailed", detail: "the data thread has ended" }));
        return;
      }
      const detail = `${command.kind} was not answered`;
      const timer = setTimeout(
        () => this.#settle(id, err({ kind: "threadFailed", detail })),
        COMMAND_MS_MAX,
      );
      this.#waiting.set(id, { settle, timer });
      this.tell({ kind: "command", id, command });
    });
  }

  /** Ends the loop and waits for the thread, within a bound; the mounts are aborted. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const ended = Promise.all([this.ask({ kind: "close" }), this.#exited]);
    // A thread that hangs in a call to a dead disk cannot be ended by anybody.
    await within(CLOSE_MS_MAX, ended);
    await within(CLOSE_MS_MAX, Promise.all([...this.#resyncs].map((one) => one.terminate())));
    for (const id of [...this.#waiting.keys()]) {
      this.#settle(id, err({ kind: "threadFailed", detail: "closed" }));
    }
    this.#port.close();
  }

  #take(message: FromCore): void {
    switch (message.kind) {
      case "ready":
        this.#onReady(true);
        return;
      case "reply":
        this.#settle(message.id, message.result);
        return;
      case "event":
        this.#options.onEvent(message.event);
        return;
      case "startResync":
        this.#startResync(message.spec, message.port);
        return;
    }
  }

  #startResync(spec: ResyncSpec, port: MessagePort): void {
    const worker = new Worker(new URL("./resync-thread.ts", import.meta.url), {
      workerData: { spec, port },
      transferList: [port],
    });
    this.#resyncs.add(worker);
    worker.on("error", (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.tell({ kind: "resyncDied", role: spec.role, reason });
    });
    worker.on("exit", () => this.#resyncs.delete(worker));
  }

  #settle(id: number, result: CommandResult): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting.settle(result);
  }

  #fail(detail: string): void {
    this.#onReady(false);
    for (const id of [...this.#waiting.keys()]) {
      this.#settle(id, err({ kind: "threadFailed", detail }));
    }
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#options.onFailed(detail);
  }
}

async function within(boundMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise((resolve) => {
    timer = setTimeout(resolve, boundMs);
  });
  await Promise.race([promise, bound]);
  clearTimeout(timer);
}
