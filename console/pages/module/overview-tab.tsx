/** The overview of one module: facts, picture, the same as a table, last failover. */
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { ModuleView } from "#model/contract/snapshot.ts";
import { useCluster } from "../../shell/cluster-context.tsx";
import { keyFacts } from "../../view/key-facts.ts";
import { INDICATOR_OF_TONE } from "../../view/node-look.ts";
import { topologyOf } from "../../view/topology.ts";
import { FailoverSection } from "./failover-section.tsx";
import { NodesTable } from "./nodes-table.tsx";
import { Resync } from "./resync-progress.tsx";
import { TopologyPicture } from "./topology-picture.tsx";

/** The tab `overview`. */
export function OverviewTab({ module }: { readonly module: ModuleView }) {
  const { isStale } = useCluster();
  const topology = topologyOf(module, isStale);
  return (
    <SpaceBetween size="l">
      <Container header={<Header variant="h2">{isStale ? "As it was" : "Now"}</Header>}>
        <SpaceBetween size="l">
          <KeyValuePairs
            columns={4}
            minColumnWidth={150}
            items={keyFacts(module).map(({ label, text, tone }) => ({
              label,
              value:
                tone === undefined ? (
                  <span className="any-text">{text}</span>
                ) : (
                  <StatusIndicator type={INDICATOR_OF_TONE[isStale ? "pending" : tone]} wrapText>
                    <span className="any-text">{text}</span>
                  </StatusIndicator>
                ),
            }))}
          />
          {!isStale && <Resync module={module} />}
          <TopologyPicture topology={topology} />
        </SpaceBetween>
      </Container>
      <NodesTable module={module} />
      {module.lastFailover !== null && <FailoverSection summary={module.lastFailover} />}
    </SpaceBetween>
  );
}
