import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { writeModuleArchive } from "#model/archive/write-module-archive.ts";
import { NodeCommands, Operation } from "#model/contract/commands.ts";
import type { MaintenanceFacts, NodeReport } from "#model/contract/report.ts";
import { ModuleView } from "#model/contract/snapshot.ts";
import { TestNode } from "../testing/test-node.ts";
import { report } from "../testing/test-report.ts";
import { call, TestServer } from "../testing/test-server.ts";

const USER_CONFIG = `<!DOCTYPE safe>
<safe><service mode="mirror"><heart><heartbeat name="default"/></heart><user/></service></safe>`;
const MODULE = "/v1/clusters/prod/modules/shop";
const HOUR_MS = 3_600_000;

let server: TestServer;
let nodes: TestNode[];
beforeAll(async () => {
  server = await TestServer.start();
  nodes = [await TestNode.enrolled(server, "node1"), await TestNode.enrolled(server, "node2")];
  const bytes = new TextEncoder().encode(USER_CONFIG);
  const body = await writeModuleArchive([{ path: "conf/userconfig.xml", bytes, mode: 0o644 }]);
  const headers = { authorization: `Bearer ${server.secret}`, "content-type": "application/zip" };
  await call("PUT", `${server.served.apiUrl}${MODULE}/configuration`, { headers, body });
  for (const node of nodes) await tell(node, null);
});
afterAll(() => server.stop());

/** A report as an agent in that maintenance makes it, its clock being wrong by `aheadMs`. */
async function tell(
  node: TestNode | undefined,
  maintenance: MaintenanceFacts | null,
  aheadMs = 0,
): Promise<void> {
  const base: NodeReport = report("PRIM");
  const modules = base.modules.map((module) => ({ ...module, maintenance }));
  const body = { ...base, sentAtMs: Date.now() + aheadMs, modules };
  await node?.call("POST", "/v1/nodes/self/report", body);
}
const command = async (body: object) => await server.admin("POST", `${MODULE}/commands`, body);
const view = async () => ModuleView.parse((await server.admin("GET", MODULE)).json);

describe("maintenance by the API", () => {
  test("must last some time, and a week at most", async () => {
    const asked = { kind: "maintenance-on" };
    expect((await command(asked)).status).toBe(400);
    expect((await command({ ...asked, forMs: 0 })).status).toBe(400);
    expect((await command({ ...asked, forMs: 8 * 24 * HOUR_MS })).status).toBe(400);
    expect((await command({ ...asked, forMs: HOUR_MS, node: "node1" })).status).toBe(400);
  });

  test("is an operator's, not a viewer's", async () => {
    const body = { kind: "maintenance-on", forMs: HOUR_MS };
    const statuses: number[] = [];
    for (const role of ["viewer", "operator"]) {
      const made = await server.admin("POST", "/v1/people", { name: `one ${role}`, role });
      const { secret } = z.object({ secret: z.string() }).parse(made.json);
      const path = "/v1/clusters/prod/modules/none/commands";
      statuses.push((await server.person(secret, "POST", path, body)).status);
    }
    // Past the door the operator finds no such module.
    expect(statuses).toEqual([403, 404]);
  });

  test("goes to both nodes with its time and reason, and is in the log", async () => {
    const body = { kind: "maintenance-on", forMs: 2 * HOUR_MS, reason: "new memory" };
    const asked = Operation.parse((await command(body)).json);
    const ids = new Set<string>();
    for (const node of nodes) {
      const answer = await node.call("GET", "/v1/nodes/self/commands?waitMs=5000");
      const [mine] = NodeCommands.parse(answer.json).commands;
      expect(mine).toMatchObject({ ...body, operationId: asked.id, actor: asked.actor });
      ids.add(mine?.operationId ?? "");
      const results = [{ id: mine?.id, outcome: "done", text: "in maintenance" }];
      await node.call("POST", "/v1/nodes/self/commands", { results });
    }
    expect(ids.size).toBe(1);
    const { events } = z
      .object({ events: z.array(z.object({ kind: z.string(), text: z.string() })) })
      .parse((await server.admin("GET", "/v1/clusters/prod/events?limit=100")).json);
    const texts = events.filter(({ kind }) => kind === "commandAsked").map(({ text }) => text);
    expect(texts.at(-1)).toBe("maintenance-on shop for 7200 s: new memory");
  });

  test("is shown on our clock, and by the sentence that says why", async () => {
    const untilMs = Date.now() + HOUR_MS;
    // Its clock is an hour ahead of ours, and it says so by its own.
    await tell(nodes[0], { untilMs: untilMs + HOUR_MS, by: "person:ann", reason: "" }, HOUR_MS);
    const { maintenance, why } = await view();
    expect(Math.abs((maintenance?.untilMs ?? 0) - untilMs)).toBeLessThan(5_000);
    expect(why).toMatch(/In maintenance until .* UTC, by person:ann: no automatic action\.$/);
  });

  test("is not shown any more when its time is up, though its node fell silent", async () => {
    await tell(nodes[0], { untilMs: Date.now() - 1, by: "person:ann", reason: "" });
    const { maintenance, why } = await view();
    expect(maintenance).toBe(null);
    expect(why).not.toContain("maintenance");
  });
});
