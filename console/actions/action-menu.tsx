import ButtonDropdown, {
  type ButtonDropdownProps,
} from "@cloudscape-design/components/button-dropdown";
import type { ModuleView } from "#model/contract/snapshot.ts";
import { useCluster } from "../shell/cluster-context.tsx";
import { useForbidden } from "./action-button.tsx";
import { type ActionAsk, planAction } from "./action-plan.ts";
import { useActions } from "./action-provider.tsx";

type Kind = ActionAsk["kind"];

/** Everything that can be asked of a module; what cannot be now says why. */
export function ActionMenu({ module }: { readonly module: ModuleView }) {
  const { act } = useActions();
  const { state, nowMs } = useCluster();
  const forbidden = useForbidden();
  const nodes = module.configuration.nodes;
  const item = (text: string, kind: Kind, node: string | null): ButtonDropdownProps.Item => {
    const ask = { moduleId: module.id, kind, node };
    const plan = planAction(ask, {
      module,
      operations: state?.operations ?? [],
      nowMs,
    });
    const reason = forbidden(kind) ?? plan.blocked;
    return {
      id: `${kind}/${node ?? ""}`,
      text,
      ...(reason === null ? {} : { disabled: true, disabledReason: reason }),
    };
  };
  const items: ButtonDropdownProps.ItemOrGroup[] = [
    item("Start", "start", null),
    item("Stop…", "stop", null),
    item("Restart…", "restart", null),
    item("Switch over…", "switchover", null),
    item("Begin maintenance…", "maintenance-on", null),
    item("End maintenance…", "maintenance-off", null),
    ...nodes.map((node) => ({
      text: `Only on ${node}`,
      items: [
        item(`Start on ${node}`, "start", node),
        item(`Stop on ${node}…`, "stop", node),
        item(`Restart on ${node}…`, "restart", node),
      ],
    })),
    ...(module.configuration.mode === "mirror"
      ? [
          {
            text: "Danger",
            items: nodes.map((node) => item(`Force ${node} primary…`, "force-primary", node)),
          },
        ]
      : []),
  ];
  return (
    <ButtonDropdown
      items={items}
      onItemClick={({ detail }) => {
        const [kind = "", node = ""] = detail.id.split("/");
        const known = KINDS.find((one) => one === kind);
        if (known === undefined) return;
        act({ moduleId: module.id, kind: known, node: node === "" ? null : node });
      }}
    >
      Actions
    </ButtonDropdown>
  );
}

const KINDS = [
  ...(["start", "stop", "restart", "switchover", "force-primary"] as const),
  ...(["maintenance-on", "maintenance-off"] as const),
] as const;
