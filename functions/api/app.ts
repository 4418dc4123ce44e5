/**
 * The HTTP application: takes a table of routes and an authenticator, and is the one place where a
 * request is judged (host, origin, size, caller, role) before any handler sees it, and where
 * failures become answers. It runs wherever hono runs; listeners are the composition root's.
 */
import { type Context, Hono } from "hono";
import { type ApiError, type ApiFailure, ERROR_STATUS, failure } from "#model/contract/errors.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { Logger, Random } from "../ports.ts";
import { readBody } from "./read-body.ts";
import { type Caller, mayCall, type Route } from "./route.ts";

export interface IncomingCall {
  readonly method: string;
  /** Path and query as sent. */
  readonly path: string;
  readonly body: Uint8Array;
  readonly header: (name: string) => string | undefined;
}
export interface AppOptions {
  readonly routes: readonly Route[];
  /** Who calls. A failure ends the request; `nobody` may still use routes of role `none`. */
  readonly authenticate: (call: IncomingCall) => Promise<Result<Caller, ApiFailure>>;
  /** Judges host and origin from the headers alone, before anything is read. */
  readonly judgeHeaders: (call: Omit<IncomingCall, "body">) => ApiFailure | null;
  /** Added to every answer. */
  readonly headers: Readonly<Record<string, string>>;
  readonly random: Random;
  readonly logger: Logger;
}

/** Builds the application. Routes are matched in the order of the table. */
export function buildApp(options: AppOptions): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(options.headers)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    }
  });
  app.use(async (c, next) => {
    const refusal = options.judgeHeaders(headOf(c));
    if (refusal !== null) return answerFailure(refusal, options.random.id("req"));
    return await next();
  });
  for (const route of options.routes) {
    app.on(route.method, route.path, (c) => serveRoute(c, route, options));
  }
  app.all("/v1/*", () =>
    answerFailure(failure("notFound", "no such route"), options.random.id("req")),
  );
  app.onError((error) => {
    const requestId = options.random.id("req");
    // The cause stays in the log: an error text may hold what the caller must not see.
    options.logger.log("E", `${requestId}: ${error.stack ?? error.message}`);
    return answerFailure(INTERNAL, requestId);
  });
  return app;
}

const INTERNAL = failure(
  "internal",
  "the control plane failed to answer",
  "look for the request id in its log",
);

async function serveRoute(c: Context, route: Route, options: AppOptions): Promise<Response> {
  const requestId = options.random.id("req");
  try {
    const answer = await judgeAndRun(c, route, options, requestId);
    return answer.ok ? answer.value : answerFailure(answer.error, requestId);
  } catch (thrown) {
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    options.logger.log("E", `${requestId} ${route.method} ${route.path}: ${text}`);
    return answerFailure(INTERNAL, requestId);
  }
}

async function judgeAndRun(
  c: Context,
  route: Route,
  options: AppOptions,
  requestId: string,
): Promise<Result<Response, ApiFailure>> {
  const head = headOf(c);
  const body = await readBody(c.req.raw, route.bytesMax);
  if (!body.ok) return body;
  const caller = await options.authenticate({ ...head, body: body.value });
  if (!caller.ok) return caller;
  if (!mayCall(caller.value, route.role)) return err(notAllowed(caller.value, route));
  const answer = await route.run({
    params: c.req.param(),
    query: c.req.query(),
    bytes: body.value,
    contentType: head.header("content-type") ?? "",
    caller: caller.value,
    requestId,
    header: head.header,
    signal: c.req.raw.signal,
  });
  if (!answer.ok) return answer;
  if (!answer.value.headers.has("cache-control")) {
    answer.value.headers.set("cache-control", "no-store");
  }
  return ok(answer.value);
}

function notAllowed(caller: Caller, route: Route): ApiFailure {
  if (caller.kind === "nobody") {
    return failure("notSignedIn", "sign in first", "open the URL that the control plane printed");
  }
  return failure("forbidden", `this needs the role ${route.role}`, "ask someone who has it");
}

function headOf(c: Context): Omit<IncomingCall, "body"> {
  const url = c.req.raw.url;
  // What was signed is the request line, so it is taken as it came, not as a router reads it.
  const path = url.slice(url.indexOf("/", url.indexOf("//") + 2));
  return { method: c.req.method, path, header: (name) => c.req.header(name) };
}

/** One shape for every refusal. */
function answerFailure(refusal: ApiFailure, requestId: string): Response {
  const { code, message, remedy = "", serverTimeMs, details } = refusal;
  const body: ApiError = {
    code,
    message,
    remedy,
    requestId,
    ...(serverTimeMs === undefined ? {} : { serverTimeMs }),
    ...(details === undefined ? {} : { details: [...details] }),
  };
  return new Response(JSON.stringify(body), {
    status: ERROR_STATUS[code],
    headers: { "content-type": "application/json", "cache-control": "no-store" },
  });
}
