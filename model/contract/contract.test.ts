import { describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { NodeCommand, Operation } from "./commands.ts";
import { Address, ClusterName, ModuleName } from "./common.ts";
import { NodeConfiguration } from "./configuration.ts";
import { EnrolmentToken, parseEnrolmentToken } from "./enrolment.ts";
import { ApiError, ERROR_STATUS } from "./errors.ts";
import { EVENT_KINDS, EventDraft, EventRecord } from "./events.ts";
import { FailoverPicture } from "./failover.ts";
import { NodeReport } from "./report.ts";
import { canonicalRequest, parseSigner } from "./signature.ts";
import { Changes, ClusterSnapshot } from "./snapshot.ts";
import { VoteAnswerSchema, VoteRequestSchema, WitnessRecordSchema } from "./votes.ts";

describe("names", () => {
  test.each(["node1", "a", "n-1.zone", "0"])("%s is a cluster's or a node's", (name) => {
    expect(ClusterName.safeParse(name).success).toBe(true);
  });
  test.each(["", "Node1", "-a", "a-", "a/b", "a..", "ä", "a\n", "x".repeat(64), "a b"])(
    "%j is none",
    (name) => {
      expect(ClusterName.safeParse(name).success).toBe(false);
    },
  );
  test.each(["", ".", "..", "a.b", "a/b", "-a", "a\n", "__proto__"])(
    "%j is no module's",
    (name) => {
      expect(ModuleName.safeParse(name).success).toBe(false);
    },
  );
  test.each(["10.0.0.1", "fe80::1%eth0", "db.example"])("%s is an address", (text) => {
    expect(Address.safeParse(text).success).toBe(true);
  });
  test.each(["", "a b", "10.0.0.1\n", "$(id)", "a;b"])("%j is no address", (text) => {
    expect(Address.safeParse(text).success).toBe(false);
  });
});

describe("what is signed", () => {
  const request = {
    method: "POST",
    path: "/v1/nodes/self/report",
    bodySha256: "ab",
    timeMs: 1,
    nonce: "n",
    node: "prod/node1",
  };
  test("is one fixed text", () => {
    expect(canonicalRequest(request)).toBe(
      "mirrorfarm-request-1\nPOST\n/v1/nodes/self/report\nab\n1\nn\nprod/node1",
    );
  });
  test("differs whenever any part does", () => {
    const changes = [
      { method: "GET" },
      { path: "/v1/nodes/self/report?a" },
      { bodySha256: "ac" },
      { timeMs: 2 },
      { nonce: "m" },
      { node: "prod/node2" },
    ];
    const texts = changes.map((change) => canonicalRequest({ ...request, ...change }));
    expect(new Set([canonicalRequest(request), ...texts]).size).toBe(changes.length + 1);
  });
  test("names its signer by cluster and node", () => {
    expect(parseSigner("prod/node1")).toEqual({ clusterId: "prod", nodeId: "node1" });
    for (const text of ["prod", "prod/", "/node1", "a/b/c", "PROD/node1", ""]) {
      expect(parseSigner(text)).toBeNull();
    }
  });
});

describe("tokens", () => {
  const token = `mft1.${"a".repeat(43)}.${"0".repeat(64)}`;
  test("come apart into secret and fingerprint", () => {
    expect(parseEnrolmentToken(token)).toEqual({
      secret: "a".repeat(43),
      caFingerprint: "0".repeat(64),
    });
  });
  test.each(["", "mft2.x.y", token.slice(1), `${token}0`, token.toUpperCase()])(
    "%j is none",
    (text) => {
      expect(EnrolmentToken.safeParse(text).success).toBe(false);
      expect(parseEnrolmentToken(text)).toBeNull();
    },
  );
});

describe("events", () => {
  const draft = { id: "e1", atMs: 1, kind: "stateChanged", severity: "S", text: "changed" };
  test("take flat data with a bound, and nothing nested", () => {
    expect(EventDraft.safeParse({ ...draft, data: { from: "WAIT", epoch: 3 } }).success).toBe(true);
    expect(EventDraft.safeParse({ ...draft, data: { a: { b: 1 } } }).success).toBe(false);
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`k${i}`, i]));
    expect(EventDraft.safeParse({ ...draft, data: many }).success).toBe(false);
    expect(EventDraft.safeParse({ ...draft, text: "x".repeat(1001) }).success).toBe(false);
  });
  test("drop what they do not know, so that newer agents may say more", () => {
    expect(EventDraft.parse({ ...draft, mood: "good" })).toEqual(draft);
  });
  test("have kinds that are named as they are written", () => {
    for (const [key, kind] of Object.entries(EVENT_KINDS)) expect(kind).toBe(key);
  });
});

describe("the wire", () => {
  test.each<[string, z.ZodMiniType]>([
    ["report", NodeReport],
    ["event", EventRecord],
    ["snapshot", ClusterSnapshot],
    ["changes", Changes],
    ["configuration", NodeConfiguration],
    ["command", NodeCommand],
    ["operation", Operation],
    ["failover", FailoverPicture],
    ["error", ApiError],
    ["vote request", VoteRequestSchema],
    ["vote answer", VoteAnswerSchema],
    ["witness record", WitnessRecordSchema],
  ])("%s has a description, and takes neither nothing nor a bare value", (_name, schema) => {
    expect(z.toJSONSchema(schema, { unrepresentable: "any" })).toBeTypeOf("object");
    for (const value of [null, undefined, 1, "x", [], {}]) {
      expect(schema.safeParse(value).success).toBe(false);
    }
  });

  test("epochs are whole and safe numbers", () => {
    const grant = {
      kind: "grant",
      id: "r1",
      nodeId: "node1",
      moduleId: "shop",
      storeId: "s",
      version: 1,
      pairDecision: null,
      inSync: ["node1"],
    };
    expect(VoteRequestSchema.safeParse({ ...grant, epoch: 3 }).success).toBe(true);
    for (const epoch of ["3", 1.5, -1, 2 ** 53, Number.NaN, null]) {
      expect(VoteRequestSchema.safeParse({ ...grant, epoch }).success).toBe(false);
    }
  });

  test("every refusal has a status that says refused", () => {
    for (const status of Object.values(ERROR_STATUS)) expect(status).toBeGreaterThanOrEqual(400);
  });
});
