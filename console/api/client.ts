/**
 * The one way from the console to the control plane: same-origin requests with the session cookie,
 * every answer checked against the contract, every failure a value that can be shown.
 */
import type * as z from "zod/mini";
import { type CommandRequest, Operation } from "#model/contract/commands.ts";
import { ApiError } from "#model/contract/errors.ts";
import { err, ok, type Result } from "#model/shared/result.ts";

/** Why there is no answer. */
export type ApiProblem =
  /** Nobody answered: away, or the network is. */
  | { readonly kind: "unreachable" }
  | { readonly kind: "signedOut" }
  /** It answered no; `message` and `remedy` are for people. */
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly code: string;
      readonly message: string;
      readonly remedy: string;
      readonly requestId: string;
    }
  /** It answered something that this console does not understand: another version, or a proxy. */
  | { readonly kind: "malformed" };

/** `fetch`, or what stands in for it in a test. */
export type Fetch = (path: string, init?: RequestInit) => Promise<Response>;

const ANSWER_MS_MAX = 15_000;

export class ApiClient {
  readonly #fetch: Fetch;

  constructor(fetchIt: Fetch) {
    this.#fetch = fetchIt;
  }

  /** A GET whose answer the schema describes. */
  get<T>(path: string, schema: z.ZodMiniType<T>): Promise<Result<T, ApiProblem>> {
    return this.#ask(path, {}, schema);
  }

  /** Asks for an operation. The same key again is the same operation, so a retry is harmless. */
  command(
    clusterId: string,
    moduleId: string,
    request: CommandRequest,
    idempotencyKey: string,
  ): Promise<Result<Operation, ApiProblem>> {
    const init = {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": idempotencyKey },
      body: JSON.stringify(request),
    };
    return this.#ask(`${modulePath(clusterId, moduleId)}/commands`, init, Operation);
  }

  /** Opens a stream; its body is not read here. */
  async stream(path: string, signal: AbortSignal): Promise<Result<Response, ApiProblem>> {
    try {
      const headers = { accept: "text/event-stream" };
      const answer = await this.#fetch(path, { headers, signal, cache: "no-store" });
      if (answer.ok) return ok(answer);
      return err(await problemOf(answer));
    } catch {
      return err({ kind: "unreachable" });
    }
  }

  async #ask<T>(
    path: string,
    init: RequestInit,
    schema: z.ZodMiniType<T>,
  ): Promise<Result<T, ApiProblem>> {
    let answer: Response;
    let body: unknown;
    try {
      const signal = AbortSignal.timeout(ANSWER_MS_MAX);
      answer = await this.#fetch(path, { ...init, signal, cache: "no-store" });
      if (!answer.ok) return err(await problemOf(answer));
    } catch {
      return err({ kind: "unreachable" });
    }
    try {
      body = await answer.json();
    } catch {
      return err({ kind: "malformed" });
    }
    const checked = schema.safeParse(body);
    return checked.success ? ok(checked.data) : err({ kind: "malformed" });
  }
}

async function problemOf(answer: Response): Promise<ApiProblem> {
  if (answer.status === 401) return { kind: "signedOut" };
  const text = await answer.text().catch(() => "");
  const body = ApiError.safeParse(parseJson(text));
  if (!body.success) return { kind: answer.status >= 500 ? "unreachable" : "malformed" };
  const { code, message, remedy, requestId } = body.data;
  return { kind: "refused", status: answer.status, code, message, remedy, requestId };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A problem as one sentence for people. */
export function describeProblem(problem: ApiProblem): string {
  switch (problem.kind) {
    case "unreachable":
      return "The control plane does not answer. The service goes on while its nodes reach each other.";
    case "signedOut":
      return "The session has ended: open the URL that the control plane printed.";
    case "refused":
      return sentence(problem.message);
    case "malformed":
      return "The control plane answered in a way that this page does not understand: reload it.";
  }
}

const sentence = (text: string): string =>
  `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

/** Where a cluster's routes begin. */
export const clusterPath = (clusterId: string): string =>
  `/v1/clusters/${encodeURIComponent(clusterId)}`;
/** Where a module's routes begin. */
export const modulePath = (clusterId: string, moduleId: string): string =>
  `${clusterPath(clusterId)}/modules/${encodeURIComponent(moduleId)}`;
