import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, TestServer } from "../testing/test-server.ts";

let server: TestServer;
let cookie = "";
beforeAll(async () => {
  server = await TestServer.start();
  const folder = join(server.folder, "console");
  mkdirSync(join(folder, "assets"), { recursive: true });
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>console</title>");
  writeFileSync(join(folder, "assets", "index-1a2b.js"), "export {};");
  writeFileSync(join(server.folder, "outside.txt"), "outside");
  const signIn = await call("GET", server.served.url);
  cookie = String(signIn.headers["set-cookie"]?.[0]).split(";")[0] ?? "";
});
afterAll(() => server.stop());

const get = (path: string, headers: Record<string, string> = {}) =>
  call("GET", `${server.served.apiUrl}${path}`, { headers });
const put = (headers: Record<string, string>) =>
  call("PUT", `${server.served.apiUrl}/v1/clusters/other`, {
    headers: { "content-type": "application/json", ...headers },
    body: "{}",
  });
const ownOrigin = () => server.served.apiUrl;

describe("the people's listener", () => {
  test("answers to its own names only, so no other name can be pointed at it", async () => {
    const { port } = new URL(server.served.apiUrl);
    for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1", "127.0.0.1:1"]) {
      expect((await get("/v1/health", { host })).json).toMatchObject({ code: "hostRefused" });
    }
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `LOCALHOST:${port}`]) {
      expect((await get("/v1/health", { host })).status).toBe(200);
    }
  });

  test("refuses what another page makes a browser send", async () => {
    const foreign = ["https://evil.example", "null", "http://127.0.0.1:1"];
    for (const origin of foreign) {
      expect((await put({ cookie, origin })).json).toMatchObject({ code: "originRefused" });
      expect((await get("/v1/clusters", { cookie, origin })).status).toBe(403);
    }
    for (const site of ["cross-site", "same-site"]) {
      const headers = { cookie, "sec-fetch-site": site };
      expect((await put(headers)).json).toMatchObject({ code: "originRefused" });
      expect((await get("/v1/clusters", headers)).json).toMatchObject({ code: "originRefused" });
    }
  });

  test("lets a link from elsewhere open the console's page", async () => {
    const page = await get("/c/prod", { "sec-fetch-site": "cross-site" });
    expect(page.status).toBe(200);
    expect(page.text).toContain("<title>console</title>");
  });

  test("takes changes with a cookie only from a page that is provably ours", async () => {
    expect((await put({ cookie })).json).toMatchObject({ code: "originRefused" });
    expect((await put({ cookie, origin: ownOrigin() })).status).toBe(200);
    expect((await put({ cookie, "sec-fetch-site": "same-origin" })).status).toBe(200);
  });

  test("trades the secret for a cookie that scripts and other sites cannot use", async () => {
    const answer = await call("GET", server.served.url);
    expect(answer.status).toBe(303);
    expect(answer.headers["location"]).toBe("/");
    const given = String(answer.headers["set-cookie"]?.[0]);
    expect(given).toContain("HttpOnly");
    expect(given).toContain("SameSite=Strict");
    expect(given).not.toContain(server.secret);
    expect((await get("/v1/me", { cookie })).status).toBe(200);
    expect((await get(`/?secret=${"x".repeat(43)}`)).status).toBe(401);
  });

  test("refuses a cookie that was changed", async () => {
    const [name, value = ""] = cookie.split("=", 2);
    const [person, endsAtMs, mac] = value.split(".");
    const forged = [
      `${person}.${Number(endsAtMs) + 1}.${mac}`,
      `other.${endsAtMs}.${mac}`,
      `${person}.${endsAtMs}.${"A".repeat(43)}`,
      `${person}.${endsAtMs}`,
    ];
    for (const text of forged) {
      expect((await get("/v1/me", { cookie: `${name}=${text}` })).status).toBe(401);
    }
  });

  test("sends the headers that keep a page from being framed, sniffed or fed with script", async () => {
    for (const path of ["/", "/v1/health", "/v1/nothing", "/assets/index-1a2b.js"]) {
      const { headers } = await get(path);
      expect(headers["content-security-policy"]).toContain("default-src 'self'");
      expect(headers["content-security-policy"]).not.toContain("unsafe");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["referrer-policy"]).toBe("no-referrer");
    }
  });

  test("serves the console's files and nothing outside its folder", async () => {
    const asset = await get("/assets/index-1a2b.js");
    expect(asset.headers["cache-control"]).toContain("immutable");
    expect((await get("/assets/missing.js")).status).toBe(404);
    const { hostname, port } = new URL(server.served.apiUrl);
    for (const path of [
      "/../outside.txt",
      "/..%2foutside.txt",
      "/assets/../../outside.txt",
      "//etc/passwd",
    ]) {
      const text = await new Promise<string>((resolve, reject) => {
        request({ hostname, port, path }, (response) => {
          let body = "";
          response.on("data", (chunk) => {
            body += String(chunk);
          });
          response.on("end", () => resolve(body));
        })
          .on("error", reject)
          .end();
      });
      expect(text).not.toContain("outside");
      expect(text).not.toContain("root:");
    }
  });
});

describe("a hostile request", () => {
  const secret = () => ({ authorization: `Bearer ${server.secret}` });
  const path = "/v1/clusters/prod/modules/shop/commands";
  const post = (body: string | Uint8Array, type = "application/json") =>
    call("POST", `${server.served.apiUrl}${path}`, {
      headers: { ...secret(), "content-type": type, "idempotency-key": "k" },
      body,
    });

  test("with a body over the bound is refused before it is read", async () => {
    const declared = await raw(
      `POST ${path} HTTP/1.1\r\nhost: ${new URL(server.served.apiUrl).host}\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n\r\n`,
    );
    expect(declared).toContain("413");
    expect((await post(`"${"x".repeat(300_000)}"`)).status).toBe(413);
  });

  test("with a body that is not what the route takes is refused, and never echoed", async () => {
    const bad = ["", "{", "[".repeat(100_000), "\ufeff{}", '{"kind":"explode"}', "null", "[]"];
    for (const body of bad) {
      const answer = await post(body);
      expect(answer.status, body.slice(0, 20)).toBe(400);
      expect(answer.text).not.toContain("explode");
    }
    expect((await post(new Uint8Array([0x22, 0xff, 0x22]))).status).toBe(400);
    expect((await post("{}", "text/plain")).status).toBe(415);
  });

  test("with names from a prototype changes nothing but its own answer", async () => {
    const answer = await post('{"kind":"start","__proto__":{"role":"admin"},"constructor":1}');
    expect(answer.json).toMatchObject({ code: "notFound" });
    expect(Reflect.get({}, "role")).toBeUndefined();
  });

  test("with a role or an owner in its body is not given them", async () => {
    const made = await server.admin("POST", "/v1/people", {
      name: "x",
      role: "viewer",
      id: "admin",
    });
    expect(made.json).not.toMatchObject({ id: "admin" });
  });

  test("for an unknown path, method or number gets a plain refusal", async () => {
    const cases = [
      ["GET", "/v1/clusters/UPPER", 404],
      ["POST", "/v1/health", 404],
      ["GET", "/v1/clusters/prod/changes?after=-1", 400],
      ["GET", "/v1/clusters/prod/changes?after=1e400", 400],
      ["GET", "/v1/clusters/prod/events?limit=1000000000", 400],
      ["GET", "/v1/clusters/prod/events?limit=x", 400],
    ] as const;
    for (const [method, where, status] of cases) {
      const answer = await call(method, `${server.served.apiUrl}${where}`, { headers: secret() });
      expect(answer.status, where).toBe(status);
      expect(answer.text).not.toMatch(/node_modules|\.ts:| {4}at /);
    }
  });

  test("with two lengths, or a header without end, is cut off", async () => {
    const { host } = new URL(server.served.apiUrl);
    const smuggled = await raw(
      `POST /v1/health HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    );
    expect(smuggled).toContain("400");
    const long = await raw(`GET / HTTP/1.1\r\nhost: ${host}\r\nx: ${"y".repeat(40_000)}\r\n\r\n`);
    expect(long).toContain("431");
    expect(await raw(`TRACE / HTTP/1.1\r\nhost: ${host}\r\n\r\n`)).not.toContain(" 200 ");
  });

  /** Bytes as given; answers with the first bytes that come back. */
  function raw(text: string): Promise<string> {
    const { hostname, port } = new URL(server.served.apiUrl);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.setTimeout(5_000, () => socket.destroy(new Error("no answer")));
      socket.on("error", reject);
      socket.once("data", (chunk) => {
        resolve(chunk.toString("latin1").slice(0, 200));
        socket.destroy();
      });
      socket.write(text);
    });
  }
});
