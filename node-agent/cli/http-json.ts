import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type * as z from "zod/mini";
import { ApiError } from "#model/contract/errors.ts";
import { CommandEnd, EXIT, endOf } from "./exit.ts";

const ANSWER_BYTES_MAX = 64 * 1_048_576;

/** Where requests go: a control plane, or an agent's unix socket. */
export type Endpoint =
  | { readonly kind: "http"; readonly url: string; readonly secret: string }
  | { readonly kind: "socket"; readonly path: string };

/** One request; `body` is sent as it is. */
export type HttpRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

/** Sends a request and reads the answer by its schema. Ends the command on anything else. */
export async function callJson<T>(
  endpoint: Endpoint,
  request: HttpRequest,
  schema: z.ZodMiniType<T>,
): Promise<T> {
  const { status, text } = await exchange(endpoint, request);
  const json = parseJson(text);
  if (status >= 200 && status < 300) {
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    throw new CommandEnd(EXIT.failed, `${nameOf(endpoint)} answers in a form that is not agreed`);
  }
  const error = ApiError.safeParse(json);
  if (error.success) throw endOf(error.data);
  throw new CommandEnd(EXIT.failed, `${nameOf(endpoint)} answered HTTP ${status}`);
}

const nameOf = (endpoint: Endpoint): string =>
  endpoint.kind === "http" ? endpoint.url : `the agent at ${endpoint.path}`;

function optionsOf(endpoint: Endpoint, { method, headers = {} }: HttpRequest): RequestOptions {
  if (endpoint.kind === "socket") return { method, headers, socketPath: endpoint.path };
  return { method, headers: { ...headers, authorization: `Bearer ${endpoint.secret}` } };
}

function exchange(
  endpoint: Endpoint,
  request: HttpRequest,
): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const base = endpoint.kind === "http" ? endpoint.url : "http://localhost";
  const send = base.startsWith("https:") ? httpsRequest : httpRequest;
  const deadline = AbortSignal.timeout(request.timeoutMs);
  const signal =
    request.signal === undefined ? deadline : AbortSignal.any([deadline, request.signal]);
  const failed = (cause: Error): void => {
    const isOver = request.signal?.aborted === true;
    const why = deadline.aborted ? "does not answer" : `cannot be reached: ${cause.message}`;
    const remedy =
      endpoint.kind === "http"
        ? "on a node, `--local` asks the agent itself"
        : "is the agent running, and is --state right?";
    reject(
      isOver
        ? new CommandEnd(EXIT.interrupted, "interrupted")
        : new CommandEnd(EXIT.unreachable, `${nameOf(endpoint)} ${why}`, remedy),
    );
  };
  const outgoing = send(new URL(request.path, base), { ...optionsOf(endpoint, request), signal });
  outgoing.on("response", (incoming) => {
    readText(incoming).then(
      (text) => resolve({ status: incoming.statusCode ?? 0, text }),
      (cause: unknown) => failed(cause instanceof Error ? cause : new Error(String(cause))),
    );
  });
  outgoing.on("error", failed);
  outgoing.end(request.body);
  return promise;
}

async function readText(incoming: IncomingMessage): Promise<string> {
  incoming.setEncoding("utf8");
  let text = "";
  for await (const chunk of incoming) {
    text += chunk;
    if (text.length > ANSWER_BYTES_MAX) throw new Error("the answer is too long");
  }
  return text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
