/** The overview of one module: facts, picture, the same as a table, last failover. */
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import ProgressBar from "@cloudscape-design/components/progress-bar";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import type { ModuleView } from "#model/contract/snapshot.ts";
import { useCluster } from "../../shell/cluster-context.tsx";
import { bytesText } from "../../view/format.ts";
import { keyFacts } from "../../view/key-facts.ts";
import { INDICATOR_OF_TONE, resyncPercent } from "../../view/node-look.ts";
import { topologyOf } from "../../view/topology.ts";
import { FailoverSection } from "./failover-section.tsx";
import { NodesTable } from "./nodes-table.tsx";
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

const WAITS_FOR = {
  comparing: "comparing what both have",
  copying: "copying what differs",
  attaching: "attaching the live stream",
  recording: "the witness records it as in sync",
} as const;

/** At 100 % it says what is still waited for, rather than leave people guessing. */
function Resync({ module }: { readonly module: ModuleView }) {
  const target = module.nodes.find(
    ({ report, silent }) => !silent && report?.replication?.resync != null,
  );
  const resync = target?.report?.replication?.resync ?? null;
  if (target === undefined || resync === null) return null;
  const rate = resync.bytesPerSecond === 0 ? "" : `, ${bytesText(resync.bytesPerSecond)}/s`;
  return (
    <ProgressBar
      value={Math.floor(resyncPercent(resync) ?? 0)}
      label={`Resynchronisation of ${target.nodeId}`}
      description={`${resync.kind === "full" ? "Whole copy" : "Changes only"}: ${WAITS_FOR[resync.phase]}`}
      additionalInfo={`${bytesText(resync.doneBytes)} of ${bytesText(resync.totalBytes)}${rate}`}
    />
  );
}
