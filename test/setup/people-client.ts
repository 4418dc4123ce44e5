/** What a person does with the control plane, for tests and the playground: its HTTP API. */
import type { CommandRequest, Operation } from "#model/contract/commands.ts";
import type { EnrolmentToken } from "#model/contract/enrolment.ts";
import type { EventRecord } from "#model/contract/events.ts";
import type { FailoverPicture, FailoverSummary } from "#model/contract/failover.ts";
import type { ClusterSnapshot } from "#model/contract/snapshot.ts";

export type Called<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: number; readonly text: string };

/** How an HTTP request is made: directly, or through something that sees another network. */
export type Transport = (
  method: string,
  path: string,
  headers: Record<string, string>,
  body: Uint8Array | null,
) => Promise<{ status: number; text: string }>;

/** Straight to `origin`. */
export const fetchTransport =
  (origin: string, timeoutMs = 10_000): Transport =>
  async (method, path, headers, body) => {
    const answer = await fetch(`${origin}${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === null ? {} : { body: new Uint8Array(body) }),
    });
    return { status: answer.status, text: await answer.text() };
  };

export class PeopleClient {
  readonly #transport: Transport;
  readonly #secret: string;
  readonly #cluster: string;

  constructor(transport: Transport, secret: string, cluster: string) {
    this.#transport = transport;
    this.#secret = secret;
    this.#cluster = cluster;
  }

  /** status 0: nobody answered. */
  async call<T>(method: string, path: string, body: unknown = null): Promise<Called<T>> {
    const isBytes = body instanceof Uint8Array;
    const bytes = isBytes ? body : body === null ? null : Buffer.from(JSON.stringify(body));
    const headers = {
      authorization: `Bearer ${this.#secret}`,
      ...(bytes === null
        ? {}
        : { "content-type": isBytes ? "application/octet-stream" : "application/json" }),
      ...(method === "POST" ? { "idempotency-key": crypto.randomUUID() } : {}),
    };
    try {
      const answer = await this.#transport(method, path, headers, bytes);
      if (answer.status >= 200 && answer.status < 300) {
        return { ok: true, value: JSON.parse(answer.text) };
      }
      return { ok: false, status: answer.status, text: answer.text };
    } catch (error) {
      return { ok: false, status: 0, text: error instanceof Error ? error.message : String(error) };
    }
  }

  snapshot(): Promise<Called<ClusterSnapshot>> {
    return this.call("GET", `/v1/clusters/${this.#cluster}`);
  }

  token(
    node: string,
    addresses: Record<string, string>,
  ): Promise<Called<{ token: typeof EnrolmentToken; agentUrl: string }>> {
    return this.call("POST", `/v1/clusters/${this.#cluster}/tokens`, { node, addresses });
  }

  upload(moduleId: string, archive: Uint8Array): Promise<Called<unknown>> {
    const path = `/v1/clusters/${this.#cluster}/modules/${moduleId}/configuration`;
    return this.call("PUT", path, archive);
  }

  command(moduleId: string, request: CommandRequest): Promise<Called<Operation>> {
    return this.call("POST", `/v1/clusters/${this.#cluster}/modules/${moduleId}/commands`, request);
  }

  operation(id: string): Promise<Called<Operation>> {
    return this.call("GET", `/v1/operations/${id}`);
  }

  events(moduleId: string): Promise<Called<{ events: EventRecord[] }>> {
    return this.call("GET", `/v1/clusters/${this.#cluster}/events?module=${moduleId}&limit=500`);
  }

  failovers(moduleId: string): Promise<Called<{ failovers: FailoverSummary[] }>> {
    return this.call("GET", `/v1/clusters/${this.#cluster}/modules/${moduleId}/failovers`);
  }

  failover(moduleId: string, id: string): Promise<Called<FailoverPicture>> {
    return this.call("GET", `/v1/clusters/${this.#cluster}/modules/${moduleId}/failovers/${id}`);
  }
}
