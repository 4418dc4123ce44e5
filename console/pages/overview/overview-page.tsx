/** One cluster: is everything up, is it protected, and if not, why and what to do. */
import Box from "@cloudscape-design/components/box";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import type { ReactNode } from "react";
import type { ModuleView } from "#model/contract/snapshot.ts";
import { ActionButton } from "../../actions/action-button.tsx";
import { describeProblem } from "../../api/client.ts";
import type { ClusterState } from "../../api/cluster-state.ts";
import { Age, HealthBadge, Lasting, MaintenanceBadge } from "../../shell/badges.tsx";
import { useCluster } from "../../shell/cluster-context.tsx";
import { EventsTable } from "../../shell/events-table.tsx";
import { modulePage } from "../../shell/paths.ts";
import { RouteLink } from "../../shell/route-link.tsx";
import { usePage } from "../../shell/use-page.ts";
import {
  adviceFor,
  byUrgency,
  clusterNumbers,
  needsAttention,
  suggestedAction,
} from "../../view/attention.ts";
import { downText, failoverName } from "../../view/failover-drawing.ts";
import { durationText } from "../../view/format.ts";
import { ModuleMatrix } from "./module-matrix.tsx";

const EVENTS_SHOWN = 10;

/** The route `/c/:cluster`. */
export function OverviewPage() {
  const { clusterId, state, link } = useCluster();
  const attention = (state?.modules ?? []).filter(needsAttention);
  usePage(`${attention.length === 0 ? "" : `(${attention.length}) `}${clusterId}`);
  return (
    <ContentLayout header={<Header variant="h1">{clusterId}</Header>}>
      {state === null ? (
        <Box padding="l">
          <Spinner />{" "}
          {link.problem === null ? "Asking the control plane…" : describeProblem(link.problem)}
        </Box>
      ) : (
        <Overview state={state} attention={attention} />
      )}
    </ContentLayout>
  );
}

function Overview({
  state,
  attention,
}: {
  readonly state: ClusterState;
  readonly attention: readonly ModuleView[];
}) {
  return (
    <SpaceBetween size="l">
      <Numbers state={state} />
      {attention.length > 0 && <Attention modules={attention} />}
      <ModuleMatrix state={state} />
      <LastFailover modules={state.modules} />
      <EventsTable
        events={state.events.slice(-EVENTS_SHOWN)}
        header={
          <Header
            variant="h2"
            actions={<RouteLink href={`/c/${state.clusterId}/events`}>All events</RouteLink>}
          >
            Last events
          </Header>
        }
      />
    </SpaceBetween>
  );
}

function Numbers({ state }: { readonly state: ClusterState }) {
  const { isStale } = useCluster();
  const numbers = clusterNumbers(state.modules, state.nodes);
  return (
    <Container header={<Header variant="h2">{isStale ? "As it was" : "Now"}</Header>}>
      <ColumnLayout columns={4} variant="text-grid" minColumnWidth={130}>
        <Figure label="Modules protected">
          {`${numbers.protectedModules} of ${numbers.modules}`}
        </Figure>
        <Figure label="Need attention">{`${numbers.attention}`}</Figure>
        <Figure label="Nodes that report">{`${numbers.nodesOnline} of ${numbers.nodes}`}</Figure>
        <Figure label="Slowest replication">
          {numbers.lagMs === null ? "–" : durationText(numbers.lagMs)}
        </Figure>
      </ColumnLayout>
    </Container>
  );
}

function Figure({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <div className="figures">
      <Box variant="awsui-key-label">{label}</Box>
      <Box variant="awsui-value-large">{children}</Box>
    </div>
  );
}

function Attention({ modules }: { readonly modules: readonly ModuleView[] }) {
  const { clusterId, isStale } = useCluster();
  return (
    <Container header={<Header variant="h2">Needs attention</Header>}>
      <SpaceBetween size="l">
        {[...modules].sort(byUrgency).map((module) => {
          const action = suggestedAction(module);
          return (
            <SpaceBetween key={module.id} size="xxs">
              <SpaceBetween direction="horizontal" size="s" alignItems="center">
                <RouteLink href={modulePage(clusterId, module.id)} fontSize="heading-s">
                  {module.id}
                </RouteLink>
                <HealthBadge health={module.health} isStale={isStale} />
                <MaintenanceBadge module={module} />
                <Box variant="small">
                  <Lasting sinceMs={module.sinceMs} />
                </Box>
              </SpaceBetween>
              <span className="any-text">
                {module.why} {adviceFor(module)}
              </span>
              {action !== null && (
                <ActionButton ask={{ moduleId: module.id, kind: action.kind, node: action.node }}>
                  {action.label}
                </ActionButton>
              )}
            </SpaceBetween>
          );
        })}
      </SpaceBetween>
    </Container>
  );
}

function LastFailover({ modules }: { readonly modules: readonly ModuleView[] }) {
  const { clusterId } = useCluster();
  const [last] = modules
    .flatMap(({ lastFailover }) => (lastFailover === null ? [] : [lastFailover]))
    .sort((a, b) => b.startedAtMs - a.startedAtMs);
  if (last === undefined) return null;
  return (
    <Container header={<Header variant="h2">Last failover</Header>}>
      <RouteLink href={modulePage(clusterId, last.module)}>{last.module}</RouteLink>:{" "}
      {failoverName(last)}, {downText(last.serviceDownMs)}, <Age atMs={last.startedAtMs} />.
    </Container>
  );
}
