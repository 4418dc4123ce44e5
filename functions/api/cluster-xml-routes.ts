/**
 * `cluster.xml` in and out: the form that people of older clusters have. What is kept is the
 * cluster's own settings; the file's membership timings have no counterpart here, and it says so.
 */
import type { ClusterSettings } from "#model/contract/configuration.ts";
import {
  ClusterSettings as ClusterSettingsSchema,
  ClusterXml,
} from "#model/contract/configuration.ts";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import { ClusterView } from "#model/contract/snapshot.ts";
import { parseClusterXml, writeClusterXml } from "#model/module/cluster-xml.ts";
import type { ClusterConfig } from "#model/module/config.ts";
import { formatProblem } from "#model/module/problem.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { putCluster } from "../clusters/configure.ts";
import { type ApiParts, ClusterParams, findCluster } from "./api-parts.ts";
import { actorOf, json, jsonBody, NoQuery, noBody, type Route, route } from "./route.ts";

const PATH = "/v1/clusters/:c/cluster.xml";

/** Routes of `…/cluster.xml`. */
export const clusterXmlRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    method: "GET",
    path: PATH,
    role: "viewer",
    summary: "The cluster's networks and nodes as a cluster.xml.",
    params: ClusterParams,
    query: NoQuery,
    body: noBody,
    answer: json(ClusterXml),
    async handle({ params }) {
      const cluster = await findCluster(parts, params.c);
      return cluster.ok ? ok({ xml: writeClusterXml(toXmlForm(cluster.value.settings)) }) : cluster;
    },
  }),
  route({
    method: "PUT",
    path: PATH,
    role: "admin",
    summary: "Makes the cluster, or gives it the networks and nodes of a cluster.xml.",
    params: ClusterParams,
    query: NoQuery,
    body: jsonBody(ClusterXml),
    answer: json(ClusterView),
    async handle({ params: { c }, body, caller }) {
      const parsed = parseClusterXml(body.xml);
      if (!parsed.ok) {
        const details = parsed.error.map(formatProblem);
        return err({
          ...failure("badRequest", details[0]?.slice(0, 900) ?? "unreadable"),
          details,
        });
      }
      const settings = fromXmlForm(c, parsed.value.config);
      if (!settings.ok) return settings;
      const { networks, nodes } = settings.value;
      const changed = await putCluster(parts.cp, c, { networks, nodes }, actorOf(caller));
      if (!changed.ok) return changed;
      const { version } = changed.value;
      return ok({
        part: "cluster" as const,
        revision: 0,
        version,
        settings: changed.value.settings,
      });
    },
  }),
];

/** Pure. The membership timings are the form's own defaults. */
function toXmlForm({ networks, nodes }: ClusterSettings): ClusterConfig {
  return {
    port: 4800,
    pulseMs: 100,
    masterLostCount: 20,
    slaveLostCount: 10,
    lans: networks.map((name, index) => ({
      name,
      isCommand: index === 0,
      nodes: nodes.flatMap(({ id, addresses }) => {
        const addr = addresses[name];
        return addr === undefined ? [] : [{ name: id, addr, localAddr: null }];
      }),
    })),
  };
}

function fromXmlForm(id: string, { lans }: ClusterConfig): Result<ClusterSettings, ApiFailure> {
  const command = lans.findIndex((lan) => lan.isCommand);
  // Best first: the network of commands is the one that is sure to reach every node.
  const ordered = [...lans].sort(
    (a, b) => Number(b === lans[command]) - Number(a === lans[command]),
  );
  const names = [...new Set(lans.flatMap((lan) => lan.nodes.map((node) => node.name)))].sort();
  const nodes = names.map((name) => ({
    id: name,
    addresses: Object.fromEntries(
      ordered.flatMap((lan) => {
        const addr = lan.nodes.find((node) => node.name === name)?.addr;
        // An IPv6 literal stands in brackets there, and without them here.
        return addr === undefined ? [] : [[lan.name, addr.replace(/^\[(.*)\]$/, "$1")]];
      }),
    ),
  }));
  const networks = ordered.map((lan) => lan.name);
  const settings = { id, networks, nodes, timers: "default", addressDriver: "arp" };
  const checked = ClusterSettingsSchema.safeParse(settings);
  if (checked.success) return ok(checked.data);
  const issue = checked.error.issues[0];
  return err(failure("badRequest", `${issue?.path.join(".")}: ${issue?.message}`));
}
