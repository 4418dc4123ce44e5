import { useCallback, useEffect, useState } from "react";
import { FailoverPicture, type FailoverSummary } from "#model/contract/failover.ts";
import { type ApiProblem, modulePath } from "../../api/client.ts";
import { useSession } from "../../shell/session.tsx";

/** The picture of a failover; asked for anew when what is known of it changes. */
export function useFailover(clusterId: string, summary: FailoverSummary) {
  const { api } = useSession();
  const [picture, setPicture] = useState<FailoverPicture | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [attempt, setAttempt] = useState(0);
  const { id, module, serviceDownMs } = summary;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a retry and a new figure ask again
  useEffect(() => {
    let isGone = false;
    const path = `${modulePath(clusterId, module)}/failovers/${encodeURIComponent(id)}`;
    void api.get(path, FailoverPicture).then((answer) => {
      if (isGone) return;
      if (answer.ok) setPicture(answer.value);
      setProblem(answer.ok ? null : answer.error);
    });
    return () => {
      isGone = true;
    };
  }, [api, clusterId, module, id, serviceDownMs, attempt]);
  const retry = useCallback(() => setAttempt((count) => count + 1), []);
  return { picture, problem, retry };
}
