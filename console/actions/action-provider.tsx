/** Holds the action that is being asked about, and the problems of those that needed no dialog. */
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
} from "react";
import type { ApiProblem } from "../api/client.ts";
import { useCluster } from "../shell/cluster-context.tsx";
import { ActionDialog } from "./action-dialog.tsx";
import { type ActionAsk, type ActionPlan, planAction, requestOf } from "./action-plan.ts";
import { useAction } from "./use-action.ts";

interface Actions {
  /** Opens the dialog, or acts at once where nothing is to be asked. */
  readonly act: (ask: ActionAsk) => void;
  /** Of an action that needed no dialog. */
  readonly problem: ApiProblem | null;
  readonly forgetProblem: () => void;
}
interface Asked {
  readonly ask: ActionAsk;
  /** What the person saw when the dialog opened. */
  readonly seenEpoch: number | null;
}

const ActionContext = createContext<Actions | null>(null);

/** Actions of the cluster; only below an {@link ActionProvider}. */
export function useActions(): Actions {
  const actions = useContext(ActionContext);
  if (actions === null) throw new Error("outside of the actions");
  return actions;
}

/** Offers {@link useActions} to the pages below, and shows the dialog over them. */
export function ActionProvider({ children }: { readonly children: ReactNode }) {
  const { clusterId, state, nowMs, isStale } = useCluster();
  const { isSending, problem, send, forget } = useAction(clusterId);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [wanted, setWanted] = useState<ActionAsk | null>(null);
  const module = asked && state?.modules.find(({ id }) => id === asked.ask.moduleId);
  useEffect(() => {
    const found = state?.modules.find(({ id }) => id === wanted?.moduleId);
    if (wanted === null || found === undefined || state === null) return;
    setWanted(null);
    const seenEpoch = found.witness?.epoch ?? null;
    const plan = planAction(wanted, { module: found, ...state, nowMs });
    if (plan.level === "none" && plan.blocked === null) {
      void send(wanted.moduleId, requestOf(wanted, seenEpoch, null));
    } else {
      setAsked({ ask: wanted, seenEpoch });
    }
  }, [wanted, state, nowMs, send]);
  const act = useCallback(
    (ask: ActionAsk) => {
      forget();
      setWanted(ask);
    },
    [forget],
  );
  const close = () => {
    forget();
    setAsked(null);
  };
  const actions = useMemo(
    () => ({ act, problem: asked === null ? problem : null, forgetProblem: forget }),
    [act, asked, problem, forget],
  );
  return (
    <ActionContext value={actions}>
      {children}
      {asked !== null && module != null && state !== null && (
        <ActionDialog
          ask={asked.ask}
          plan={withChanges(
            planAction(asked.ask, { module, ...state, nowMs }),
            asked.seenEpoch,
            module.witness?.epoch ?? null,
            isStale,
          )}
          module={module}
          isSending={isSending}
          problem={problem}
          onClose={close}
          onSend={(dataFrom, forMs) => {
            const { ask, seenEpoch } = asked;
            void send(ask.moduleId, requestOf(ask, seenEpoch, dataFrom, forMs)).then(
              (isAccepted) => {
                if (isAccepted) setAsked(null);
              },
            );
          }}
        />
      )}
    </ActionContext>
  );
}

/** What the person read is no longer so: say it, and do nothing on the old word. */
function withChanges(
  plan: ActionPlan,
  seenEpoch: number | null,
  epoch: number | null,
  isStale: boolean,
): ActionPlan {
  if (isStale)
    return { ...plan, blocked: "The control plane is not heard; nothing can be asked for." };
  if (seenEpoch === epoch) return plan;
  const blocked = `Epoch ${epoch} has begun since you opened this: close it and look again.`;
  return { ...plan, blocked };
}
