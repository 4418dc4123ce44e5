/**
 * A route is a contract and a handler. The contract says who may call, what comes in and what goes
 * out, as zod schemas; it is also what `GET /openapi.json` prints. There is no other way to put
 * something on the API, so nothing on it is undocumented, unchecked or open by accident.
 */
import * as z from "zod/mini";
import type { Role } from "#model/contract/commands.ts";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import { assert } from "#model/shared/assert.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { SignedBy } from "../identity/request-signature.ts";

/** `none`: anyone who reaches the listener. `node`: an enrolled node, by its signature. */
export type RouteRole = "none" | Role | "node";

export type Caller =
  | { readonly kind: "nobody" }
  | { readonly kind: "person"; readonly id: string; readonly name: string; readonly role: Role }
  | ({ readonly kind: "node" } & SignedBy);

/** What a handler gets: everything already checked against the contract. */
interface Call<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly caller: Caller;
  readonly requestId: string;
  readonly header: (name: string) => string | undefined;
  /** Ends when the client has gone. */
  readonly signal: AbortSignal;
}

/** How a body is read, and how it is described. */
export interface BodyContract<B> {
  readonly bytesMax: number;
  readonly describe: () => object | null;
  readonly read: (bytes: Uint8Array, contentType: string) => Result<B, ApiFailure>;
}
/** How an answer is written, and how it is described. */
export interface AnswerContract<A> {
  readonly status: number;
  readonly describe: () => object;
  readonly write: (value: A) => Response;
}

const JSON_BODY_BYTES_MAX = 262_144;

/** A request without a body; one that has some is refused, so nothing hides in it. */
export const noBody: BodyContract<null> = {
  bytesMax: 0,
  describe: () => null,
  read: () => ok(null),
};

/** JSON in strict UTF-8, checked by a schema that drops what it does not know. */
export const jsonBody = <B>(
  schema: z.ZodMiniType<B>,
  bytesMax: number = JSON_BODY_BYTES_MAX,
): BodyContract<B> => ({
  bytesMax,
  describe: () => ({
    required: true,
    content: { "application/json": { schema: jsonSchema(schema, "input") } },
  }),
  read(bytes, contentType) {
    if (mediaType(contentType) !== "application/json") {
      return err(failure("wrongType", "the body must be application/json"));
    }
    const parsed = parseJson(bytes);
    if (!parsed.ok) return parsed;
    const checked = schema.safeParse(parsed.value);
    if (checked.success) return ok(checked.data);
    return err(failure("badRequest", `body: ${firstIssue(checked.error)}`));
  },
});

/** Bytes as they are. */
export const bytesBody = (
  bytesMax: number,
  types: readonly string[],
): BodyContract<Uint8Array> => ({
  bytesMax,
  describe: () => ({
    required: true,
    content: Object.fromEntries(
      types.map((type) => [type, { schema: { type: "string", format: "binary" } }]),
    ),
  }),
  read(bytes, contentType) {
    if (types.includes(mediaType(contentType))) return ok(bytes);
    return err(failure("wrongType", `the body must be ${types.join(" or ")}`));
  },
});

/** JSON out, through its schema: what the contract does not name never leaves. */
export const json = <A>(schema: z.ZodMiniType<A>, status = 200): AnswerContract<A> => ({
  status,
  describe: () => ({ "application/json": { schema: jsonSchema(schema, "output") } }),
  write: (value) =>
    new Response(JSON.stringify(schema.parse(value)), {
      status,
      headers: { "content-type": "application/json" },
    }),
});

/** Bytes or a stream out. */
export const raw = (
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): AnswerContract<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>> => ({
  status: 200,
  describe: () => ({ [contentType]: { schema: { type: "string", format: "binary" } } }),
  write: (value) => new Response(value, { headers: { "content-type": contentType, ...headers } }),
});

export interface RouteContract<P, Q, B, A> {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Parameters as `:name`. */
  readonly path: `/${string}`;
  readonly role: RouteRole;
  readonly summary: string;
  readonly params: z.ZodMiniType<P>;
  readonly query: z.ZodMiniType<Q>;
  readonly body: BodyContract<B>;
  readonly answer: AnswerContract<A>;
  readonly handle: (call: Call<P, Q, B>) => Promise<Result<A, ApiFailure>>;
}

interface RawCall extends Omit<Call<unknown, unknown, unknown>, "body"> {
  readonly bytes: Uint8Array;
  readonly contentType: string;
}
/** A contract with its types folded away: what the app and the description work with. */
export interface Route {
  readonly method: RouteContract<never, never, never, never>["method"];
  readonly path: string;
  readonly role: RouteRole;
  readonly summary: string;
  readonly bytesMax: number;
  readonly describe: () => RouteDescription;
  readonly run: (call: RawCall) => Promise<Result<Response, ApiFailure>>;
}
interface RouteDescription {
  readonly params: object;
  readonly query: object;
  readonly body: object | null;
  readonly answer: { readonly status: number; readonly content: object };
}

/** The one way to make a {@link Route}. */
export function route<P, Q, B, A>(contract: RouteContract<P, Q, B, A>): Route {
  const { method, path, role, summary, params, query, body, answer } = contract;
  return {
    method,
    path,
    role,
    summary,
    bytesMax: body.bytesMax,
    describe: () => ({
      params: jsonSchema(params, "input"),
      query: jsonSchema(query, "input"),
      body: body.describe(),
      answer: { status: answer.status, content: answer.describe() },
    }),
    async run({ bytes, contentType, ...call }) {
      // A path that names nothing we could have made is not found, rather than malformed.
      const checkedParams = params.safeParse(call.params);
      if (!checkedParams.success) return err(failure("notFound", "there is nothing by that name"));
      const checkedQuery = query.safeParse(call.query);
      if (!checkedQuery.success) {
        return err(failure("badRequest", `query: ${firstIssue(checkedQuery.error)}`));
      }
      const checkedBody = body.read(bytes, contentType);
      if (!checkedBody.ok) return checkedBody;
      const handled = await contract.handle({
        ...call,
        params: checkedParams.data,
        query: checkedQuery.data,
        body: checkedBody.value,
      });
      return handled.ok ? ok(answer.write(handled.value)) : handled;
    },
  };
}

/** For routes that take none. */
export const NoParams = z.object({});
export const NoQuery = z.object({});
export const Nothing = z.object({});

/** The node behind a call to a route of role `node`; the app lets nobody else in. */
export function asNode(caller: Caller): SignedBy {
  assert(caller.kind === "node", "a node's route was run for someone else");
  return caller;
}

/** How events and records name a caller. */
export function actorOf(caller: Caller): string {
  if (caller.kind === "person") return `person:${caller.name}`;
  return caller.kind === "node" ? `node:${caller.nodeId}` : "nobody";
}

const ROLE_RANK = { viewer: 1, operator: 2, admin: 3 } as const;

/** May this caller use a route of this role? */
export function mayCall(caller: Caller, role: RouteRole): boolean {
  if (role === "none") return true;
  if (role === "node") return caller.kind === "node";
  return caller.kind === "person" && ROLE_RANK[caller.role] >= ROLE_RANK[role];
}

function parseJson(bytes: Uint8Array): Result<unknown, ApiFailure> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return ok(JSON.parse(text));
  } catch {
    return err(failure("badRequest", "the body is not JSON in UTF-8"));
  }
}

const mediaType = (contentType: string): string =>
  contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";

/** Where and what, never the value: it may be a secret. */
function firstIssue(error: z.core.$ZodError): string {
  const [issue] = error.issues;
  return `${issue?.path.join(".") || "value"}: ${issue?.message ?? "invalid"}`.slice(0, 300);
}

function jsonSchema(schema: z.ZodMiniType, io: "input" | "output"): object {
  // A refinement has no JSON Schema; what it guards is said in the field's own description.
  return z.toJSONSchema(schema, { io, unrepresentable: "any" });
}
