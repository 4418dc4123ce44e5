import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { canonicalRequest, SIGNATURE_HEADERS } from "#model/contract/signature.ts";
import type { VoteAnswer, VoteRequest } from "#model/quorum/votes.ts";
import type { NodeIdentity } from "../identity/identity-store.ts";
import { isSignedBy } from "../identity/node-signature.ts";
import { TestAuthority } from "../identity/testing/test-authority.ts";
import { ControlPlaneClient } from "./client.ts";
import {
  answerJson,
  type Handler,
  type Received,
  startTestControlPlane,
} from "./testing/test-control-plane.ts";

let authority: TestAuthority;
let identity: NodeIdentity;
let server: Awaited<ReturnType<typeof startTestControlPlane>>;
let client: ControlPlaneClient;
let clockMs = Date.now();
let bootMs = 0;

const REQUEST: VoteRequest = {
  kind: "read",
  id: "node1-1",
  nodeId: "node1",
  moduleId: "shop",
  storeId: null,
  version: 0,
  pairDecision: null,
};
const ANSWER: VoteAnswer = {
  kind: "record",
  requestId: "node1-1",
  storeId: "store",
  record: null,
  reason: "no record yet",
};

const serveAnswer: Handler = (_, response) => answerJson(response, 200, ANSWER);

const start = (): ControlPlaneClient =>
  new ControlPlaneClient(identity, {
    nowMs: () => clockMs,
    bootMs: () => bootMs,
    random: () => 0.5,
  });

beforeEach(async () => {
  clockMs = Date.now();
  authority = await TestAuthority.create();
  server = await startTestControlPlane(authority, serveAnswer);
  const node = await authority.issueNode("lab", "node1");
  const validity = { notBeforeMs: 0, notAfterMs: Number.MAX_SAFE_INTEGER };
  const names = { clusterId: "lab", nodeId: "node1", controlPlaneUrl: server.url };
  identity = { ...node, ...names, ...validity };
  client = start();
});
afterEach(async () => {
  client.close();
  await server.close();
});

const hasGoodSignature = ({ method, path, body, headers }: Received): boolean => {
  const text = canonicalRequest({
    method,
    path,
    bodySha256: createHash("sha256").update(body).digest("hex"),
    timeMs: Number(headers[SIGNATURE_HEADERS.time]),
    nonce: String(headers[SIGNATURE_HEADERS.nonce]),
    node: String(headers[SIGNATURE_HEADERS.node]),
  });
  const signature = String(headers[SIGNATURE_HEADERS.signature]);
  return isSignedBy(text, signature, identity.certificatePem);
};

describe("a vote", () => {
  test("is signed and answered", async () => {
    expect(await client.ask(REQUEST)).toEqual({ kind: "answered", answer: ANSWER });
    const [received] = server.received;
    expect(received).toMatchObject({ method: "POST", path: "/v1/modules/shop/votes" });
    expect(JSON.parse(received?.body ?? "")).toEqual(REQUEST);
    expect(received && hasGoodSignature(received)).toBe(true);
  });

  test("takes a refusal by the witness as an answer, not as a failure", async () => {
    const refused = { ...ANSWER, kind: "refused", refusal: "deposed", record: null };
    server.handler = (_, response) => answerJson(response, 200, refused);
    expect(await client.ask(REQUEST)).toEqual({ kind: "answered", answer: refused });
  });

  test("uses one connection for many, with another nonce each", async () => {
    for (let n = 0; n < 5; n += 1) await client.ask(REQUEST);
    expect(server.connections).toBe(1);
    const nonces = server.received.map(({ headers }) => headers[SIGNATURE_HEADERS.nonce]);
    expect(new Set(nonces).size).toBe(5);
  });

  test("is asked again at once when the kept connection turns out to be closed", async () => {
    await client.ask(REQUEST);
    let isFirst = true;
    server.handler = (received, response) => {
      if (isFirst) response.socket?.destroy();
      else serveAnswer(received, response);
      isFirst = false;
    };
    expect((await client.ask(REQUEST)).kind).toBe("answered");
    expect(server.received).toHaveLength(3);
  });

  test("is signed by the server's clock when ours is an hour off", async () => {
    const serverNowMs = clockMs + 3_600_000;
    server.handler = (received, response) => {
      const timeMs = Number(received.headers[SIGNATURE_HEADERS.time]);
      if (Math.abs(timeMs - serverNowMs) < 300_000) return serveAnswer(received, response);
      const error = { code: "clockSkew", message: "far off", remedy: "", requestId: "r" };
      answerJson(response, 401, { ...error, serverTimeMs: serverNowMs });
    };
    expect((await client.ask(REQUEST)).kind).toBe("answered");
    expect(client.clockOffset?.offsetMs).toBe(3_600_000);
    expect((await client.ask(REQUEST)).kind).toBe("answered");
    expect(server.received).toHaveLength(3);
  });
});

const apiError = { code: "internal", message: "no", remedy: "", requestId: "r" };
const misbehaviours: [string, (response: ServerResponse) => void][] = [
  ["429", (response) => answerJson(response, 429, { ...apiError, code: "tooMany" })],
  ["500", (response) => answerJson(response, 500, apiError)],
  ["503 without a word", (response) => response.writeHead(503).end()],
  ["403", (response) => answerJson(response, 403, { ...apiError, code: "forbidden" })],
  ["an empty 200", (response) => response.writeHead(200).end()],
  ["an HTML page", (response) => response.writeHead(200).end("<html>Welcome to the hotel</html>")],
  ["JSON of another form", (response) => answerJson(response, 200, { granted: true })],
  [
    "the answer to another request",
    (response) => answerJson(response, 200, { ...ANSWER, requestId: "node2-9" }),
  ],
  [
    "half an answer",
    (response) => {
      response.writeHead(200, { "content-length": "1000" });
      response.write(JSON.stringify(ANSWER), () => response.destroy());
    },
  ],
  ["a redirect", (response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end()],
  ["silence", () => {}],
  [
    "a body without an end",
    (response) => {
      const fill = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", fill);
      fill();
    },
  ],
  ["garbage instead of HTTP", (response) => response.socket?.end("\u0000\u0001 what?\r\n\r\n")],
];

describe("a vote's outcome stays unknown, and nothing is thrown, on", () => {
  test.each(misbehaviours)("%s", async (name, misbehave) => {
    server.handler = (_, response) => misbehave(response);
    const outcome = await client.ask(REQUEST, 500);
    expect(outcome).toMatchObject({ kind: "unknown", needsPerson: name === "403" });
  });

  test("a server of another CA", async () => {
    const other = await TestAuthority.create("CN=other");
    client.close();
    identity = { ...identity, caPem: other.caPem };
    client = start();
    expect(await client.ask(REQUEST)).toMatchObject({ kind: "unknown", needsPerson: false });
    expect(server.received).toEqual([]);
  });

  test("a node of the cluster in the control plane's place", async () => {
    const impostor = await startTestControlPlane(authority, serveAnswer, { name: "node2" });
    client.close();
    identity = { ...identity, controlPlaneUrl: impostor.url };
    client = start();
    expect((await client.ask(REQUEST)).kind).toBe("unknown");
    expect(impostor.received).toEqual([]);
    await impostor.close();
  });

  test("nobody there", async () => {
    await server.close();
    expect(await client.ask(REQUEST)).toMatchObject({ kind: "unknown" });
  });
});

test("a control plane that fails is asked three times at once, then once a second", async () => {
  server.handler = (_, response) => answerJson(response, 500, apiError);
  for (let n = 0; n < 10; n += 1) await client.ask(REQUEST);
  expect(server.received).toHaveLength(3);
  for (let second = 1; second <= 10; second += 1) {
    bootMs += 1_000;
    for (let n = 0; n < 5; n += 1) await client.ask(REQUEST);
  }
  expect(server.received.length).toBeGreaterThan(10);
  expect(server.received.length).toBeLessThanOrEqual(13);
  server.handler = serveAnswer;
  bootMs += 1_000;
  expect((await client.ask(REQUEST)).kind).toBe("answered");
});

test("a wall clock that goes back an hour does not keep a node from asking", async () => {
  server.handler = (_, response) => answerJson(response, 500, apiError);
  for (let n = 0; n < 10; n += 1) await client.ask(REQUEST);
  clockMs -= 3_600_000;
  bootMs += 2_000;
  server.handler = serveAnswer;
  expect((await client.ask(REQUEST)).kind).toBe("answered");
});

test("an archive is taken only with the hash that was promised", async () => {
  const archive = Buffer.from("PK of a module");
  server.handler = (_, response) => {
    response.writeHead(200, { "content-type": "application/zip" });
    response.end(archive);
  };
  const sha256 = createHash("sha256").update(archive).digest("hex");
  expect(await client.archive("shop", sha256)).toEqual({ ok: true, value: archive });
  expect(await client.archive("shop", "0".repeat(64))).toMatchObject({ ok: false });
});

test("a long poll ends with its signal", async () => {
  server.handler = () => {};
  const end = new AbortController();
  const polled = client.commands(["a", "b"], 20_000, end.signal);
  while (server.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(server.received[0]?.path).toBe("/v1/nodes/self/commands?known=a%2Cb&waitMs=20000");
  end.abort();
  expect(await polled).toMatchObject({ ok: false, error: { kind: "unknown" } });
});

test("what the control plane refuses in words is told as such", async () => {
  const error = { ...apiError, code: "conflict", message: "already final", remedy: "forget it" };
  server.handler = (_, response) => answerJson(response, 409, error);
  const answered = await client.acknowledge([{ id: "c1", outcome: "done", text: "" }]);
  expect(answered).toMatchObject({ ok: false, error: { kind: "refused", error, status: 409 } });
});
