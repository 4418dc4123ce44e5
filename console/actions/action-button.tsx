import Button, { type ButtonProps } from "@cloudscape-design/components/button";
import { ROLE_OF_COMMAND } from "#model/contract/commands.ts";
import { useCluster } from "../shell/cluster-context.tsx";
import { useSession } from "../shell/session.tsx";
import type { ActionAsk } from "./action-plan.ts";
import { useActions } from "./action-provider.tsx";

/** Why the person who looks may not ask for it now; null when they may. */
export function useForbidden(): (kind: ActionAsk["kind"]) => string | null {
  const { me } = useSession();
  const { isStale } = useCluster();
  return (kind) => {
    const role = ROLE_OF_COMMAND[kind];
    if (!me.can.includes(role === "admin" ? "force" : "command")) {
      return `This needs the role ${role}; yours is ${me.role}.`;
    }
    return isStale ? "The control plane is not heard." : null;
  };
}

/** A button for one action. Who may not press it sees it anyway, and why. */
export function ActionButton({
  ask,
  children,
  variant = "normal",
}: {
  readonly ask: ActionAsk;
  readonly children: string;
  readonly variant?: ButtonProps.Variant;
}) {
  const { act } = useActions();
  const forbidden = useForbidden()(ask.kind);
  return (
    <Button
      variant={variant}
      disabled={forbidden !== null}
      {...(forbidden === null ? {} : { disabledReason: forbidden })}
      onClick={() => act(ask)}
    >
      {children}
    </Button>
  );
}
