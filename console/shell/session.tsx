/** Who is looking, and what they may do: asked once, and asked again until someone answers. */
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { Me } from "#model/contract/snapshot.ts";
import { ApiClient, type ApiProblem } from "../api/client.ts";

export interface Session {
  readonly api: ApiClient;
  readonly me: Me;
}

const api = new ApiClient((path, init) => window.fetch(path, init));
const SessionContext = createContext<Session | null>(null);
const RETRY_MS = 2_000;

/** The session; only below a {@link SessionGate}. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error("outside of the session gate");
  return session;
}

/** Shows its children once it is known who looks; else what stands in the way. */
export function SessionGate({
  children,
  waiting,
}: {
  readonly children: ReactNode;
  readonly waiting: (problem: ApiProblem | null) => ReactNode;
}) {
  const [me, setMe] = useState<Me | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isGone = false;
    const ask = async () => {
      const answer = await api.get("/v1/me", Me);
      if (isGone) return;
      if (answer.ok) return setMe(answer.value);
      setProblem(answer.error);
      timer = setTimeout(() => void ask(), RETRY_MS);
    };
    void ask();
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, []);
  if (me === null) return waiting(problem);
  return <SessionContext value={{ api, me }}>{children}</SessionContext>;
}
