import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod/mini";
import { writeModuleArchive } from "#model/archive/write-module-archive.ts";
import { NodeCommands, Operation } from "#model/contract/commands.ts";
import { EventRecord } from "#model/contract/events.ts";
import type { ModuleReport } from "#model/contract/report.ts";
import { ModuleView } from "#model/contract/snapshot.ts";
import { VoteAnswerSchema } from "#model/contract/votes.ts";
import { TestNode } from "../testing/test-node.ts";
import { report } from "../testing/test-report.ts";
import { call, TestServer } from "../testing/test-server.ts";

/**
 * A forced primary through the API: what it may lose is said before it is confirmed, in the
 * operation and in the log, in numbers that somebody noted.
 */
const USER_CONFIG = `<!DOCTYPE safe>
<safe><service mode="mirror"><heart><heartbeat name="default"/></heart><user/></service></safe>`;
const MODULE = "/v1/clusters/prod/modules/shop";

let server: TestServer;
let node1: TestNode;
let node2: TestNode;
beforeAll(async () => {
  server = await TestServer.start();
  node1 = await TestNode.enrolled(server, "node1");
  node2 = await TestNode.enrolled(server, "node2");
  const bytes = new TextEncoder().encode(USER_CONFIG);
  const body = await writeModuleArchive([{ path: "conf/userconfig.xml", bytes, mode: 0o644 }]);
  const headers = { authorization: `Bearer ${server.secret}`, "content-type": "application/zip" };
  await call("PUT", `${server.served.apiUrl}${MODULE}/configuration`, { headers, body });
});
afterAll(() => server.stop());

let votes = 0;
/** Votes as node1, from the version that it saw last. */
async function vote(request: object): Promise<void> {
  votes += 1;
  const head = { id: `v${votes}`, nodeId: "node1", moduleId: "shop", pairDecision: null };
  const read = { ...head, kind: "read", id: `r${votes}`, storeId: null, version: 0 };
  const path = "/v1/modules/shop/votes";
  const seen = VoteAnswerSchema.parse((await node1.call("POST", path, read)).json);
  const { storeId, record } = seen;
  const body = { ...head, ...request, storeId, version: record?.version ?? 0 };
  const answer = VoteAnswerSchema.parse((await node1.call("POST", path, body)).json);
  expect(answer.kind, answer.reason).toBe("granted");
}

type Facts = Pick<ModuleReport, "quorum" | "replication">;
async function tell(node: TestNode, facts: Facts): Promise<void> {
  const base = report("WAIT");
  const modules = base.modules.map((module) => ({ ...module, ...facts }));
  await node.call("POST", "/v1/nodes/self/report", { ...base, modules });
}
const quorum = (outdated: boolean) => ({
  ...{ epoch: 1, primary: "node1", inSync: ["node1"], outdated, grant: null, fenced: false },
  ...{ historyId: "h1", copyHistoryId: "h1" },
});

test("what it may lose is noted, stated and logged", async () => {
  await vote({ kind: "firstPrimary", toEpoch: 1, historyId: "h1", because: "person" });
  await vote({ kind: "grow", epoch: 1, inSync: ["node1", "node2"] });
  const beforeMs = Date.now();
  await vote({ kind: "grant", epoch: 1, inSync: ["node1"] });
  const alone = { changes: 5132, bytes: 12_582_912 };
  const replication = { attached: false, lagMs: 0, backlogBytes: 0, resync: null, trees: [] };
  await tell(node1, { quorum: quorum(false), replication: { ...replication, alone } });
  await tell(node2, { quorum: quorum(true), replication });

  const view = ModuleView.parse((await server.admin("GET", MODULE)).json);
  const [ofPrimary, ofOther] = view.nodes.map(({ possibleLoss }) => possibleLoss);
  expect(ofPrimary).toMatchObject({ kind: "none" });
  expect(ofOther).toMatchObject({ kind: "since", changes: 5132, bytes: 12_582_912 });
  expect(ofOther?.sinceMs).toBeGreaterThanOrEqual(beforeMs);
  expect(ofOther?.sinceMs).toBeLessThanOrEqual(Date.now());

  const asked = { kind: "force-primary", node: "node2", reason: "node1 burnt down" };
  const refused = await server.admin("POST", `${MODULE}/commands`, asked);
  expect(refused.status).toBe(409);
  expect(refused.text).toContain("node1 had made 5132 changes (12582912 bytes written) alone");
  const here = { ...asked, confirm: "shop", withoutWitness: true };
  expect((await server.admin("POST", `${MODULE}/commands`, here)).status).toBe(400);

  const confirmed = { ...asked, confirm: "shop" };
  const answer = await server.admin("POST", `${MODULE}/commands`, confirmed);
  expect(Operation.parse(answer.json).loss).toBe(ofOther?.text);
  const commands = await node2.call("GET", "/v1/nodes/self/commands?waitMs=5000");
  const [mine] = NodeCommands.parse(commands.json).commands;
  expect(mine).toMatchObject({ kind: "force-primary", reason: "node1 burnt down" });
  const page = await server.admin("GET", "/v1/clusters/prod/events?limit=100");
  const { events } = z.object({ events: z.array(EventRecord) }).parse(page.json);
  const told = events.find(({ kind }) => kind === "commandAsked");
  expect(told?.text).toContain("node1 had made 5132 changes");
  expect(told?.text).toContain("node1 burnt down");
  expect(told?.data).toMatchObject({ loss: "since", lossChanges: 5132, lossBytes: 12_582_912 });
});
