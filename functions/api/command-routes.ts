/** What people ask a module to do, and what became of it. */
import type * as z from "zod/mini";
import { CommandRequest, Operation, ROLE_OF_COMMAND } from "#model/contract/commands.ts";
import { Id } from "#model/contract/common.ts";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import type { PossibleLoss } from "#model/quorum/possible-loss.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { lossOf } from "../clusters/loss-view.ts";
import { askedHash, createOperation, operationId } from "../clusters/operations.ts";
import { planCommand, type Seen } from "../clusters/plan-command.ts";
import { EVERYWHERE } from "../clusters/records.ts";
import { isSilent } from "../clusters/reports.ts";
import { type ApiParts, findModule, IdParams, ModuleParams } from "./api-parts.ts";
import {
  actorOf,
  type Caller,
  json,
  jsonBody,
  mayCall,
  NoQuery,
  noBody,
  type Route,
  route,
} from "./route.ts";

/** Routes of `…/commands` and `/v1/operations`. */
export const commandRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    method: "POST",
    path: "/v1/clusters/:c/modules/:m/commands",
    role: "operator",
    summary:
      "Starts an operation. Needs an Idempotency-Key: the same key again is the same operation.",
    params: ModuleParams,
    query: NoQuery,
    body: jsonBody(CommandRequest),
    answer: json(Operation, 202),
    async handle({ params: { c, m }, body, caller, header }) {
      const key = Id.safeParse(header("idempotency-key"));
      if (!key.success) {
        return err(failure("badRequest", "the header idempotency-key is missing or malformed"));
      }
      return command(parts, { clusterId: c, moduleId: m, key: key.data, caller }, body);
    },
  }),
  route({
    method: "GET",
    path: "/v1/operations/:id",
    role: "viewer",
    summary: "How an operation goes.",
    params: IdParams,
    query: NoQuery,
    body: noBody,
    answer: json(Operation),
    async handle({ params: { id } }) {
      for (const cluster of await parts.cp.clusters.list(EVERYWHERE)) {
        const found = await parts.cp.operations.read(cluster.id, id);
        if (found !== null) return ok(found.value.operation);
      }
      return err(failure("notFound", `there is no operation ${id}`));
    },
  }),
];

interface Asked {
  readonly clusterId: string;
  readonly moduleId: string;
  readonly key: string;
  readonly caller: Caller;
}

async function command(
  parts: ApiParts,
  { clusterId, moduleId, key, caller }: Asked,
  request: CommandRequest,
): Promise<Result<z.infer<typeof Operation>, ApiFailure>> {
  const { cp } = parts;
  const role = ROLE_OF_COMMAND[request.kind];
  if (!mayCall(caller, role)) {
    return err(failure("forbidden", `${request.kind} needs the role ${role}`));
  }
  const found = await findModule(parts, clusterId, moduleId);
  if (!found.ok) return found;
  const actor = actorOf(caller);
  const id = operationId(clusterId, actor, key);
  const asked = askedHash(moduleId, request);
  // A repeat is answered before it is judged again: the module may have moved on since.
  const known = await cp.operations.read(clusterId, id);
  const record = await parts.arbiter.record(clusterId, moduleId);
  const plan = planCommand(
    found.value.module,
    record,
    request,
    await seenNow(parts, clusterId, moduleId),
  );
  if (known === null && !plan.ok) return plan;
  const phases = plan.ok ? plan.value.phases : [];
  const { kind, node, dataFrom, forMs, reason } = request;
  const loss = plan.ok ? plan.value.loss : undefined;
  const target = plan.ok ? (plan.value.node ?? node) : node;
  const made = await createOperation(cp, clusterId, id, asked, {
    moduleId,
    kind,
    actor,
    phases,
    ...(target === undefined ? {} : { node: target }),
    ...(dataFrom === undefined ? {} : { dataFrom }),
    ...(record === null ? {} : { epoch: record.epoch }),
    ...(forMs === undefined ? {} : { forMs }),
    ...(reason === undefined ? {} : { reason }),
    ...(loss === undefined ? {} : { loss: loss.text }),
  });
  if (!made.ok || known !== null) return made;
  if (kind === "start" || (kind === "stop" && node === undefined)) {
    const wanted = { isWanted: kind === "start", sinceMs: cp.clock.nowMs() };
    await cp.wanted.change(clusterId, moduleId, () => ok(wanted));
  }
  const on = target === undefined ? "" : ` (${target})`;
  await cp.events.tell(clusterId, {
    kind: "commandAsked",
    severity: "U",
    moduleId,
    text: askedText(`${kind} ${moduleId}${on}`, request, loss),
    actor,
    data: { operation: id, command: kind, node: target ?? null, ...lossData(loss) },
    dedupeKey: `asked/${id}`,
  });
  return made;
}

/** What the control plane knows of the nodes at this moment. */
async function seenNow(
  { cp, arbiter }: ApiParts,
  clusterId: string,
  moduleId: string,
): Promise<Seen> {
  const listed = await cp.reports.list(clusterId);
  const reports = new Map(listed.map(({ id, value }) => [id, value]));
  const row = await arbiter.record(clusterId, moduleId);
  const nowMs = cp.clock.nowMs();
  return {
    isSilent: (nodeId) => isSilent(reports.get(nodeId)?.receivedAtMs ?? 0, nowMs),
    lossOf: (nodeId) => lossOf(moduleId, nodeId, row, reports, nowMs),
  };
}

/** What was asked, why, and what it may cost: the log must tell it years later. */
function askedText(what: string, request: CommandRequest, loss: PossibleLoss | undefined): string {
  const { reason, forMs } = request;
  const lasting = forMs === undefined ? "" : ` for ${Math.round(forMs / 1000)} s`;
  const why = reason === undefined ? "" : `: ${reason.slice(0, 400)}`;
  return `${what}${lasting}${loss === undefined ? "" : `. ${loss.text}`}${why}`.slice(0, 900);
}

/** The same in numbers; null = nobody can tell. */
const lossData = (loss: PossibleLoss | undefined) =>
  loss === undefined
    ? {}
    : {
        loss: loss.kind,
        lossSinceMs: loss.sinceMs,
        lossChanges: loss.changes,
        lossBytes: loss.bytes,
        lossAsOfMs: loss.asOfMs,
      };
