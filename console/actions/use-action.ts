/**
 * The one way by which the console changes anything. It sends what was asked for together with the
 * epoch that the person saw and a key of its own, and shows nothing as done: the operation comes
 * back through the cluster's stream, as it does for everyone else who looks.
 */
import { useCallback, useState } from "react";
import type { CommandRequest } from "#model/contract/commands.ts";
import type { ApiProblem } from "../api/client.ts";
import { useSession } from "../shell/session.tsx";

export interface Sending {
  readonly isSending: boolean;
  /** Why the last one was refused. */
  readonly problem: ApiProblem | null;
  /** Resolves to true once it is accepted. */
  readonly send: (moduleId: string, request: CommandRequest) => Promise<boolean>;
  readonly forget: () => void;
}

/** Sends commands for one cluster. */
export function useAction(clusterId: string): Sending {
  const { api } = useSession();
  const [isSending, setIsSending] = useState(false);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const send = useCallback(
    async (moduleId: string, request: CommandRequest) => {
      setIsSending(true);
      setProblem(null);
      const key = newKey();
      let answer = await api.command(clusterId, moduleId, request, key);
      // Whether it arrived is not known; the same key again cannot start it twice.
      if (!answer.ok && answer.error.kind === "unreachable") {
        answer = await api.command(clusterId, moduleId, request, key);
      }
      setIsSending(false);
      if (!answer.ok) setProblem(answer.error);
      return answer.ok;
    },
    [api, clusterId],
  );
  const forget = useCallback(() => setProblem(null), []);
  return { isSending, problem, send, forget };
}

/** 128 random bits. `crypto.randomUUID` is missing where the page came over plain HTTP. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `console-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
