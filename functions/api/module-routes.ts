/** Modules: their view, their configuration in and out, and their failovers. */
import * as z from "zod/mini";
import { Id, NodeNames } from "#model/contract/common.ts";
import { ModuleUploadAnswer, ModuleUploadQuery } from "#model/contract/configuration.ts";
import { failure } from "#model/contract/errors.ts";
import { FailoverPicture, FailoverSummary } from "#model/contract/failover.ts";
import { ModuleView } from "#model/contract/snapshot.ts";
import { err, ok } from "#model/shared/result.ts";
import { putModule, removeModule } from "../clusters/configure.ts";
import { type ApiParts, findModule, ModuleParams } from "./api-parts.ts";
import {
  actorOf,
  bytesBody,
  json,
  NoQuery,
  Nothing,
  noBody,
  type Route,
  raw,
  route,
} from "./route.ts";

/** As large as a packed module may be. */
const MODULE_BYTES_MAX = 10 * 1024 * 1024;
const ZIP = "application/zip";
const FailoverParams = z.extend(ModuleParams, { id: Id });
const RemoveQuery = z.object({ forgetRecord: z.optional(z.enum(["true", "false"])) });

/** Routes of `/v1/clusters/:c/modules/:m`. */
export const moduleRoutes = (parts: ApiParts): readonly Route[] => [
  viewRoute(parts),
  downloadRoute(parts),
  uploadRoute(parts),
  removeRoute(parts),
  ...failoverRoutes(parts),
];

const viewRoute = (parts: ApiParts): Route =>
  route({
    method: "GET",
    path: "/v1/clusters/:c/modules/:m",
    role: "viewer",
    summary: "The module as it is now.",
    params: ModuleParams,
    query: NoQuery,
    body: noBody,
    answer: json(ModuleView),
    async handle({ params: { c, m } }) {
      const changes = (await parts.live.changes(c, 0)) ?? [];
      const view = changes.find((change) => change.part === "module" && change.id === m);
      if (view?.part === "module") return ok(view);
      return err(failure("notFound", `there is no module ${m} in ${c}`));
    },
  });

const downloadRoute = (parts: ApiParts): Route =>
  route({
    method: "GET",
    path: "/v1/clusters/:c/modules/:m/configuration",
    role: "viewer",
    summary: "The .safe file that is configured.",
    params: ModuleParams,
    query: NoQuery,
    body: noBody,
    answer: raw(ZIP, { "content-disposition": "attachment" }),
    async handle({ params: { c, m } }) {
      const found = await findModule(parts, c, m);
      if (!found.ok) return found;
      const bytes = await parts.cp.blobs.get(found.value.module.sha256);
      if (bytes === null) return err(failure("internal", "the archive is missing"));
      return ok(new Uint8Array(bytes));
    },
  });

const uploadRoute = (parts: ApiParts): Route =>
  route({
    method: "PUT",
    path: "/v1/clusters/:c/modules/:m/configuration",
    role: "admin",
    summary: "Makes a .safe file the module's next version; with dryRun only judges it.",
    params: ModuleParams,
    query: ModuleUploadQuery,
    body: bytesBody(MODULE_BYTES_MAX, [ZIP, "application/octet-stream"]),
    answer: json(ModuleUploadAnswer),
    async handle({ params: { c, m }, query, body, caller }) {
      const nodes = query.nodes === undefined ? null : NodeNames.safeParse(query.nodes.split(","));
      if (nodes !== null && !nodes.success) {
        return err(failure("badRequest", "query: nodes are names, separated by commas"));
      }
      const answer = await putModule(parts.cp, parts.judgeModule, c, {
        moduleId: m,
        bytes: body,
        nodes: nodes?.data ?? null,
        seenVersion: query.seenVersion ?? null,
        dryRun: query.dryRun === "true",
        actor: actorOf(caller),
      });
      if (answer.ok) parts.reconciler.ask(c, m);
      return answer;
    },
  });

const removeRoute = (parts: ApiParts): Route =>
  route({
    method: "DELETE",
    path: "/v1/clusters/:c/modules/:m",
    role: "admin",
    summary: "Takes the module away; its record of epochs stays unless it is to be forgotten.",
    params: ModuleParams,
    query: RemoveQuery,
    body: noBody,
    answer: json(Nothing),
    async handle({ params: { c, m }, query, caller }) {
      const removed = await removeModule(parts.cp, c, m, actorOf(caller));
      if (!removed.ok) return removed;
      if (query.forgetRecord === "true") await parts.arbiter.forget(c, m);
      return ok({});
    },
  });

const failoverRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    method: "GET",
    path: "/v1/clusters/:c/modules/:m/failovers",
    role: "viewer",
    summary: "Failovers and switchovers, newest first.",
    params: ModuleParams,
    query: NoQuery,
    body: noBody,
    answer: json(z.object({ failovers: z.array(FailoverSummary) })),
    async handle({ params: { c, m } }) {
      const found = await findModule(parts, c, m);
      if (!found.ok) return found;
      return ok({ failovers: (await parts.failovers.summaries(c, m)).slice(0, 100) });
    },
  }),
  route({
    method: "GET",
    path: "/v1/clusters/:c/modules/:m/failovers/:id",
    role: "viewer",
    summary: "The picture of one failover.",
    params: FailoverParams,
    query: NoQuery,
    body: noBody,
    answer: json(FailoverPicture),
    async handle({ params: { c, m, id } }) {
      const found = await findModule(parts, c, m);
      if (!found.ok) return found;
      const pictures = await parts.failovers.pictures(c, m);
      const picture = pictures.find((one) => one.id === id);
      if (picture !== undefined) return ok(picture);
      return err(failure("notFound", `there is no failover ${id}`));
    },
  }),
];
