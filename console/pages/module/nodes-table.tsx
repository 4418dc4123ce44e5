import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import type { ModuleOnNode, ModuleView } from "#model/contract/snapshot.ts";
import { Age, NodeStateBadge } from "../../shell/badges.tsx";
import { listText } from "../../view/format.ts";

const COLUMNS: readonly TableProps.ColumnDefinition<ModuleOnNode>[] = [
  { id: "node", header: "Node", isRowHeader: true, cell: ({ nodeId }) => nodeId },
  { id: "state", header: "State", cell: (node) => <NodeStateBadge node={node} /> },
  {
    id: "why",
    header: "Why",
    minWidth: 200,
    cell: ({ report }) => <span className="any-text">{report?.why || "–"}</span>,
  },
  {
    id: "since",
    header: "Since",
    cell: ({ report }) => (report === null ? "–" : <Age atMs={report.sinceMs} />),
  },
  { id: "epoch", header: "Epoch", cell: ({ report }) => report?.quorum?.epoch ?? "–" },
  {
    id: "inSync",
    header: "In-sync set it knows",
    cell: ({ report }) => listText(report?.quorum?.inSync ?? []) || "–",
  },
  {
    id: "address",
    header: "Address",
    cell: ({ report }) => {
      const here = (report?.vips ?? []).filter((vip) => vip.present);
      return here.map((vip) => `${vip.address} (${vip.interface ?? "?"})`).join(", ") || "–";
    },
  },
  {
    id: "resources",
    header: "Checkers",
    minWidth: 140,
    cell: ({ report }) =>
      (report?.resources ?? []).map((resource) => (
        <div key={resource.name} title={resource.text}>
          <StatusIndicator type={RESOURCE_TYPE[resource.value]}>
            {resource.name} {resource.value}
          </StatusIndicator>
        </div>
      )),
  },
  {
    id: "report",
    header: "Last report",
    cell: ({ receivedAtMs }) => (receivedAtMs === null ? "none" : <Age atMs={receivedAtMs} />),
  },
];

const RESOURCE_TYPE = {
  up: "success",
  down: "error",
  init: "pending",
  unknown: "pending",
} as const;

/** The same as the picture, and more, for every node. */
export function NodesTable({ module }: { readonly module: ModuleView }) {
  const warnings = module.nodes.flatMap(({ nodeId, report }) =>
    (report?.warnings ?? []).map((text) => `${nodeId}: ${text}`),
  );
  return (
    <Table
      items={module.nodes}
      trackBy="nodeId"
      columnDefinitions={COLUMNS}
      wrapLines
      enableKeyboardNavigation
      ariaLabels={{ tableLabel: `${module.id} on its nodes` }}
      header={<Header variant="h2">On the nodes</Header>}
      footer={
        warnings.length === 0 ? undefined : (
          <SpaceBetween size="xxs">
            {warnings.map((text) => (
              <StatusIndicator key={text} type="warning" wrapText>
                {text}
              </StatusIndicator>
            ))}
          </SpaceBetween>
        )
      }
    />
  );
}
