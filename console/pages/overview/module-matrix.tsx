import Box from "@cloudscape-design/components/box";
import Header from "@cloudscape-design/components/header";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import type { ModuleView } from "#model/contract/snapshot.ts";
import type { ClusterState } from "../../api/cluster-state.ts";
import { HealthBadge, MaintenanceBadge, NodeStateBadge } from "../../shell/badges.tsx";
import { useCluster } from "../../shell/cluster-context.tsx";
import { modulePage } from "../../shell/paths.ts";
import { RouteLink } from "../../shell/route-link.tsx";

/** Modules down, nodes across. The order is by name, so that rows stay where they are. */
export function ModuleMatrix({ state }: { readonly state: ClusterState }) {
  const { clusterId, isStale } = useCluster();
  const modules = [...state.modules].sort((a, b) => a.id.localeCompare(b.id));
  const columns: TableProps.ColumnDefinition<ModuleView>[] = [
    {
      id: "module",
      header: "Module",
      isRowHeader: true,
      cell: ({ id }) => <RouteLink href={modulePage(clusterId, id)}>{id}</RouteLink>,
    },
    {
      id: "health",
      header: "Health",
      cell: (module) => (
        <>
          <HealthBadge health={module.health} isStale={isStale} />
          <div>
            <MaintenanceBadge module={module} />
          </div>
        </>
      ),
    },
    ...state.nodes.map(
      ({ id }): TableProps.ColumnDefinition<ModuleView> => ({
        id: `node/${id}`,
        header: id,
        cell: (module) => {
          const node = module.nodes.find(({ nodeId }) => nodeId === id);
          return node === undefined ? "–" : <NodeStateBadge node={node} />;
        },
      }),
    ),
  ];
  return (
    <Table
      items={modules}
      trackBy="id"
      columnDefinitions={columns}
      enableKeyboardNavigation
      ariaLabels={{ tableLabel: "Modules and nodes" }}
      header={
        <Header variant="h2" counter={`(${modules.length})`}>
          Modules
        </Header>
      }
      empty={
        <Box textAlign="center" padding="m">
          <b>No modules</b>
          <Box variant="p" color="text-body-secondary">
            A module is an application with its data, its address and its scripts, as one .safe
            file. Install one from the command line:
          </Box>
          <Box variant="code">mirrorfarm module install FILE.safe</Box>
        </Box>
      }
    />
  );
}
