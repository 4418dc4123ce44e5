/** The log of a cluster, filtered. */
import * as z from "zod/mini";
import { ModuleName, NodeName } from "#model/contract/common.ts";
import { EventRecord } from "#model/contract/events.ts";
import { ok } from "#model/shared/result.ts";
import { type ApiParts, ClusterParams, findCluster } from "./api-parts.ts";
import { json, noBody, type Route, route } from "./route.ts";

const SeqNumber = z.coerce.number().check(z.minimum(0), z.maximum(Number.MAX_SAFE_INTEGER));
const EventsQuery = z.object({
  /** Events with a greater number, oldest first. Without it: the newest that match. */
  after: z.optional(SeqNumber),
  limit: z.optional(z.coerce.number().check(z.minimum(1), z.maximum(500))),
  module: z.optional(ModuleName),
  node: z.optional(NodeName),
  kind: z.optional(z.string().check(z.regex(/^[A-Za-z,]{1,200}$/))),
  severity: z.optional(z.string().check(z.regex(/^[CEUSID]{1,6}$/))),
});
const Events = z.object({
  events: z.array(EventRecord),
  /** Everything up to here was looked at: the `after` of the next call. */
  lastSeq: z.int(),
});
const LIMIT = 200;
/** Entries looked at for one answer; a filter that matches little is continued by the next call. */
const SCANNED_MAX = 5_000;

/** Route of `…/events`. */
export const eventRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    method: "GET",
    path: "/v1/clusters/:c/events",
    role: "viewer",
    summary: "Events, oldest first; without `after` the newest ones.",
    params: ClusterParams,
    query: EventsQuery,
    body: noBody,
    answer: json(Events),
    async handle({ params: { c }, query }) {
      const cluster = await findCluster(parts, c);
      if (!cluster.ok) return cluster;
      const limit = Math.floor(query.limit ?? LIMIT);
      const { lastSeq } = await parts.cp.events.range(c);
      const from = query.after ?? Math.max(0, lastSeq - SCANNED_MAX);
      const page = await parts.cp.events.after(c, from, SCANNED_MAX);
      const found = page.filter((event) => matches(event, query));
      if (query.after === undefined) {
        return ok({ events: found.slice(-limit), lastSeq: page.at(-1)?.seq ?? lastSeq });
      }
      const events = found.slice(0, limit);
      const last = events.length < found.length ? events.at(-1) : page.at(-1);
      return ok({ events, lastSeq: last?.seq ?? from });
    },
  }),
];

function matches(event: EventRecord, query: z.infer<typeof EventsQuery>): boolean {
  const { module, node, kind, severity } = query;
  return (
    (module === undefined || event.moduleId === module) &&
    (node === undefined || event.nodeId === node) &&
    (kind === undefined || kind.split(",").includes(event.kind)) &&
    (severity === undefined || severity.includes(event.severity))
  );
}
