/**
 * What the agent answers on its own machine, over a unix socket that only root may open: status and
 * commands of this node alone, for when the control plane is away. The same words as the control
 * plane's API, the same safety rules: it only passes on what the quorum protocol then decides.
 */
import { randomUUID } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { CommandRequest, type CommandResult } from "#model/contract/commands.ts";
import { ModuleName } from "#model/contract/common.ts";
import type { NodeReport } from "#model/contract/report.ts";
import type { ClusterId, ModuleId, NodeId } from "#model/shared/ids.ts";
import type { VerbAnswer, VerbRequest } from "./modules/safekit-verbs.ts";
import { VerbRequestSchema } from "./modules/verb-schema.ts";

export type LocalApiOptions = {
  readonly stateDirectory: string;
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  report(): Promise<NodeReport>;
  command(moduleId: ModuleId, request: CommandRequest): Promise<Omit<CommandResult, "id">>;
  /** A verb of a module's script; null: no such module here. */
  verb(request: VerbRequest): VerbAnswer | null;
};

const SOCKET_NAME = "agent.sock";
const BODY_BYTES_MAX = 64 * 1024;
/** See `verbPath` in modules/safekit-verbs.ts. */
const VERB = /^\/v1\/local\/modules\/[^/]+\/verbs$/;
const COMMAND = /^\/v1\/modules\/([^/]+)\/commands$/;

/** Opens the socket; what an agent that died left in its place is removed. */
export function openLocalApi(options: LocalApiOptions): Server {
  const path = join(options.stateDirectory, SOCKET_NAME);
  rmSync(path, { force: true });
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      // Half an answer cannot be taken back; an error here would end the agent.
      if (response.headersSent) response.destroy();
      else refuse(response, 500, "internal", message);
    });
  });
  server.maxConnections = 32;
  server.listen(path, () => chmodSync(path, 0o600));
  return server;
}

async function answer(
  options: LocalApiOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { clusterId, nodeId } = options;
  const path = request.url ?? "/";
  if (request.method === "GET" && path === "/v1/status") {
    send(response, 200, { clusterId, nodeId, report: await options.report() });
    return;
  }
  if (request.method === "POST" && VERB.test(path)) {
    await answerVerb(options, request, response);
    return;
  }
  const moduleId = ModuleName.safeParse(COMMAND.exec(path)?.[1]);
  if (request.method !== "POST" || !moduleId.success) {
    refuse(response, 404, "notFound", "GET /v1/status or POST /v1/modules/NAME/commands");
    return;
  }
  const body = CommandRequest.safeParse(parse(await readBody(request)));
  if (!body.success) {
    refuse(response, 400, "badRequest", "this is no command");
    return;
  }
  const result = await options.command(moduleId.data, body.data);
  send(response, 200, { id: `local-${randomUUID()}`, ...result });
}

async function answerVerb(
  options: LocalApiOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = VerbRequestSchema.safeParse(parse(await readBody(request)));
  const answered = body.success ? options.verb(body.data) : null;
  if (answered === null) refuse(response, 404, "notFound", "no such module or verb on this node");
  else send(response, 200, answered);
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = "";
  // A character may be cut in two by the parts that it comes in.
  request.setEncoding("utf8");
  for await (const part of request) {
    text += String(part);
    if (text.length > BODY_BYTES_MAX) throw new Error("the request is too long");
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json" });
  response.end(text);
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  send(response, status, { code, message, remedy: "", requestId: "local" });
}
