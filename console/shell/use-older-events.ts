import { useState } from "react";
import * as z from "zod/mini";
import { EventRecord } from "#model/contract/events.ts";
import { clusterPath } from "../api/client.ts";
import { useCluster } from "./cluster-context.tsx";
import { useSession } from "./session.tsx";

const PAGE = 200;
/** Rows in one page of the browser; who wants more has the command line. */
const OLDER_MAX = 2_000;
const Page = z.object({ events: z.array(EventRecord), lastSeq: z.int() });

/** Events from before those that the feed holds, a page at a time. */
export function useOlderEvents() {
  const { api } = useSession();
  const { clusterId, state } = useCluster();
  const [events, setEvents] = useState<readonly EventRecord[]>([]);
  const [isLoading, setIsLoading] = useState(false);
  const [isExhausted, setIsExhausted] = useState(false);
  const firstSeq = events[0]?.seq ?? state?.events[0]?.seq ?? 1;
  const load = () => {
    setIsLoading(true);
    const after = Math.max(0, firstSeq - 1 - PAGE);
    const path = `${clusterPath(clusterId)}/events?after=${after}&limit=${PAGE}`;
    void api.get(path, Page).then((answer) => {
      setIsLoading(false);
      if (!answer.ok) return;
      const before = answer.value.events.filter(({ seq }) => seq < firstSeq);
      // The log keeps a bounded number: before those there is nothing, whatever the numbers say.
      if (before.length === 0) setIsExhausted(true);
      setEvents((was) => [...before, ...was].slice(0, OLDER_MAX));
    });
  };
  const isComplete = firstSeq <= 1 || isExhausted || events.length >= OLDER_MAX;
  // The feed drops its oldest when it is full; what was loaded must still fit in front of it.
  const feedFirst = state?.events[0]?.seq ?? Number.POSITIVE_INFINITY;
  return { events: events.filter(({ seq }) => seq < feedFirst), isLoading, isComplete, load };
}
