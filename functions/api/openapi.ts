/** `GET /openapi.json`: the route table, as OpenAPI 3.1 (which takes JSON Schema as it is). */
import * as z from "zod/mini";
import { ApiError, ERROR_STATUS } from "#model/contract/errors.ts";
import { ok } from "#model/shared/result.ts";
import { json, NoParams, NoQuery, noBody, type Route, type RouteRole, route } from "./route.ts";

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly "x-role": RouteRole;
  readonly security: readonly object[];
  readonly parameters: readonly object[];
  readonly requestBody?: object;
  readonly responses: Readonly<Record<string, object>>;
}
interface OpenApi {
  readonly openapi: "3.1.0";
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
}

/** Describes exactly the routes that are served: both are made from the same table. */
function describeRoutes(routes: readonly Route[], version: string): OpenApi {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const one of routes) {
    const path = one.path.replace(/:([A-Za-z]+)/g, "{$1}");
    const operations = paths[path] ?? {};
    operations[one.method.toLowerCase()] = describe(one);
    paths[path] = operations;
  }
  return {
    openapi: "3.1.0",
    info: { title: "Mirrorfarm control plane", version },
    paths,
    components: {
      schemas: { Error: z.toJSONSchema(ApiError) },
      securitySchemes: {
        secret: { type: "http", scheme: "bearer" },
        session: { type: "apiKey", in: "cookie", name: "mirrorfarm" },
        nodeSignature: { type: "apiKey", in: "header", name: "mirrorfarm-signature" },
      },
    },
  };
}

function describe(one: Route): Operation {
  const { params, query, body, answer } = one.describe();
  return {
    operationId: `${one.method.toLowerCase()}${one.path.replace(/[^A-Za-z0-9]+/g, "_")}`,
    summary: one.summary,
    "x-role": one.role,
    security: securityOf(one.role),
    parameters: [...parameters(params, "path"), ...parameters(query, "query")],
    ...(body === null ? {} : { requestBody: body }),
    responses: {
      [answer.status]: { description: "Done", content: answer.content },
      default: {
        description: `Refused (${[...new Set(Object.values(ERROR_STATUS))].sort().join(", ")})`,
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function securityOf(role: RouteRole): readonly object[] {
  if (role === "none") return [];
  return role === "node" ? [{ nodeSignature: [] }] : [{ secret: [] }, { session: [] }];
}

const ObjectSchema = z.object({
  properties: z.optional(z.record(z.string(), z.unknown())),
  required: z.optional(z.array(z.string())),
});

function parameters(schema: object, place: "path" | "query"): object[] {
  const { properties = {}, required = [] } = ObjectSchema.parse(schema);
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    schema: property,
  }));
}

/** The route that answers with the description; it is part of what it describes. */
export function openapiRoute(allRoutes: () => readonly Route[], version: string): Route {
  return route({
    method: "GET",
    path: "/openapi.json",
    role: "none",
    summary: "This description.",
    params: NoParams,
    query: NoQuery,
    body: noBody,
    answer: json(z.looseObject({})),
    handle: async () => ok({ ...describeRoutes(allRoutes(), version) }),
  });
}
