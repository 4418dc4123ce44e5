/**
 * What agents call, on a listener of their own. A node is who its signature says; nothing in a path
 * or a body can make it another one.
 */

import * as z from "zod/mini";
import {
  COMMANDS_PER_POLL_MAX,
  CommandResults,
  CommandResultsAnswer,
  NodeCommands,
  NodeCommandsQuery,
} from "#model/contract/commands.ts";
import { ModuleName } from "#model/contract/common.ts";
import { ConfigurationQuery, NodeConfiguration } from "#model/contract/configuration.ts";
import { EnrolAnswer, EnrolRequest, RenewRequest } from "#model/contract/enrolment.ts";
import { failure } from "#model/contract/errors.ts";
import { NodeReport, NodeReportAnswer } from "#model/contract/report.ts";
import { err, ok } from "#model/shared/result.ts";
import { pendingCommands, takeResult } from "../clusters/operations.ts";
import { takeReport } from "../clusters/reports.ts";
import { nodeTopic } from "../clusters/signals.ts";
import { enrol, renew } from "../identity/enrolment.ts";
import { type ApiParts, findCluster, findModule } from "./api-parts.ts";
import {
  asNode,
  json,
  jsonBody,
  NoParams,
  NoQuery,
  noBody,
  type Route,
  raw,
  route,
} from "./route.ts";

/** How long a long poll waits when the agent does not say. */
const POLL_MS = 25_000;
const REPORT_BYTES_MAX = 1024 * 1024;
const SelfModule = z.object({ m: ModuleName });

/** Routes of `/v1/nodes`. */
export const nodeRoutes = (parts: ApiParts): readonly Route[] => [
  ...identityRoutes(parts),
  ...configurationRoutes(parts),
  reportRoute(parts),
  ...nodeCommandRoutes(parts),
];

const identityRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    method: "POST",
    path: "/v1/nodes/enrol",
    role: "none",
    summary: "Trades a one-time token and a certificate request for a certificate.",
    params: NoParams,
    query: NoQuery,
    body: jsonBody(EnrolRequest, 32_768),
    answer: json(EnrolAnswer),
    handle: ({ body }) => enrol(parts.cp, parts.ca, body),
  }),
  route({
    method: "POST",
    path: "/v1/nodes/self/certificate",
    role: "node",
    summary: "Renews the node's certificate for the same key.",
    params: NoParams,
    query: NoQuery,
    body: jsonBody(RenewRequest, 32_768),
    answer: json(EnrolAnswer),
    handle: ({ body, caller }) => renew(parts.cp, parts.ca, asNode(caller), body.csr),
  }),
];

const configurationRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    method: "GET",
    path: "/v1/nodes/self/configuration",
    role: "node",
    summary: "What this node should run; waits while `known` is the current version.",
    params: NoParams,
    query: ConfigurationQuery,
    body: noBody,
    answer: json(NodeConfiguration),
    async handle({ query, caller, signal }) {
      const { clusterId, nodeId } = asNode(caller);
      const topic = nodeTopic(clusterId, nodeId);
      const endsAtMs = parts.cp.clock.nowMs() + (query.waitMs ?? POLL_MS);
      for (;;) {
        const generation = parts.cp.signals.generation(topic);
        const cluster = await findCluster(parts, clusterId);
        if (!cluster.ok) return cluster;
        const { version, settings, modules } = cluster.value;
        const leftMs = endsAtMs - parts.cp.clock.nowMs();
        const isOver = leftMs <= 0 || signal.aborted || parts.cp.signals.isClosed;
        if (version !== query.known || isOver) {
          const own = modules.filter((module) => module.nodes.includes(nodeId));
          const caCertificates = [parts.ca.certificatePem];
          return ok({ version, cluster: settings, modules: own, caCertificates });
        }
        await parts.cp.signals.wait(topic, generation, leftMs, signal);
      }
    },
  }),
  route({
    method: "GET",
    path: "/v1/nodes/self/modules/:m/archive",
    role: "node",
    summary: "The .safe file of a module that this node has a part in.",
    params: SelfModule,
    query: NoQuery,
    body: noBody,
    answer: raw("application/zip"),
    async handle({ params, caller }) {
      const { clusterId, nodeId } = asNode(caller);
      const found = await findModule(parts, clusterId, params.m);
      if (!found.ok) return found;
      const { module } = found.value;
      if (!module.nodes.includes(nodeId)) {
        return err(failure("notFound", `there is no module ${params.m} on ${nodeId}`));
      }
      const bytes = await parts.cp.blobs.get(module.sha256);
      if (bytes === null) return err(failure("internal", "the archive is missing"));
      return ok(new Uint8Array(bytes));
    },
  }),
];

const reportRoute = (parts: ApiParts): Route =>
  route({
    method: "POST",
    path: "/v1/nodes/self/report",
    role: "node",
    summary: "The node's whole state as of now, and what happened since the last report.",
    params: NoParams,
    query: NoQuery,
    body: jsonBody(NodeReport, REPORT_BYTES_MAX),
    answer: json(NodeReportAnswer),
    async handle({ body, caller }) {
      const { clusterId, nodeId } = asNode(caller);
      const taken = await takeReport(parts.cp, clusterId, nodeId, body);
      if (!taken.ok) return taken;
      for (const module of body.modules) parts.reconciler.hear(clusterId, nodeId, module);
      return taken;
    },
  });

const nodeCommandRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    method: "GET",
    path: "/v1/nodes/self/commands",
    role: "node",
    summary: "Commands for this node; waits until there is one that is not in `known`.",
    params: NoParams,
    query: NodeCommandsQuery,
    body: noBody,
    answer: json(NodeCommands),
    async handle({ query, caller, signal }) {
      const { clusterId, nodeId } = asNode(caller);
      const topic = nodeTopic(clusterId, nodeId);
      const known = new Set(query.known?.split(",") ?? []);
      const endsAtMs = parts.cp.clock.nowMs() + (query.waitMs ?? POLL_MS);
      for (;;) {
        const generation = parts.cp.signals.generation(topic);
        const pending = await pendingCommands(parts.cp, clusterId, nodeId);
        const fresh = pending.filter((command) => !known.has(command.id));
        const leftMs = endsAtMs - parts.cp.clock.nowMs();
        const isOver = leftMs <= 0 || signal.aborted || parts.cp.signals.isClosed;
        if (fresh.length > 0 || isOver) {
          return ok({ commands: fresh.slice(0, COMMANDS_PER_POLL_MAX) });
        }
        await parts.cp.signals.wait(topic, generation, leftMs, signal);
      }
    },
  }),
  route({
    method: "POST",
    path: "/v1/nodes/self/commands",
    role: "node",
    summary: "How commands went.",
    params: NoParams,
    query: NoQuery,
    body: jsonBody(CommandResults),
    answer: json(CommandResultsAnswer),
    async handle({ body, caller }) {
      const { clusterId, nodeId } = asNode(caller);
      let taken = 0;
      for (const result of body.results) {
        if (await takeResult(parts.cp, clusterId, nodeId, result)) taken += 1;
      }
      return ok({ taken, ignored: body.results.length - taken });
    },
  }),
];
