import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { TableProps } from "@cloudscape-design/components/table";
import type { NodeView } from "#model/contract/snapshot.ts";
import { Age } from "../../shell/badges.tsx";
import { useCluster } from "../../shell/cluster-context.tsx";
import { momentText } from "../../view/format.ts";
import { certificateText, linkText } from "../../view/node-facts.ts";

/** Columns of the table of nodes. */
export const NODE_COLUMNS: readonly TableProps.ColumnDefinition<NodeView>[] = [
  { id: "name", header: "Node", isRowHeader: true, cell: ({ id }) => id },
  { id: "status", header: "Status", minWidth: 150, cell: (node) => <NodeStatus node={node} /> },
  {
    id: "addresses",
    header: "Addresses",
    cell: ({ addresses }) =>
      Object.entries(addresses).map(([network, address]) => (
        <div key={network}>
          {address} ({network})
        </div>
      )),
  },
  {
    id: "links",
    header: "Heartbeats",
    minWidth: 180,
    cell: ({ links }) =>
      links.length === 0
        ? "–"
        : links.map((link) => (
            <div key={`${link.peer}/${link.network}`}>
              <StatusIndicator type={link.up ? "success" : "error"} wrapText>
                <span className="any-text">{linkText(link)}</span>
              </StatusIndicator>
            </div>
          )),
  },
  { id: "modules", header: "Modules", cell: ({ id }) => <ModulesOn nodeId={id} /> },
  {
    id: "clock",
    header: "Clock",
    cell: ({ clockOffsetMs }) => (clockOffsetMs === null ? "–" : `${clockOffsetMs} ms`),
  },
  { id: "version", header: "Agent", cell: ({ agentVersion }) => agentVersion ?? "–" },
  { id: "certificate", header: "Certificate", cell: (node) => <Certificate node={node} /> },
];

function NodeStatus({ node }: { readonly node: NodeView }) {
  const { isStale } = useCluster();
  const { enrolled, silent, lastReportAtMs } = node;
  if (!enrolled) return <Pending text="has not joined yet" />;
  if (lastReportAtMs === null) {
    return <Pending text="joined, no report yet" />;
  }
  if (isStale) {
    return <Pending text="unknown" />;
  }
  return (
    <StatusIndicator type={silent ? "error" : "success"} wrapText>
      <span className="any-text">
        {silent ? "silent, last report " : "reports, last "}
        <Age atMs={lastReportAtMs} />
      </span>
    </StatusIndicator>
  );
}

function Pending({ text }: { readonly text: string }) {
  return (
    <StatusIndicator type="pending" wrapText>
      <span className="any-text">{text}</span>
    </StatusIndicator>
  );
}

function ModulesOn({ nodeId }: { readonly nodeId: string }) {
  const { state } = useCluster();
  const on = (state?.modules ?? []).filter(({ configuration }) =>
    configuration.nodes.includes(nodeId),
  );
  return on.length === 0 ? "none" : on.map(({ id }) => id).join(", ");
}

function Certificate({ node }: { readonly node: NodeView }) {
  const { nowMs } = useCluster();
  const { certificateEndsAtMs } = node;
  if (certificateEndsAtMs === null) return "–";
  return (
    <time
      dateTime={new Date(certificateEndsAtMs).toISOString()}
      title={momentText(certificateEndsAtMs)}
    >
      {certificateText(certificateEndsAtMs, nowMs)}
    </time>
  );
}
