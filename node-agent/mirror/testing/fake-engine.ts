import type { Epoch } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type {
  EngineError,
  EngineEvent,
  EngineMetrics,
  Opened,
  ReplicationEngine,
} from "../../replication/engine.ts";

type Outcome = Result<void, EngineError>;

/** A replication engine that only takes down what it is told; a test holds back or fails calls. */
export class FakeEngine implements ReplicationEngine {
  readonly calls: string[];
  readonly admitted: { attachmentId: string; isForeign: boolean }[] = [];
  readonly #name: string;
  readonly #holds = new Map<string, PromiseWithResolvers<void>>();
  readonly #failures = new Map<string, EngineError>();
  #listener: (event: EngineEvent) => void = () => undefined;

  /** `calls` is shared by all engines of a test, so that their order can be seen. */
  constructor(name = "engine", calls: string[] = []) {
    this.#name = name;
    this.calls = calls;
  }

  /** The next calls of that name end only when the returned function is called. */
  hold(call: string): () => void {
    const held = Promise.withResolvers<void>();
    this.#holds.set(call, held);
    return () => {
      this.#holds.delete(call);
      held.resolve();
    };
  }

  fail(call: string, error: EngineError): void {
    this.#failures.set(call, error);
  }

  emit(event: EngineEvent): void {
    this.#listener(event);
  }

  async open(): Promise<Result<Opened, EngineError>> {
    const done = await this.#call("open", "");
    return done.ok ? ok({ port: 7410, dataIsComplete: true, dataIsEmpty: true }) : done;
  }
  addSession(): void {}
  dropSession(): void {}
  setPeer(): void {}
  serve(o: { readonly epoch: Epoch; readonly ackBy: "peer" | "none" }): Promise<Outcome> {
    return this.#call("serve", `${o.epoch} ${o.ackBy}`);
  }
  acknowledgeAlone(epoch: Epoch): Promise<Outcome> {
    return this.#call("acknowledgeAlone", `${epoch}`);
  }
  requirePeer(epoch: Epoch): Promise<Outcome> {
    return this.#call("requirePeer", `${epoch}`);
  }
  follow({ epoch }: { readonly epoch: Epoch }): Promise<Outcome> {
    return this.#call("follow", `${epoch}`);
  }
  refuseBelow(epoch: Epoch): Promise<Outcome> {
    return this.#call("refuseBelow", `${epoch}`);
  }
  async drain(): Promise<Result<{ readonly appliedSequence: number }, EngineError>> {
    const done = await this.#call("drain", "");
    return done.ok ? ok({ appliedSequence: 0 }) : done;
  }
  admitResync(attachmentId: string, isForeign: boolean): void {
    this.admitted.push({ attachmentId, isForeign });
  }
  flush(): Promise<Outcome> {
    return this.#call("flush", "");
  }
  fence(): void {}
  thaw(): void {}
  startResync({ epoch }: { readonly epoch: Epoch }): Promise<Outcome> {
    return this.#call("startResync", `${epoch}`);
  }
  cancelResync(): void {}
  async metrics(): Promise<EngineMetrics | null> {
    return null;
  }
  async close({ lazy }: { readonly lazy: boolean }): Promise<void> {
    await this.#call("close", lazy ? "lazy" : "");
    this.calls.push(`${this.#name} is closed`);
  }
  onEvent(listener: (event: EngineEvent) => void): void {
    this.#listener = listener;
  }

  async #call(name: string, detail: string): Promise<Outcome> {
    this.calls.push(`${this.#name} ${name} ${detail}`.trim());
    await this.#holds.get(name)?.promise;
    const failure = this.#failures.get(name);
    return failure === undefined ? ok(undefined) : err(failure);
  }
}
