/** The two tables: what people may call and what agents may call. Nothing else is served. */
import type { ApiParts } from "./api-parts.ts";
import { changeRoutes } from "./change-routes.ts";
import { clusterRoutes } from "./cluster-routes.ts";
import { clusterXmlRoutes } from "./cluster-xml-routes.ts";
import { commandRoutes } from "./command-routes.ts";
import { eventRoutes } from "./event-routes.ts";
import { moduleRoutes } from "./module-routes.ts";
import { nodeRoutes } from "./node-routes.ts";
import { openapiRoute } from "./openapi.ts";
import { peopleRoutes } from "./people-routes.ts";
import type { Route } from "./route.ts";
import { voteRoutes } from "./vote-routes.ts";

export interface RouteTables {
  readonly people: readonly Route[];
  readonly agents: readonly Route[];
}

/** Builds both tables. The description covers both and is served to people. */
export function routeTables(parts: ApiParts): RouteTables {
  const agents = [...voteRoutes(parts), ...nodeRoutes(parts)];
  const people: readonly Route[] = [
    openapiRoute(() => [...people, ...agents], parts.version),
    ...peopleRoutes(parts),
    ...clusterRoutes(parts),
    ...clusterXmlRoutes(parts),
    ...changeRoutes(parts),
    ...eventRoutes(parts),
    ...moduleRoutes(parts),
    ...commandRoutes(parts),
  ];
  return { people, agents };
}
