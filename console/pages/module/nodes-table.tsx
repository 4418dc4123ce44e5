import Box from "@cloudscape-design/components/box";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import type { ModuleOnNode, ModuleView } from "#model/contract/snapshot.ts";
import { Age, Lasting, NodeStateBadge } from "../../shell/badges.tsx";
import { useCluster } from "../../shell/cluster-context.tsx";
import { listText } from "../../view/format.ts";

const COLUMNS: readonly TableProps.ColumnDefinition<ModuleOnNode>[] = [
  { id: "node", header: "Node", isRowHeader: true, cell: ({ nodeId }) => nodeId },
  {
    id: "state",
    header: "State",
    cell: (node) => (
      <>
        <NodeStateBadge node={node} />
        {node.report !== null && (
          <Box variant="small" display="block">
            <Lasting sinceMs={node.report.sinceMs} />
          </Box>
        )}
      </>
    ),
  },
  {
    id: "why",
    header: "Why",
    minWidth: 160,
    cell: ({ report }) => <span className="any-text">{report?.why || "–"}</span>,
  },
  {
    id: "quorum",
    header: "What it knows",
    minWidth: 150,
    cell: ({ report }) => {
      if (report === null || report.quorum === null) return "–";
      const { epoch, inSync, outdated } = report.quorum;
      const set = `in sync: ${listText(inSync) || "nobody"}`;
      return `epoch ${epoch}, ${set}${outdated ? ", outdated" : ""}`;
    },
  },
  { id: "address", header: "Address", cell: (node) => <Addresses node={node} /> },
  { id: "resources", header: "Checkers", minWidth: 140, cell: (node) => <Checkers node={node} /> },
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

function Addresses({ node: { report, silent } }: { readonly node: ModuleOnNode }) {
  const here = (report?.vips ?? []).filter((vip) => vip.present);
  const text = here.map((vip) => `${vip.address} (${vip.interface ?? "?"})`).join(", ");
  if (text === "") return "–";
  return silent ? `was ${text}` : text;
}

/** What a silent node saw last says nothing about now, so it is never shown in green. */
function Checkers({ node: { report, silent } }: { readonly node: ModuleOnNode }) {
  const { isStale } = useCluster();
  const isOld = silent || isStale;
  return (report?.resources ?? []).map(({ name, value, text }) => (
    <div key={name} title={text}>
      <StatusIndicator type={isOld ? "pending" : RESOURCE_TYPE[value]} wrapText>
        <span className="any-text">{`${name} ${isOld ? "was " : ""}${value}`}</span>
      </StatusIndicator>
    </div>
  ));
}

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
