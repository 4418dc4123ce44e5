/** One module: its header with the sentence that says why, and its tabs. */
import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import Tabs from "@cloudscape-design/components/tabs";
import { useParams, useSearchParams } from "react-router";
import type { ModuleView } from "#model/contract/snapshot.ts";
import { ActionButton } from "../../actions/action-button.tsx";
import { ActionMenu } from "../../actions/action-menu.tsx";
import { describeProblem } from "../../api/client.ts";
import { HealthBadge, Lasting, MaintenanceBadge } from "../../shell/badges.tsx";
import { useCluster } from "../../shell/cluster-context.tsx";
import { EventLog } from "../../shell/event-log.tsx";
import { RouteLink } from "../../shell/route-link.tsx";
import { usePage } from "../../shell/use-page.ts";
import { adviceFor, suggestedAction } from "../../view/attention.ts";
import { OverviewTab } from "./overview-tab.tsx";
import { ReplicationTab } from "./replication-tab.tsx";

/** As the address bar names them. */
const TABS = ["overview", "replication", "events"] as const;

/** The route `/c/:cluster/modules/:module`. */
export function ModulePage() {
  const { module: moduleId = "" } = useParams();
  const { clusterId, state, link } = useCluster();
  const module = state?.modules.find(({ id }) => id === moduleId) ?? null;
  usePage(module === null ? moduleId : `${moduleId} · ${module.health}`);
  if (module !== null) return <Module key={moduleId} module={module} />;
  return (
    <ContentLayout header={<Header variant="h1">{moduleId}</Header>}>
      {state === null ? (
        <Box padding="l">
          <Spinner />{" "}
          {link.problem === null ? "Asking the control plane…" : describeProblem(link.problem)}
        </Box>
      ) : (
        <Alert type="info" header="There is no such module">
          It may have been removed.{" "}
          <RouteLink href={`/c/${clusterId}`}>All modules of {clusterId}</RouteLink>
        </Alert>
      )}
    </ContentLayout>
  );
}

function Module({ module }: { readonly module: ModuleView }) {
  const { isStale } = useCluster();
  const [search, setSearch] = useSearchParams();
  const action = suggestedAction(module);
  const advice = adviceFor(module);
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <ActionMenu module={module} />
              {action !== null && (
                <ActionButton
                  variant="primary"
                  ask={{ moduleId: module.id, kind: action.kind, node: action.node }}
                >
                  {action.label}
                </ActionButton>
              )}
            </SpaceBetween>
          }
        >
          {module.id}
        </Header>
      }
    >
      <SpaceBetween size="m">
        <div className="any-text">
          <SpaceBetween direction="horizontal" size="s">
            <Box fontSize="heading-m">
              <HealthBadge health={module.health} isStale={isStale} />
            </Box>
            <MaintenanceBadge module={module} />
            {!isStale && (
              <Box color="text-body-secondary" padding={{ top: "xxxs" }}>
                <Lasting sinceMs={module.sinceMs} />
              </Box>
            )}
          </SpaceBetween>
          <Box variant="p">{isStale ? `Then: ${module.why}` : module.why}</Box>
          {advice !== null && !isStale && <Box variant="p">{advice}</Box>}
        </div>
        <Tabs
          ariaLabel={`Views of ${module.id}`}
          i18nStrings={{ scrollLeftAriaLabel: "Earlier views", scrollRightAriaLabel: "More views" }}
          activeTabId={TABS.find((tab) => tab === search.get("tab")) ?? "overview"}
          onChange={({ detail }) =>
            setSearch(detail.activeTabId === "overview" ? {} : { tab: detail.activeTabId })
          }
          tabs={[
            { id: "overview", label: "Overview", content: <OverviewTab module={module} /> },
            ...(module.configuration.mode === "mirror"
              ? [
                  {
                    id: "replication",
                    label: "Replication",
                    content: <ReplicationTab module={module} />,
                  },
                ]
              : []),
            {
              id: "events",
              label: "Events",
              content: <EventLog moduleId={module.id} title={`Events of ${module.id}`} />,
            },
          ]}
        />
      </SpaceBetween>
    </ContentLayout>
  );
}
