/**
 * The control plane's API without a control plane: for tests of the pages. It speaks the contract
 * (the same schemas), holds one cluster in one of the scenarios, and does what a test tells it to:
 * tell an event, change a part, refuse a command, answer nothing.
 */
import { Hono } from "hono";
import { CommandRequest, type Operation, type Role } from "#model/contract/commands.ts";
import { ERROR_STATUS, type ErrorCode } from "#model/contract/errors.ts";
import type { EventRecord } from "#model/contract/events.ts";
import type { Change, ClusterSnapshot } from "#model/contract/snapshot.ts";
import { FAILOVER } from "./failover-example.ts";
import { CLUSTER, NOW_MS, type Scenario, STORE, snapshotOf } from "./scenarios.ts";

/** A command as it came in. */
export interface AskedCommand {
  readonly moduleId: string;
  readonly key: string;
  readonly request: CommandRequest;
}
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

const CAN: Readonly<Record<Role, readonly string[]>> = {
  viewer: ["read"],
  operator: ["read", "command"],
  admin: ["read", "command", "force", "configure", "enrol", "admit"],
};
const HEAD = { storeId: STORE, serverTimeMs: NOW_MS };

export class FakeControlPlane {
  readonly app = new Hono();
  readonly asked: AskedCommand[] = [];
  /** Opened so far, with the `after` of each: null for a new reader. */
  readonly streamsOpened: (string | null)[] = [];
  role: Role = "admin";
  isSignedIn = true;
  /** Requests wait for ever: the page shows what it shows while it loads. */
  isMute = false;
  refusal: Refusal | null = null;
  #snapshot: ClusterSnapshot;
  #events: EventRecord[];
  readonly #streams = new Map<(text: string) => void, () => void>();

  constructor(scenario: Scenario) {
    this.#snapshot = snapshotOf(scenario);
    this.#events = [...this.#snapshot.events];
    this.#addRoutes();
  }

  get snapshot(): ClusterSnapshot {
    return { ...this.#snapshot, lastSeq: this.#events.length, events: this.#events.slice(-100) };
  }

  /** Adds an event and tells everyone who listens. */
  tell(text: string, parts: Partial<EventRecord> = {}): EventRecord {
    const event: EventRecord = {
      seq: this.#events.length + 1,
      atMs: NOW_MS,
      offsetErrMs: 2,
      clusterId: CLUSTER,
      moduleId: "shop",
      nodeId: "node1",
      kind: "stateChanged",
      severity: "S",
      text,
      actor: "node:node1",
      ...parts,
    };
    this.#events = [...this.#events, event];
    this.#send(frame("event", event, event.seq));
    return event;
  }

  /** Puts a part in the place of the one before. */
  change(change: Change): void {
    const replace = <T extends { readonly id: string }>(list: readonly T[], item: T): T[] => [
      ...list.filter((one) => one.id !== item.id),
      item,
    ];
    const was = this.#snapshot;
    if (change.part === "module") {
      this.#snapshot = { ...was, modules: replace(was.modules, change) };
    }
    if (change.part === "operation") {
      const others = was.operations.filter((one) => one.operation.id !== change.operation.id);
      this.#snapshot = { ...was, operations: [change, ...others] };
    }
    this.#send(frame("change", change));
  }

  /** The cluster goes over into another scenario, as its readers would see it. */
  turnInto(scenario: Scenario): void {
    for (const module of snapshotOf(scenario).modules) this.change({ ...module, revision: 99 });
  }

  #send(text: string): void {
    for (const send of this.#streams.keys()) send(text);
  }

  /** Ends every stream, as a restart does. */
  dropStreams(): void {
    for (const end of this.#streams.values()) end();
    this.#streams.clear();
  }

  #addRoutes(): void {
    const { app } = this;
    app.use("/v1/*", async (_c, next) => {
      if (this.isMute) await new Promise(() => {});
      if (!this.isSignedIn) return answer("notSignedIn", "sign in first", "");
      return await next();
    });
    app.get("/v1/me", (c) => {
      const { role } = this;
      return c.json({
        id: role,
        name: role,
        role,
        can: CAN[role],
        version: "0.1.0",
        storeId: STORE,
      });
    });
    app.get("/v1/clusters", (c) => c.json({ clusters: [this.#summary()] }));
    app.get(`/v1/clusters/${CLUSTER}`, (c) => c.json(this.snapshot));
    app.get(`/v1/clusters/${CLUSTER}/stream`, (c) => this.#stream(c.req.query("after") ?? null));
    app.get(`/v1/clusters/${CLUSTER}/changes`, (c) => c.json(this.#changes(c.req.query("after"))));
    app.get(`/v1/clusters/${CLUSTER}/events`, (c) => {
      const after = Number(c.req.query("after") ?? "0");
      const events = this.#events.filter((event) => event.seq > after);
      return c.json({ events, lastSeq: this.#events.length });
    });
    app.get(`/v1/clusters/${CLUSTER}/modules/:m/failovers/:id`, (c) =>
      c.req.param("id") === FAILOVER.id ? c.json(FAILOVER) : answer("notFound", "no failover", ""),
    );
    app.post(`/v1/clusters/${CLUSTER}/modules/:m/commands`, async (c) => {
      const request = CommandRequest.parse(await c.req.json());
      const key = c.req.header("idempotency-key") ?? "";
      this.asked.push({ moduleId: c.req.param("m"), key, request });
      if (this.refusal !== null) {
        return answer(this.refusal.code, this.refusal.message, this.refusal.remedy);
      }
      const operation = operationOf(c.req.param("m"), key, request);
      this.change({ part: "operation", revision: 50, operation });
      return c.json(operation, 202);
    });
    app.all("/v1/*", () => answer("notFound", "there is nothing by that name", ""));
  }

  #summary() {
    const [module] = this.#snapshot.modules;
    const { nodes } = this.#snapshot;
    return {
      id: CLUSTER,
      health: module?.health ?? "Unknown",
      why: module === undefined ? "No module is installed." : `${module.id}: ${module.why}`,
      nodes: nodes.length,
      nodesSilent: nodes.filter((node) => node.silent).length,
      modules: module === undefined ? {} : { [module.health]: 1 },
    };
  }

  #changes(after: string | undefined) {
    const { revision } = this.#snapshot;
    const lastSeq = this.#events.length;
    const head = { ...HEAD, lastSeq, revision };
    if (after === undefined) return { ...head, snapshot: this.snapshot, events: [], changes: [] };
    const events = this.#events.filter((event) => event.seq > Number(after));
    return { ...head, snapshot: null, events, changes: this.#snapshot.modules };
  }

  #stream(after: string | null): Response {
    this.streamsOpened.push(after);
    const encoder = new TextEncoder();
    let send: (text: string) => void = () => {};
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        send = (text) => controller.enqueue(encoder.encode(text));
        send("retry: 2000\n\n");
        if (after === null) send(frame("snapshot", this.snapshot, this.#events.length));
        else {
          const missed = this.#events.filter((event) => event.seq > Number(after));
          for (const event of missed) send(frame("event", event, event.seq));
          for (const module of this.#snapshot.modules) send(frame("change", module));
        }
        this.#streams.set(send, () => controller.close());
      },
      cancel: () => {
        this.#streams.delete(send);
      },
    });
    return new Response(body, {
      headers: { "content-type": "text/event-stream", "cache-control": "no-store" },
    });
  }
}

/** What a person asked for, as it begins. */
function operationOf(moduleId: string, key: string, request: CommandRequest): Operation {
  return {
    id: `operation-${key}`,
    moduleId,
    kind: request.kind,
    state: "running",
    text: `${request.kind} ${moduleId}`,
    actor: "person:admin",
    ...(request.node === undefined ? {} : { node: request.node }),
    createdAtMs: NOW_MS,
    deadlineMs: NOW_MS + 120_000,
    finishedAtMs: null,
    steps: [],
  };
}

const frame = (event: string, value: unknown, id?: number): string =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(value)}\n\n`;

function answer(code: ErrorCode, message: string, remedy: string): Response {
  const body = { code, message, remedy, requestId: "req_fake" };
  return new Response(JSON.stringify(body), {
    status: ERROR_STATUS[code],
    headers: { "content-type": "application/json" },
  });
}
