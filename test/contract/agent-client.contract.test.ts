/**
 * The agent's client and the control plane, both real, over a real connection: whatever one of
 * them says, the other understands. Neither side imports the other, so only this keeps them true.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { report } from "../../functions/testing/test-report.ts";
import { call, TestServer } from "../../functions/testing/test-server.ts";
import { writeModuleArchive } from "../../model/archive/write-module-archive.ts";
import { Operation } from "../../model/contract/commands.ts";
import { TokenAnswer } from "../../model/contract/enrolment.ts";
import { ClusterSnapshot } from "../../model/contract/snapshot.ts";
import { releaseText } from "../../model/quorum/pair.ts";
import type { VoteRequest } from "../../model/quorum/votes.ts";
import type { Result } from "../../model/shared/result.ts";
import { ControlPlaneClient } from "../../node-agent/control-plane/client.ts";
import { createCertificateRequest } from "../../node-agent/identity/certificate-request.ts";
import { enrol } from "../../node-agent/identity/enrol.ts";
import type { NodeIdentity } from "../../node-agent/identity/identity-store.ts";
import { signingKey, signText } from "../../node-agent/identity/node-signature.ts";

const USER_CONFIG = `<!DOCTYPE safe>
<safe><service mode="mirror"><heart><heartbeat name="default"/></heart><user/></service></safe>
`;

let server: TestServer;
let folder = "";
/** What the client's node believes the time to be: an hour behind. */
const wrongClock = () => Date.now() - 3_600_000;
const ports = { nowMs: wrongClock, bootMs: () => performance.now(), random: Math.random };
interface Agent {
  readonly identity: NodeIdentity;
  readonly client: ControlPlaneClient;
}
let agent1: Agent;
let agent2: Agent;

function value<T>(result: Result<T, unknown>): T {
  if (result.ok) return result.value;
  throw new Error(JSON.stringify(result.error));
}

async function join1(nodeId: string): Promise<Agent> {
  const made = await server.admin("POST", "/v1/clusters/prod/tokens", { node: nodeId });
  const { token, agentUrl } = TokenAnswer.parse(made.json);
  const identity = value(
    await enrol({ stateDirectory: join(folder, nodeId), controlPlaneUrl: agentUrl, token, nodeId }),
  );
  return { identity, client: new ControlPlaneClient(identity, ports) };
}

beforeAll(async () => {
  server = await TestServer.start();
  folder = mkdtempSync(join(tmpdir(), "agent-client-"));
  agent1 = await join1("node1");
  agent2 = await join1("node2");
});
afterAll(async () => {
  agent1.client.close();
  agent2.client.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("the agent's client with the control plane", () => {
  test("enrols only against the control plane that made the token", async () => {
    const other = await TestServer.start();
    try {
      const made = await other.admin("POST", "/v1/clusters/prod/tokens", { node: "node1" });
      const { token } = TokenAnswer.parse(made.json);
      const stateDirectory = join(folder, "stranger");
      const controlPlaneUrl = server.served.agentUrl;
      const result = await enrol({ stateDirectory, controlPlaneUrl, token, nodeId: "node1" });
      expect(result.ok ? "" : result.error.kind).toBe("wrongControlPlane");
    } finally {
      await other.stop();
    }
  });

  test("signs by the server's clock when its own is an hour off", async () => {
    const configuration = value(await agent1.client.configuration(0, 0));
    expect(configuration.cluster.nodes.map((node) => node.id)).toEqual(["node1", "node2"]);
    expect(agent1.client.clockOffset?.offsetMs).toBeGreaterThan(3_590_000);
  });

  test("is woken by a new module and fetches the very bytes of it", async () => {
    const { version } = value(await agent1.client.configuration(0, 0));
    const waiting = agent1.client.configuration(version, 10_000);
    const bytes = await writeModuleArchive([
      { path: "conf/userconfig.xml", mode: 0o644, bytes: Buffer.from(USER_CONFIG) },
    ]);
    const path = "/v1/clusters/prod/modules/shop/configuration";
    const stored = await call("PUT", `${server.served.apiUrl}${path}`, {
      headers: { authorization: `Bearer ${server.secret}`, "content-type": "application/zip" },
      body: bytes,
    });
    expect(stored.status, stored.text).toBe(200);
    const [module] = value(await waiting).modules;
    expect(module?.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    const archive = value(await agent1.client.archive("shop", module?.sha256 ?? ""));
    expect(archive.equals(bytes)).toBe(true);
  });

  test("reports, and people see it", async () => {
    const answer = value(await agent1.client.report(report("PRIM")));
    expect(Math.abs(answer.serverTimeMs - Date.now())).toBeLessThan(5_000);
    const seen = ClusterSnapshot.parse((await server.admin("GET", "/v1/clusters/prod")).json);
    expect(seen.modules[0]?.nodes[0]?.report?.state).toBe("PRIM");
  });

  test("hears of a command, holds it, and says how it went", async () => {
    const waiting = agent1.client.commands([], 10_000);
    const path = "/v1/clusters/prod/modules/shop/commands";
    const asked = await server.admin("POST", path, { kind: "start", node: "node1" });
    const [command] = value(await waiting).commands;
    expect(command).toMatchObject({ kind: "start", moduleId: "shop" });
    const id = command?.id ?? "";
    // Two ids make a query that needs encoding: it is signed exactly as it is sent.
    expect(value(await agent1.client.commands([id, "op_x.0.0"], 0)).commands).toEqual([]);
    value(await agent1.client.acknowledge([{ id, outcome: "done", text: "started" }]));
    const operation = Operation.parse(asked.json);
    const ended = await server.admin("GET", `/v1/operations/${operation.id}`);
    expect(Operation.parse(ended.json).state).toBe("done");
  });

  test("renews its certificate", async () => {
    const csr = await createCertificateRequest(agent1.identity.keyPem, "node1");
    const renewed = value(await agent1.client.renewCertificate(csr));
    expect(renewed.certificate).not.toBe(agent1.identity.certificatePem);
  });
});

describe("votes over the wire", () => {
  const head = (nodeId: string, version: number) => ({
    id: randomBytes(8).toString("hex"),
    nodeId,
    moduleId: "shop",
    storeId: server.served.storeId,
    version,
    pairDecision: null,
  });
  const ask = async ({ client }: Agent, request: VoteRequest) => {
    const outcome = await client.ask(request);
    if (outcome.kind === "answered") return outcome.answer;
    throw new Error(outcome.detail);
  };

  test("first primary, a refusal with its reason, a release that the witness believes", async () => {
    const read = await ask(agent1, { ...head("node1", 0), storeId: null, kind: "read" });
    expect(read).toMatchObject({ kind: "record", record: null, storeId: server.served.storeId });
    const first = await ask(agent1, {
      ...head("node1", 0),
      kind: "firstPrimary",
      toEpoch: 1,
      historyId: "history-1",
      because: "person",
    });
    expect(first).toMatchObject({ kind: "granted", record: { epoch: 1, primary: "node1" } });
    const version = first.record?.version ?? 0;
    const promote = { kind: "promote", fromEpoch: 1, toEpoch: 2, isLastResort: false } as const;
    const early = await ask(agent2, { ...head("node2", version), ...promote, release: null });
    expect(early.kind).toBe("refused");
    expect(early.reason).not.toBe("");
    const terms = { moduleId: "shop", epoch: 1, from: "node1", to: "node2" };
    const key = signingKey(agent1.identity.keyPem);
    const release = { ...terms, signature: signText(releaseText(terms), key) };
    const seen = early.record?.version ?? 0;
    const after = await ask(agent2, { ...head("node2", seen), ...promote, release });
    // Granted or refused by the protocol; what matters here is that the signature was believed.
    expect(["granted", "refused"]).toContain(after.kind);
  });
});
