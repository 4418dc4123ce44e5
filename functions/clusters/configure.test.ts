import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeModuleArchive } from "#model/archive/write-module-archive.ts";
import { NodeCommands, Operation } from "#model/contract/commands.ts";
import { ModuleUploadAnswer, NodeConfiguration } from "#model/contract/configuration.ts";
import { ClusterSnapshot } from "#model/contract/snapshot.ts";
import { TestNode } from "../testing/test-node.ts";
import { report } from "../testing/test-report.ts";
import { type Answer, call, TestServer } from "../testing/test-server.ts";

const USER_CONFIG = `<!DOCTYPE safe>
<safe>
  <service mode="mirror">
    <heart><heartbeat name="default"/></heart>
    <user/>
  </service>
</safe>
`;
async function archive(xml = USER_CONFIG): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(xml);
  return await writeModuleArchive([{ path: "conf/userconfig.xml", bytes, mode: 0o644 }]);
}

let server: TestServer;
let node1: TestNode;
let node2: TestNode;
beforeAll(async () => {
  server = await TestServer.start();
  node1 = await TestNode.enrolled(server, "node1");
  node2 = await TestNode.enrolled(server, "node2");
});
afterAll(() => server.stop());

const CONFIGURATION = "/v1/clusters/prod/modules/shop/configuration";
const upload = (bytes: Uint8Array, query = ""): Promise<Answer> =>
  call("PUT", `${server.served.apiUrl}${CONFIGURATION}${query}`, {
    headers: { authorization: `Bearer ${server.secret}`, "content-type": "application/zip" },
    body: bytes,
  });
const pull = async (node: TestNode, query: string) =>
  NodeConfiguration.parse((await node.call("GET", `/v1/nodes/self/configuration${query}`)).json);

describe("a module's configuration", () => {
  test("is judged before anything is stored; each problem has its place", async () => {
    const bad = await upload(await archive(USER_CONFIG.replace("mirror", "mirrror")));
    expect(bad.status).toBe(422);
    expect(bad.json).toMatchObject({ code: "badModule" });
    expect(bad.text).toMatch(/userconfig\.xml:\d+:\d+/);
    expect((await upload(new Uint8Array([1, 2, 3]))).status).toBe(422);
    const dry = ModuleUploadAnswer.parse((await upload(await archive(), "?dryRun=true")).json);
    expect(dry).toMatchObject({ stored: false, module: { version: 1, mode: "mirror" } });
    expect((await pull(node1, "?waitMs=0")).modules).toEqual([]);
  });

  test("is refused where another module replicates the same directory", async () => {
    const withData = (dir: string) =>
      archive(USER_CONFIG.replace("<user/>", `<rfs><replicated dir="${dir}"/></rfs>`));
    const put = async (module: string, dir: string, method: "PUT" | "DELETE" = "PUT") =>
      await call(
        method,
        `${server.served.apiUrl}/v1/clusters/prod/modules/${module}${
          method === "PUT" ? "/configuration" : ""
        }`,
        {
          headers: { authorization: `Bearer ${server.secret}`, "content-type": "application/zip" },
          ...(method === "PUT" ? { body: await withData(dir) } : {}),
        },
      );
    expect((await put("books", "/srv/books")).status).toBe(200);
    const refused = await put("library", "/srv/books/new");
    expect(refused.status).toBe(409);
    expect(refused.text).toContain("module books replicates");
    expect((await put("library", "/srv/library")).status).toBe(200);
    for (const module of ["books", "library"]) {
      expect((await put(module, "", "DELETE")).status).toBe(200);
    }
  });

  test("wakes the nodes that wait for it, who get the very bytes", async () => {
    const { version } = await pull(node1, "?waitMs=0");
    const waiting = pull(node1, `?known=${version}&waitMs=20000`);
    const bytes = await archive();
    const stored = ModuleUploadAnswer.parse((await upload(bytes)).json);
    const configuration = await waiting;
    expect(configuration.version).toBeGreaterThan(version);
    expect(configuration.modules).toEqual([stored.module]);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    expect(stored.module.sha256).toBe(sha256);
    const fetched = await node1.call("GET", "/v1/nodes/self/modules/shop/archive");
    expect(fetched.headers["content-length"]).toBe(`${bytes.byteLength}`);
  });

  test("is not changed over someone else's change", async () => {
    const stale = await upload(await archive(), "?seenVersion=0");
    expect(stale.json).toMatchObject({ code: "stale" });
    expect((await upload(await archive(), "?seenVersion=1")).status).toBe(200);
  });

  test("needs two nodes of the cluster for a mirror", async () => {
    expect((await upload(await archive(), "?nodes=node1")).status).toBe(400);
    expect((await upload(await archive(), "?nodes=node1,node9")).status).toBe(400);
    expect((await upload(await archive(), "?nodes=node1,node1")).status).toBe(400);
  });

  test("whose <heart> contradicts the cluster's timers is refused with its place and both names", async () => {
    const xml = USER_CONFIG.replace("<heart>", '<heart timeout="400ms">');
    const refused = await upload(await archive(xml));
    expect(refused.status).toBe(422);
    expect(refused.text).toContain("conf/userconfig.xml:4:5: error: with the timer profile");
    const both = "heartbeatMs 200 and detectAfterMs 400 contradict each other: one lost heartbeat";
    expect(refused.text).toContain(both);
    expect((await pull(node1, "?waitMs=0")).modules[0]?.version).toBe(2);
  });

  test("is looked at again when the cluster is to have another timer profile", async () => {
    const cluster = (timers: string) => server.admin("PUT", "/v1/clusters/prod", { timers });
    const quick = USER_CONFIG.replace("<heart>", '<heart timeout="1s">');
    expect((await upload(await archive(quick))).status).toBe(200);
    const refused = await cluster("tolerant");
    expect(refused.status).toBe(409);
    expect(refused.text).toContain("module shop: conf/userconfig.xml:4:5");
    expect(refused.text).toContain("heartbeatMs 1000 and detectAfterMs 1000");
    expect((await pull(node1, "?waitMs=0")).cluster.timers).toBe("default");
    expect((await cluster("fast")).status).toBe(200);
    expect((await cluster("default")).status).toBe(200);
  });

  test("is nobody else's: a node without a part in it does not get it", async () => {
    const stranger = await TestNode.enrolled(server, "node3");
    const answer = await stranger.call("GET", "/v1/nodes/self/modules/shop/archive");
    expect(answer.status).toBe(404);
    expect((await pull(stranger, "?waitMs=0")).modules).toEqual([]);
    const vote = {
      kind: "read",
      id: "v1",
      nodeId: "node3",
      moduleId: "shop",
      storeId: null,
      version: 0,
      pairDecision: null,
    };
    expect((await stranger.call("POST", "/v1/modules/shop/votes", vote)).status).toBe(403);
  });

  test("of a mirror over three nodes is refused with what is possible instead", async () => {
    const three = await upload(await archive(), "?nodes=node1,node2,node3&dryRun=true");
    expect(three.status).toBe(400);
    expect(three.json).toMatchObject({
      message: expect.stringContaining(
        "a mirror keeps its data on two nodes, and shop would have 3",
      ),
      remedy: expect.stringContaining("choose two of them: --nodes node1,node2"),
    });
    expect((await upload(await archive(), "?nodes=node1,node2&dryRun=true")).status).toBe(200);
  });
});

describe("the way of a command", () => {
  const commands = (node: TestNode, query: string) =>
    node.call("GET", `/v1/nodes/self/commands${query}`);

  test("reaches the waiting node, is not sent twice, and its end is seen by everyone", async () => {
    const waiting = commands(node2, "?waitMs=20000");
    const path = "/v1/clusters/prod/modules/shop/commands";
    const asked = Operation.parse(
      (await server.admin("POST", path, { kind: "start", dataFrom: "node1" })).json,
    );
    const [command] = NodeCommands.parse((await waiting).json).commands;
    expect(command).toMatchObject({ kind: "start", dataFrom: "node1", moduleId: "shop" });
    const again = await commands(node2, `?known=${command?.id}&waitMs=0`);
    expect(NodeCommands.parse(again.json).commands).toEqual([]);
    // The answer was lost: whoever does not hold it gets it again.
    expect(NodeCommands.parse((await commands(node2, "?waitMs=0")).json).commands).toHaveLength(1);
    for (const node of [node1, node2]) {
      const [mine] = NodeCommands.parse((await commands(node, "?waitMs=0")).json).commands;
      const results = [{ id: mine?.id ?? "", outcome: "done", text: "started" }];
      await node.call("POST", "/v1/nodes/self/commands", { results });
    }
    const ended = Operation.parse((await server.admin("GET", `/v1/operations/${asked.id}`)).json);
    expect(ended.state).toBe("done");
    const repeated = await server.admin("POST", path, { kind: "start", dataFrom: "node1" });
    expect(Operation.parse(repeated.json).id).toBe(asked.id);
  });
});

describe("reports", () => {
  test("show in the snapshot, and their events are kept once however often they are sent", async () => {
    const events = [
      { id: "e1", atMs: Date.now(), kind: "agentStarted", severity: "I", text: "started" },
    ];
    for (let i = 0; i < 3; i += 1) {
      const answer = await node1.call("POST", "/v1/nodes/self/report", {
        ...report("PRIM"),
        events,
      });
      expect(answer.status, answer.text).toBe(200);
    }
    await node2.call("POST", "/v1/nodes/self/report", report("SECOND"));
    const seen = ClusterSnapshot.parse((await server.admin("GET", "/v1/clusters/prod")).json);
    expect(seen.events.filter((event) => event.kind === "agentStarted")).toHaveLength(1);
    const [shop] = seen.modules;
    expect(shop?.nodes.map((node) => node.report?.state)).toEqual(["PRIM", "SECOND"]);
    expect(shop?.health).toBe("Protected");
    expect(seen.nodes.find((node) => node.id === "node1")).toMatchObject({ silent: false });
  });

  test("bring a node's times to our clock, and never into the future", async () => {
    const sentAtMs = Date.now() - 3_600_000;
    const events = [
      { id: "e2", atMs: sentAtMs - 5_000, kind: "scriptStarted", severity: "I", text: "five ago" },
      { id: "e3", atMs: sentAtMs + 9_999_999, kind: "scriptEnded", severity: "I", text: "future" },
    ];
    await node2.call("POST", "/v1/nodes/self/report", { ...report("SECOND"), sentAtMs, events });
    const seen = ClusterSnapshot.parse((await server.admin("GET", "/v1/clusters/prod")).json);
    const started = seen.events.find((event) => event.kind === "scriptStarted");
    const ended = seen.events.find((event) => event.kind === "scriptEnded");
    expect(Math.abs(Date.now() - 5_000 - (started?.atMs ?? 0))).toBeLessThan(3_000);
    expect(ended?.atMs).toBeLessThanOrEqual(Date.now());
  });
});

describe("words from outside", () => {
  test("that are too long or not plain never make the log unreadable", async () => {
    const path = "/v1/clusters/prod/modules/shop/commands";
    const reason = "x".repeat(1000);
    await server.person(server.secret, "POST", path, { kind: "restart", reason });
    for (const name of ["x".repeat(61), "a\nb", "", "<b>"]) {
      expect((await server.admin("POST", "/v1/people", { name, role: "viewer" })).status).toBe(400);
    }
    const page = await server.admin("GET", "/v1/clusters/prod/events?limit=500");
    expect(page.status).toBe(200);
  });
});

describe("cluster.xml", () => {
  test("comes out and goes in again unchanged", async () => {
    const path = "/v1/clusters/prod/cluster.xml";
    const out = (await server.admin("GET", path)).json;
    const before = ClusterSnapshot.parse((await server.admin("GET", "/v1/clusters/prod")).json);
    expect(out).toMatchObject({ xml: expect.stringContaining('addr="127.0.0.11"') });
    if (typeof out !== "object" || out === null) throw new Error("no answer");
    const xml = String(Reflect.get(out, "xml")).replaceAll("node3", "node4");
    expect((await server.admin("PUT", "/v1/clusters/copy/cluster.xml", { xml })).status).toBe(200);
    const copy = ClusterSnapshot.parse((await server.admin("GET", "/v1/clusters/copy")).json);
    const addressed = before.cluster.settings.nodes.filter((node) => node.addresses["default"]);
    expect(copy.cluster.settings.nodes).toEqual(addressed);
  });

  test("that is wrong says where", async () => {
    const xml = "<cluster>\n  <lans><lan/></lans>\n</cluster>";
    const answer = await server.admin("PUT", "/v1/clusters/copy/cluster.xml", { xml });
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(/cluster\.xml:2:\d+/);
  });
});
