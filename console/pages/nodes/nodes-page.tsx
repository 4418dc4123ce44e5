/** The machines of the cluster. */
import Box from "@cloudscape-design/components/box";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { useCluster } from "../../shell/cluster-context.tsx";
import { usePage } from "../../shell/use-page.ts";
import { NODE_COLUMNS } from "./node-columns.tsx";

/** The route `/c/:cluster/nodes`. */
export function NodesPage() {
  const { clusterId, state } = useCluster();
  usePage(`Nodes · ${clusterId}`);
  const nodes = state?.nodes ?? [];
  const warnings = nodes.flatMap((node) => node.warnings.map((text) => `${node.id}: ${text}`));
  return (
    <ContentLayout header={<Header variant="h1">Nodes</Header>}>
      <Table
        items={nodes}
        trackBy="id"
        loading={state === null}
        loadingText="Asking the control plane"
        columnDefinitions={NODE_COLUMNS}
        wrapLines
        enableKeyboardNavigation
        ariaLabels={{ tableLabel: "Nodes" }}
        header={
          <Header variant="h2" counter={`(${nodes.length})`}>
            Machines of {clusterId}
          </Header>
        }
        footer={
          warnings.length === 0 ? undefined : (
            <SpaceBetween size="xxs">
              {warnings.map((text) => (
                <StatusIndicator key={text} type="warning" wrapText>
                  <span className="any-text">{text}</span>
                </StatusIndicator>
              ))}
            </SpaceBetween>
          )
        }
        empty={
          <Box textAlign="center" padding="m">
            <b>No nodes</b>
            <Box variant="p" color="text-body-secondary">
              A node is a machine that runs the agent. Make a token for it:
            </Box>
            <Box variant="code">mirrorfarm token create node1 --address default=10.0.0.11</Box>
          </Box>
        }
      />
    </ContentLayout>
  );
}
