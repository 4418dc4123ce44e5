/** Every cluster with how it is. With only one there is nothing to choose, so it opens. */
import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Cards from "@cloudscape-design/components/cards";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import { Navigate, useLocation } from "react-router";
import type { ClusterSummary } from "#model/contract/snapshot.ts";
import { describeProblem } from "../../api/client.ts";
import { HealthBadge } from "../../shell/badges.tsx";
import { Frame } from "../../shell/frame.tsx";
import { RouteLink } from "../../shell/route-link.tsx";
import { usePage } from "../../shell/use-page.ts";
import { useClusters } from "./use-clusters.ts";

const HOME = { text: "Clusters", href: "/" };

/** The route `/`. */
export function ClustersPage() {
  usePage("Clusters");
  const { key } = useLocation();
  const { clusters, problem } = useClusters();
  const [only] = clusters ?? [];
  // Whoever came here on purpose, from within the console, stays.
  if (clusters?.length === 1 && only !== undefined && key === "default") {
    return <Navigate to={`/c/${only.id}`} replace />;
  }
  return (
    <Frame
      liveness={null}
      crumbs={[HOME]}
      navigation={{
        title: { text: "Mirrorfarm", href: "/" },
        items: [HOME, ...(clusters ?? []).map(({ id }) => ({ text: id, href: `/c/${id}` }))],
      }}
      notifications={
        problem === null ? null : (
          <Alert type="warning" header="This list may be old">
            {describeProblem(problem)}
          </Alert>
        )
      }
    >
      <ContentLayout header={<Header variant="h1">Clusters</Header>}>
        <Cards
          items={clusters ?? []}
          loading={clusters === null}
          loadingText="Asking the control plane"
          cardsPerRow={[{ cards: 1 }, { minWidth: 700, cards: 2 }]}
          cardDefinition={{
            header: (cluster) => (
              <RouteLink href={`/c/${cluster.id}`} fontSize="heading-m">
                {cluster.id}
              </RouteLink>
            ),
            sections: [
              { id: "health", content: ({ health }) => <HealthBadge health={health} /> },
              { id: "why", content: ({ why }) => <span className="any-text">{why}</span> },
              { id: "nodes", header: "Nodes that report", content: onlineText },
              { id: "modules", header: "Modules", content: modulesText },
            ],
          }}
          empty={
            <Box textAlign="center" padding="l">
              <b>No clusters</b>
              <Box variant="p" color="text-body-secondary">
                A cluster is made when the control plane starts with --cluster and --nodes.
              </Box>
            </Box>
          }
        />
      </ContentLayout>
    </Frame>
  );
}

const onlineText = ({ nodes, nodesSilent }: ClusterSummary): string =>
  `${nodes - nodesSilent} of ${nodes}`;

function modulesText({ modules }: ClusterSummary): string {
  const counts = Object.entries(modules).map(([health, count]) => `${count} ${health}`);
  return counts.length === 0 ? "none" : counts.join(", ");
}
