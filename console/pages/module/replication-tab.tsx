/** Replication of one module, node by node: the stream, its traffic, how long callers waited. */
import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import type { ModuleView } from "#model/contract/snapshot.ts";
import { useCluster } from "../../shell/cluster-context.tsx";
import { INDICATOR_OF_TONE } from "../../view/node-look.ts";
import { type ReplicationEntry, replicationOf } from "../../view/replication-view.ts";
import { Resync } from "./resync-progress.tsx";

/** The tab `replication`. */
export function ReplicationTab({ module }: { readonly module: ModuleView }) {
  const { isStale, nowMs } = useCluster();
  const entries = replicationOf(module, nowMs);
  if (isStale || entries.length === 0) {
    return <Box padding="l">No node tells anything about its replication now.</Box>;
  }
  return (
    <SpaceBetween size="l">
      <Resync module={module} />
      {entries.map((entry) => (
        <OnNode key={entry.nodeId} entry={entry} />
      ))}
    </SpaceBetween>
  );
}

function OnNode({ entry }: { readonly entry: ReplicationEntry }) {
  return (
    <Container header={<Header variant="h2">{entry.nodeId}</Header>}>
      <SpaceBetween size="l">
        <KeyValuePairs
          columns={4}
          minColumnWidth={150}
          items={[
            {
              label: "Live stream",
              value: (
                <StatusIndicator type={INDICATOR_OF_TONE[entry.stream.tone]} wrapText>
                  {entry.stream.text}
                </StatusIndicator>
              ),
            },
            ...entry.facts.map(({ label, text }) => ({
              label,
              value: <span className="any-text">{text}</span>,
            })),
          ]}
        />
        {entry.waits.length > 0 && (
          <Table
            variant="embedded"
            header={
              <Header variant="h3" description="Since the report before, in powers of two.">
                How long callers waited for the other node
              </Header>
            }
            items={[...entry.waits]}
            columnDefinitions={[
              { id: "wait", header: "Waited", cell: ({ label }) => label },
              { id: "count", header: "Operations", cell: ({ count }) => count },
              {
                id: "share",
                header: "Share",
                cell: ({ share }) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`,
              },
            ]}
          />
        )}
      </SpaceBetween>
    </Container>
  );
}
