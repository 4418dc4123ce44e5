import { mkdtempSync, rmSync, statSync } from "node:fs";
import { request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CommandRequest } from "#model/contract/commands.ts";
import type { NodeReport } from "#model/contract/report.ts";
import { openLocalApi } from "./local-api.ts";
import { until } from "./modules/testing/test-module.ts";

const REPORT: NodeReport = {
  ...{ agentVersion: "1", bootId: "b", instanceId: "i", sentAtMs: 1 },
  ...{ modules: [], links: [], events: [] },
};

let folder = "";
let server: Server;
let commands: [string, CommandRequest][];
let report: () => Promise<NodeReport>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mirrorfarm-local-"));
  commands = [];
  report = async () => REPORT;
  server = open();
  await until(() => server.listening);
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = (): Server =>
  openLocalApi({
    ...{ stateDirectory: folder, clusterId: "c1", nodeId: "node1" },
    report: () => report(),
    command: async (moduleId, asked) => {
      commands.push([moduleId, asked]);
      return { outcome: "done", text: "started" };
    },
    verb: () => null,
  });

function call(method: string, path: string, body = ""): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socketPath = join(folder, "agent.sock");
    const sent = request({ socketPath, method, path }, async (response) => {
      let text = "";
      for await (const part of response) text += String(part);
      resolve({ status: response.statusCode ?? 0, text });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

test("only root may open the socket, and one that was left behind is no obstacle", async () => {
  await until(() => (statSync(join(folder, "agent.sock")).mode & 0o777) === 0o600);
  server.close();
  server = open();
  await until(() => server.listening);
  expect((await call("GET", "/v1/status")).status).toBe(200);
});

test("status is this node's report", async () => {
  const { text } = await call("GET", "/v1/status");
  expect(JSON.parse(text)).toEqual({ clusterId: "c1", nodeId: "node1", report: REPORT });
});

test("a command is passed on as it was asked", async () => {
  const { status, text } = await call("POST", "/v1/modules/shop/commands", '{"kind":"start"}');
  expect([status, JSON.parse(text).outcome]).toEqual([200, "done"]);
  expect(commands).toEqual([["shop", { kind: "start" }]]);
});

test.each([
  ["GET", "/v1/modules/shop/commands", "", 404],
  ["POST", "/v1/modules/%E0%A4%A/commands", "", 404],
  ["POST", "/v1/modules/..%2f..%2fetc/commands", "", 404],
  ["POST", "/v1/modules/shop/commands", '{"kind":"explode"}', 400],
  ["POST", "/v1/modules/shop/commands", "{", 400],
  ["POST", "/v1/local/modules/shop/verbs", "{}", 404],
  ["POST", "/v1/modules/shop/commands", "x".repeat(70_000), 500],
])("%s %s with a body of %j is refused", async (method, path, body, status) => {
  expect((await call(method, path, body)).status).toBe(status);
  expect(commands).toEqual([]);
});

test("a report that fails is an error of this call alone", async () => {
  report = () => Promise.reject(new Error("no metrics"));
  const { status, text } = await call("GET", "/v1/status");
  expect([status, JSON.parse(text).message]).toEqual([500, "no metrics"]);
  report = async () => REPORT;
  expect((await call("GET", "/v1/status")).status).toBe(200);
});
