/**
 * Every route times every caller, from the description that the server itself gives: a route that
 * is added appears here by itself, and one that is not described cannot exist.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { TestNode } from "../testing/test-node.ts";
import { type Answer, call, TestServer } from "../testing/test-server.ts";

const Description = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.object({ "x-role": z.string() }))),
});
interface Described {
  readonly method: string;
  readonly path: string;
  readonly role: string;
}

const CALLERS = ["nobody", "wrong secret", "viewer", "operator", "admin", "node"] as const;
const PEOPLE = ["viewer", "operator", "admin"];

let server: TestServer;
let node: TestNode;
let routes: readonly Described[] = [];
const secrets = new Map<string, string>();

beforeAll(async () => {
  server = await TestServer.start();
  node = await TestNode.enrolled(server, "node1");
  for (const role of ["viewer", "operator"]) {
    const made = await server.admin("POST", "/v1/people", { name: `a ${role}`, role });
    secrets.set(role, z.object({ secret: z.string() }).parse(made.json).secret);
  }
  secrets.set("admin", server.secret);
  secrets.set("wrong secret", "x".repeat(43));
  const described = await call("GET", `${server.served.apiUrl}/openapi.json`);
  const { paths } = Description.parse(described.json);
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      role: operation["x-role"],
    })),
  );
});
afterAll(() => server.stop());

/** A place that is there, for what only reads; a made-up one for what changes something. */
const placeOf = ({ method, path }: Described): string =>
  path
    .replace("{c}", method === "PUT" ? "made-here" : "nowhere")
    .replace("{m}", "none")
    .replace("{id}", "none")
    .concat(path.includes("self/co") ? "?waitMs=0" : "");

const isAgentRoute = (route: Described): boolean =>
  route.path.startsWith("/v1/nodes/") || route.path === "/v1/modules/{m}/votes";

async function send(route: Described, caller: string): Promise<Answer> {
  const path = placeOf(route);
  const body = route.method === "GET" || route.method === "DELETE" ? undefined : {};
  if (caller === "node" && isAgentRoute(route)) return node.call(route.method, path, body);
  const secret = secrets.get(caller);
  const door = isAgentRoute(route) ? server.served.agentUrl : server.served.apiUrl;
  return call(route.method, `${door}${path}`, {
    ca: server.served.caCertificate,
    headers: {
      ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** May this caller get past the door? What happens behind it is other tests' business. */
function mayPass(route: Described, caller: string): boolean {
  if (isAgentRoute(route)) return route.role === "none" || caller === "node";
  // Someone who shows a wrong secret is told so, even where none is needed.
  if (caller === "wrong secret") return false;
  if (route.role === "none") return true;
  return PEOPLE.indexOf(caller) >= PEOPLE.indexOf(route.role) && PEOPLE.includes(caller);
}

describe("every route for every caller", () => {
  test("the table is as large as it was when this was written, or larger", () => {
    expect(routes.length).toBeGreaterThanOrEqual(30);
  });

  test.each(CALLERS)("%s", async (caller) => {
    const wrong: string[] = [];
    for (const route of routes) {
      const answer = await send(route, caller);
      const isStopped = answer.status === 401 || answer.status === 403;
      if (isStopped === mayPass(route, caller)) {
        // A bad token is refused by the enrolment itself, which anyone may call.
        wrong.push(`${route.method} ${route.path} (${route.role}): ${answer.status}`);
      }
      expect(answer.status, `${route.method} ${route.path}`).toBeLessThan(500);
    }
    expect(wrong).toEqual([]);
  });

  test("a node's signature is worth nothing to routes of people, nor a secret to a node's", async () => {
    const signed = await node.call("GET", "/v1/clusters");
    expect(signed.status).toBe(404);
    const path = "/v1/nodes/self/configuration?waitMs=0";
    const answer = await call("GET", `${server.served.agentUrl}${path}`, {
      ca: server.served.caCertificate,
      headers: { authorization: `Bearer ${server.secret}` },
    });
    expect(answer.status).toBe(401);
  });

  test("commands that can lose data need an admin, by their kind", async () => {
    const operator = secrets.get("operator") ?? "";
    const path = "/v1/clusters/prod/modules/none/commands";
    const forced = await server.person(operator, "POST", path, { kind: "force-primary" });
    expect(forced.status).toBe(403);
    expect((await server.person(operator, "POST", path, { kind: "start" })).status).toBe(404);
  });

  test("someone who was shut out is out at once", async () => {
    const made = await server.admin("POST", "/v1/people", { name: "guest", role: "viewer" });
    const guest = z.object({ id: z.string(), secret: z.string() }).parse(made.json);
    expect((await server.person(guest.secret, "GET", "/v1/me")).status).toBe(200);
    expect((await server.admin("DELETE", `/v1/people/${guest.id}`)).status).toBe(200);
    expect((await server.person(guest.secret, "GET", "/v1/me")).status).toBe(401);
  });
});
