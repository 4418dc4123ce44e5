import { useEffect, useState } from "react";
import { type ClusterSummary, Clusters } from "#model/contract/snapshot.ts";
import type { ApiProblem } from "../../api/client.ts";
import { useSession } from "../../shell/session.tsx";

const EVERY_MS = 5_000;

/** All clusters, asked for again and again while the page is shown. */
export function useClusters(): {
  /** Null before the first answer. */
  readonly clusters: readonly ClusterSummary[] | null;
  /** Of the last try; what was known before stays. */
  readonly problem: ApiProblem | null;
} {
  const { api } = useSession();
  const [clusters, setClusters] = useState<readonly ClusterSummary[] | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  useEffect(() => {
    let isGone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async () => {
      const answer = await api.get("/v1/clusters", Clusters);
      if (isGone) return;
      if (answer.ok) setClusters(answer.value.clusters);
      setProblem(answer.ok ? null : answer.error);
      timer = setTimeout(() => void ask(), EVERY_MS);
    };
    void ask();
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [api]);
  return { clusters, problem };
}
