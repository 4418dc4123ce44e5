/** Everything that happened in the cluster. */
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import { useCluster } from "../../shell/cluster-context.tsx";
import { EventLog } from "../../shell/event-log.tsx";
import { usePage } from "../../shell/use-page.ts";

/** The route `/c/:cluster/events`. */
export function EventsPage() {
  const { clusterId } = useCluster();
  usePage(`Events · ${clusterId}`);
  return (
    <ContentLayout
      header={
        <Header variant="h1" description="What happened in the cluster, on one clock.">
          Events
        </Header>
      }
    >
      <EventLog moduleId={null} title="Newest first" />
    </ContentLayout>
  );
}
