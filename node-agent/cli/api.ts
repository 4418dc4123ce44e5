import { randomBytes } from "node:crypto";
import * as z from "zod/mini";
import { type CommandRequest, Operation } from "#model/contract/commands.ts";
import { ModuleUploadAnswer } from "#model/contract/configuration.ts";
import { TokenAnswer, type TokenRequest } from "#model/contract/enrolment.ts";
import { EventRecord } from "#model/contract/events.ts";
import { Changes, ClusterSnapshot, Clusters, ModuleView } from "#model/contract/snapshot.ts";
import type { Context } from "./context.ts";
import { CommandEnd, EXIT } from "./exit.ts";
import { callJson, type Endpoint } from "./http-json.ts";

const CALL_MS_MAX = 10_000;
const UPLOAD_MS_MAX = 60_000;

const Events = z.object({ events: z.array(EventRecord), lastSeq: z.int() });

/** The control plane's API for people, as far as the command line needs it. */
export class Api {
  readonly #endpoint: Endpoint;
  readonly #signal: AbortSignal;
  #cluster: string | null;

  constructor({ url, secret, cluster }: Context, signal: AbortSignal) {
    this.#endpoint = { kind: "http", url, secret };
    this.#cluster = cluster;
    this.#signal = signal;
  }

  /** The named cluster, or the only one. */
  async cluster(): Promise<string> {
    if (this.#cluster !== null) return this.#cluster;
    const { clusters } = await this.#get("/v1/clusters", Clusters);
    const [first, second] = clusters;
    if (first === undefined) throw new CommandEnd(EXIT.notFound, "there is no cluster yet");
    if (second !== undefined) {
      const names = clusters.map(({ id }) => id).join(", ");
      throw new CommandEnd(
        EXIT.usage,
        `there are several clusters: ${names}`,
        "say --cluster NAME",
      );
    }
    this.#cluster = first.id;
    return first.id;
  }

  async snapshot(): Promise<ClusterSnapshot> {
    return this.#get(`/v1/clusters/${await this.cluster()}`, ClusterSnapshot);
  }

  async changes(after: number, revision: number): Promise<Changes> {
    const query = `after=${after}&revision=${revision}`;
    return this.#get(`/v1/clusters/${await this.cluster()}/changes?${query}`, Changes);
  }

  async module(moduleId: string): Promise<ModuleView> {
    return this.#get(await this.#modulePath(moduleId), ModuleView);
  }

  async events(query: URLSearchParams): Promise<z.infer<typeof Events>> {
    return this.#get(`/v1/clusters/${await this.cluster()}/events?${query}`, Events);
  }

  /** Starts an operation; a key of its own makes a repeat on our side the same operation. */
  async command(moduleId: string, request: CommandRequest): Promise<Operation> {
    const path = `${await this.#modulePath(moduleId)}/commands`;
    const headers = { "idempotency-key": randomBytes(16).toString("hex") };
    return this.#send("POST", path, request, Operation, headers);
  }

  operation(id: string): Promise<Operation> {
    return this.#get(`/v1/operations/${encodeURIComponent(id)}`, Operation);
  }

  async token(request: TokenRequest): Promise<TokenAnswer> {
    return this.#send("POST", `/v1/clusters/${await this.cluster()}/tokens`, request, TokenAnswer);
  }

  async upload(
    moduleId: string,
    archive: Uint8Array,
    query: URLSearchParams,
  ): Promise<ModuleUploadAnswer> {
    const path = `${await this.#modulePath(moduleId)}/configuration?${query}`;
    const headers = { "content-type": "application/zip" };
    const request = { method: "PUT", path, headers, body: archive, timeoutMs: UPLOAD_MS_MAX };
    return callJson(this.#endpoint, { ...request, signal: this.#signal }, ModuleUploadAnswer);
  }

  async remove(moduleId: string): Promise<void> {
    await this.#send("DELETE", await this.#modulePath(moduleId), undefined, z.unknown());
  }

  async #modulePath(moduleId: string): Promise<string> {
    return `/v1/clusters/${await this.cluster()}/modules/${encodeURIComponent(moduleId)}`;
  }

  #get<T>(path: string, schema: z.ZodMiniType<T>): Promise<T> {
    return this.#send("GET", path, undefined, schema);
  }

  #send<T>(
    method: string,
    path: string,
    json: object | undefined,
    schema: z.ZodMiniType<T>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const body =
      json === undefined
        ? {}
        : {
            body: JSON.stringify(json),
            headers: { ...headers, "content-type": "application/json" },
          };
    const request = { method, path, timeoutMs: CALL_MS_MAX, signal: this.#signal, ...body };
    return callJson(this.#endpoint, request, schema);
  }
}
