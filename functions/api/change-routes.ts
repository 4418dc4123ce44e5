/**
 * How a cluster changes: as a poll and as a stream of the same records. Both read from the log and
 * from the view at their own pace, so nothing is queued per reader: a slow one gets the newest
 * state later, and the events it missed are still in the log, or it gets a fresh snapshot.
 */
import { failure } from "#model/contract/errors.ts";
import { Changes, ChangesQuery } from "#model/contract/snapshot.ts";
import { err, ok } from "#model/shared/result.ts";
import { revisionOf } from "../clusters/live-views.ts";
import { type ApiParts, ClusterParams, findCluster } from "./api-parts.ts";
import { clusterStream, isResumable } from "./cluster-stream.ts";
import { json, noBody, type Route, raw, route } from "./route.ts";

/** Events in one answer of a poll; the next one continues. */
const EVENTS_PER_POLL_MAX = 500;
/** Open streams of one cluster. */
export const STREAMS_MAX = 100;

/** Routes of `…/changes` and `…/stream`. */
export function changeRoutes(parts: ApiParts): readonly Route[] {
  const openStreams = new Map<string, number>();
  return [changesRoute(parts), streamRoute(parts, openStreams)];
}

const changesRoute = (parts: ApiParts): Route =>
  route({
    method: "GET",
    path: "/v1/clusters/:c/changes",
    role: "viewer",
    summary:
      "Events after a number and parts after a revision; a snapshot when that is too long ago.",
    params: ClusterParams,
    query: ChangesQuery,
    body: noBody,
    answer: json(Changes),
    async handle({ params: { c }, query }) {
      const { live, cp } = parts;
      const head = { storeId: cp.storeId, serverTimeMs: cp.clock.nowMs() };
      const range = await cp.events.range(c);
      if (query.after === undefined || !isResumable(query.after, range)) {
        const snapshot = await live.snapshot(c);
        if (snapshot === null) return err(failure("notFound", `there is no cluster ${c}`));
        const { lastSeq, revision } = snapshot;
        return ok({ ...head, lastSeq, revision, snapshot, events: [], changes: [] });
      }
      const events = await cp.events.after(c, query.after, EVENTS_PER_POLL_MAX);
      const changes = await live.changes(c, query.revision ?? 0);
      if (changes === null) return err(failure("notFound", `there is no cluster ${c}`));
      return ok({
        ...head,
        lastSeq: events.at(-1)?.seq ?? query.after,
        revision: revisionOf(changes, query.revision ?? 0),
        snapshot: null,
        events: [...events],
        changes: [...changes],
      });
    },
  });

const streamRoute = (parts: ApiParts, openStreams: Map<string, number>): Route =>
  route({
    method: "GET",
    path: "/v1/clusters/:c/stream",
    role: "viewer",
    summary: "Server-sent events: snapshot, then event and change; resumes after Last-Event-ID.",
    params: ClusterParams,
    query: ChangesQuery,
    body: noBody,
    answer: raw("text/event-stream", { "cache-control": "no-store", "x-accel-buffering": "no" }),
    async handle({ params: { c }, query, header, signal, caller }) {
      const cluster = await findCluster(parts, c);
      if (!cluster.ok) return cluster;
      const open = openStreams.get(c) ?? 0;
      if (open >= STREAMS_MAX) {
        return err(failure("tooMany", "too many watch this cluster", "close some pages"));
      }
      openStreams.set(c, open + 1);
      const lastEventId = Number.parseInt(header("last-event-id") ?? "", 10);
      return ok(
        clusterStream(parts, {
          clusterId: c,
          after: Number.isSafeInteger(lastEventId) ? lastEventId : query.after,
          signal,
          isStillAllowed: async () =>
            caller.kind === "person" &&
            (await parts.people.list()).some((person) => person.id === caller.id),
          onEnd: () => openStreams.set(c, (openStreams.get(c) ?? 1) - 1),
        }),
      );
    },
  });
