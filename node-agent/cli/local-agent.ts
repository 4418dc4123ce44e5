import { join } from "node:path";
import * as z from "zod/mini";
import { type CommandRequest, CommandResult } from "#model/contract/commands.ts";
import { ClusterName, NodeName } from "#model/contract/common.ts";
import { NodeReport } from "#model/contract/report.ts";
import { callJson, type Endpoint } from "./http-json.ts";

/**
 * What this node's agent answers on its unix socket, for when the control plane is away: the same
 * words as the API, of this node alone and with the same safety rules.
 *
 * `GET /v1/status` → `LocalStatus`; `POST /v1/modules/:m/commands` (a `CommandRequest`) →
 * `CommandResult` when the command has been carried out, refused or begun.
 */

/** The socket in the agent's state directory, mode 0600. */
export const SOCKET_NAME = "agent.sock";
const CALL_MS_MAX = 10_000;
const COMMAND_MS_MAX = 120_000;

/** This node as it would report itself now. */
export const LocalStatus = z.object({
  clusterId: ClusterName,
  nodeId: NodeName,
  report: NodeReport,
});
export type LocalStatus = z.infer<typeof LocalStatus>;

/** The agent of this node. */
export class LocalAgent {
  readonly #endpoint: Endpoint;
  readonly #signal: AbortSignal;

  constructor(stateDirectory: string, signal: AbortSignal) {
    this.#endpoint = { kind: "socket", path: join(stateDirectory, SOCKET_NAME) };
    this.#signal = signal;
  }

  status(): Promise<LocalStatus> {
    const request = { method: "GET", path: "/v1/status", timeoutMs: CALL_MS_MAX };
    return callJson(this.#endpoint, { ...request, signal: this.#signal }, LocalStatus);
  }

  command(moduleId: string, body: CommandRequest): Promise<CommandResult> {
    const request = {
      method: "POST",
      path: `/v1/modules/${encodeURIComponent(moduleId)}/commands`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      timeoutMs: COMMAND_MS_MAX,
    };
    return callJson(this.#endpoint, { ...request, signal: this.#signal }, CommandResult);
  }
}
