/** The cluster that a page is about: its state, how fresh that is, and the control plane's clock. */
import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useSyncExternalStore,
} from "react";
import { browserPorts } from "../api/browser-ports.ts";
import { ClusterFeed } from "../api/cluster-feed.ts";
import type { ClusterState } from "../api/cluster-state.ts";
import type { FeedLink } from "../api/liveness.ts";
import { type Liveness, livenessOf } from "../api/liveness.ts";
import { clockText } from "../view/format.ts";
import { useSession } from "./session.tsx";
import { useNow } from "./use-now.ts";

export interface ClusterContextValue {
  readonly clusterId: string;
  /** Null before the first answer. */
  readonly state: ClusterState | null;
  readonly link: FeedLink;
  readonly liveness: Liveness;
  /** Nothing was heard for too long: what is shown is how it was. */
  readonly isStale: boolean;
  /** On the control plane's clock, once a second. */
  readonly nowMs: number;
}

const ClusterContext = createContext<ClusterContextValue | null>(null);

/** The cluster of the page; only below a {@link ClusterProvider}. */
export function useCluster(): ClusterContextValue {
  const value = useContext(ClusterContext);
  if (value === null) throw new Error("outside of a cluster");
  return value;
}

/** Follows one cluster for as long as it is shown. */
export function ClusterProvider({
  clusterId,
  children,
}: {
  readonly clusterId: string;
  readonly children: ReactNode;
}) {
  const { api } = useSession();
  const feed = useMemo(() => new ClusterFeed(clusterId, browserPorts(api)), [clusterId, api]);
  useEffect(() => {
    const end = new AbortController();
    void feed.run(end.signal);
    return () => end.abort();
  }, [feed]);
  const { state, link } = useSyncExternalStore(feed.subscribe, feed.view);
  const browserNowMs = useNow();
  const liveness = livenessOf(link, Math.max(browserNowMs, link.heardAtMs ?? 0), clockText);
  const value = {
    clusterId,
    state,
    link,
    liveness,
    isStale: liveness.kind === "stale",
    nowMs: browserNowMs + (state?.clockOffsetMs ?? 0),
  };
  return <ClusterContext value={value}>{children}</ClusterContext>;
}
