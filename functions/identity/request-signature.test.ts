import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { describe, expect, test } from "vitest";
import { canonicalRequest } from "#model/contract/signature.ts";
import { type IncomingRequest, SignatureJudge } from "./request-signature.ts";

const NOW_MS = 1_800_000_000_000;
const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
const publicKey = keys.publicKey.export({ format: "der", type: "spki" }).toString("base64");

function newJudge() {
  const clock = { nowMs: NOW_MS };
  const findKey = async (clusterId: string, nodeId: string) =>
    clusterId === "prod" && nodeId === "node1" ? publicKey : null;
  const judge = new SignatureJudge(findKey, () => clock.nowMs);
  clock.nowMs += 600_000;
  return { judge, clock };
}

interface Wish {
  timeMs: number;
  nonce?: string;
  node?: string;
  key?: typeof keys.privateKey;
}
function request({ timeMs, nonce, node, key }: Wish, sent: Partial<IncomingRequest> = {}) {
  const headers = {
    node: node ?? "prod/node1",
    timeMs: `${timeMs}`,
    nonce: nonce ?? randomBytes(16).toString("base64url"),
  };
  const body = Buffer.from('{"a":1}');
  const text = canonicalRequest({
    method: "POST",
    path: "/v1/nodes/self/report?x=1",
    bodySha256: createHash("sha256").update(body).digest("hex"),
    timeMs,
    nonce: headers.nonce,
    node: headers.node,
  });
  const signature = sign("sha256", Buffer.from(text), {
    key: key ?? keys.privateKey,
    dsaEncoding: "ieee-p1363",
  }).toString("base64url");
  const all = { ...headers, signature };
  const header: IncomingRequest["header"] = (name) => all[name];
  return { method: "POST", path: "/v1/nodes/self/report?x=1", body, header, ...sent };
}

const code = (judged: Awaited<ReturnType<SignatureJudge["judge"]>>) =>
  judged.ok ? "ok" : judged.error.code;

describe("a signed request", () => {
  test("is believed once", async () => {
    const { judge, clock } = newJudge();
    const genuine = request({ timeMs: clock.nowMs });
    expect(await judge.judge(genuine)).toEqual({
      ok: true,
      value: { clusterId: "prod", nodeId: "node1" },
    });
    expect(code(await judge.judge(genuine))).toBe("replayed");
  });

  test("is not believed when method, path, query or body are others than signed", async () => {
    const { judge, clock } = newJudge();
    const changes: Partial<IncomingRequest>[] = [
      { method: "PUT" },
      { path: "/v1/nodes/self/commands?x=1" },
      { path: "/v1/nodes/self/report?x=2" },
      { path: "/v1/nodes/self/report" },
      { body: Buffer.from('{"a":2}') },
      { body: Buffer.alloc(0) },
    ];
    for (const change of changes) {
      expect(code(await judge.judge(request({ timeMs: clock.nowMs }, change)))).toBe(
        "badSignature",
      );
    }
  });

  test("is not believed for another node, an unknown one, or from another key", async () => {
    const { judge, clock } = newJudge();
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    const timeMs = clock.nowMs;
    expect(code(await judge.judge(request({ timeMs, key: other })))).toBe("badSignature");
    expect(code(await judge.judge(request({ timeMs, node: "prod/node2" })))).toBe("badSignature");
    expect(code(await judge.judge(request({ timeMs, node: "dev/node1" })))).toBe("badSignature");
  });

  test("far from our time is told our time, so that the node can sign again", async () => {
    const { judge, clock } = newJudge();
    for (const skewMs of [-300_001, 300_001]) {
      const judged = await judge.judge(request({ timeMs: clock.nowMs + skewMs }));
      expect(judged.ok ? null : judged.error).toMatchObject({
        code: "clockSkew",
        serverTimeMs: clock.nowMs,
      });
    }
    for (const skewMs of [-300_000, 300_000]) {
      expect(code(await judge.judge(request({ timeMs: clock.nowMs + skewMs })))).toBe("ok");
    }
  });

  test("from before this process started is refused: its nonce is forgotten", async () => {
    const { judge, clock } = newJudge();
    clock.nowMs = NOW_MS + 1000;
    expect(code(await judge.judge(request({ timeMs: NOW_MS - 1 })))).toBe("clockSkew");
    expect(code(await judge.judge(request({ timeMs: NOW_MS })))).toBe("ok");
  });

  test("with a nonce seen before is refused for as long as its time is acceptable", async () => {
    const { judge, clock } = newJudge();
    const early = request({ timeMs: clock.nowMs + 299_000 });
    expect(code(await judge.judge(early))).toBe("ok");
    clock.nowMs += 598_000;
    expect(code(await judge.judge(request({ timeMs: clock.nowMs })))).toBe("ok");
    expect(code(await judge.judge(early))).toBe("replayed");
  });

  test("without its headers is not signed at all", async () => {
    const { judge } = newJudge();
    const bare = { method: "GET", path: "/", body: Buffer.alloc(0), header: () => null };
    expect(code(await judge.judge(bare))).toBe("notSignedIn");
  });
});
