/** Clusters: the list, the snapshot, the settings and the tokens for their nodes. */

import { ClusterRequest } from "#model/contract/configuration.ts";
import { TokenAnswer, TokenRequest } from "#model/contract/enrolment.ts";
import { failure } from "#model/contract/errors.ts";
import { ClusterSnapshot, Clusters, ClusterView } from "#model/contract/snapshot.ts";
import { err, ok } from "#model/shared/result.ts";
import { putCluster } from "../clusters/configure.ts";
import { EVERYWHERE } from "../clusters/records.ts";
import { makeToken } from "../identity/enrolment.ts";
import { type ApiParts, ClusterParams, findCluster } from "./api-parts.ts";
import { actorOf, json, jsonBody, NoParams, NoQuery, noBody, type Route, route } from "./route.ts";

/** Routes of `/v1/clusters` and `/v1/clusters/:c`. */
export const clusterRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    method: "GET",
    path: "/v1/clusters",
    role: "viewer",
    summary: "All clusters, each with one line on how it is.",
    params: NoParams,
    query: NoQuery,
    body: noBody,
    answer: json(Clusters),
    async handle() {
      const known = await parts.cp.clusters.list(EVERYWHERE);
      const lines = await Promise.all(known.map(({ id }) => parts.live.summary(id)));
      return ok({ clusters: lines.filter((line) => line !== null) });
    },
  }),
  route({
    method: "GET",
    path: "/v1/clusters/:c",
    role: "viewer",
    summary: "The cluster as it is now: settings, nodes, modules, operations, newest events.",
    params: ClusterParams,
    query: NoQuery,
    body: noBody,
    answer: json(ClusterSnapshot),
    async handle({ params }) {
      const snapshot = await parts.live.snapshot(params.c);
      if (snapshot !== null) return ok(snapshot);
      return err(failure("notFound", `there is no cluster ${params.c}`));
    },
  }),
  route({
    method: "PUT",
    path: "/v1/clusters/:c",
    role: "admin",
    summary: "Makes the cluster, or changes the settings that are named.",
    params: ClusterParams,
    query: NoQuery,
    body: jsonBody(ClusterRequest),
    answer: json(ClusterView),
    async handle({ params, body, caller }) {
      const changed = await putCluster(
        parts.cp,
        params.c,
        body,
        actorOf(caller),
        parts.judgeModule,
      );
      if (!changed.ok) return changed;
      const { version, settings } = changed.value;
      await parts.reconciler.sweep(params.c);
      return ok({ part: "cluster" as const, revision: 0, version, settings });
    },
  }),
  route({
    method: "POST",
    path: "/v1/clusters/:c/tokens",
    role: "admin",
    summary: "Makes a token with which one node can enrol once; shown only here.",
    params: ClusterParams,
    query: NoQuery,
    body: jsonBody(TokenRequest),
    answer: json(TokenAnswer, 201),
    async handle({ params, body, caller }) {
      const cluster = await findCluster(parts, params.c);
      if (!cluster.ok) return cluster;
      return makeToken(parts.cp, parts.ca, params.c, body, {
        by: actorOf(caller),
        agentUrl: parts.agentUrl(),
      });
    },
  }),
];
