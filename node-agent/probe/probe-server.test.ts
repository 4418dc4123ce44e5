import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Probe, type ProbeAnswer, startProbe } from "./probe-server.ts";

let probe: Probe;
let answers: Record<string, ProbeAnswer>;
beforeEach(async () => {
  answers = { shop: "ready", pg: "fenced", web: "notReady" };
  const answer = (moduleId: string): ProbeAnswer => answers[moduleId] ?? "notReady";
  const started = await startProbe({ host: "127.0.0.1", port: 0, answer });
  if (!started.ok) throw new Error(started.error);
  probe = started.value;
});
afterEach(async () => await probe.close());

async function ask(path: string, method = "GET") {
  return await new Promise<{ status: number; text: string; connection: string | undefined }>(
    (resolve, reject) => {
      const options = { host: "127.0.0.1", port: probe.port, path, method };
      const sent = request(options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        const { statusCode, headers } = response;
        response.once("end", () =>
          resolve({ status: statusCode ?? 0, text, connection: headers.connection }),
        );
      });
      sent.once("error", reject);
      sent.end();
    },
  );
}

test("says 200 only for a module that is ready, 404 otherwise and 503 while fenced", async () => {
  expect(await ask("/var/modules/shop/ready.txt")).toMatchObject({ status: 200, text: "ready\n" });
  expect(await ask("/var/modules/web/ready.txt")).toMatchObject({ status: 404 });
  expect(await ask("/var/modules/pg/ready.txt")).toMatchObject({ status: 503 });
  expect(await ask("/var/modules/nobody/ready.txt")).toMatchObject({ status: 404 });
});

test("answers from the moment of the request, never from memory", async () => {
  expect((await ask("/var/modules/shop/ready.txt")).status).toBe(200);
  answers = { shop: "fenced" };
  expect((await ask("/var/modules/shop/ready.txt")).status).toBe(503);
});

test.each([
  "/",
  "/var/modules/shop/ready.txt/",
  "/var/modules/shop",
  "/var/modules/../../etc/passwd",
  "/var/modules/sh%6Fp/ready.txt",
  "/var/modules//ready.txt",
])("knows no other path: %s", async (path) => {
  expect((await ask(path)).status).toBe(404);
});

test("takes HEAD and a query as load balancers send them, and nothing that changes", async () => {
  expect(await ask("/var/modules/shop/ready.txt", "HEAD")).toMatchObject({ status: 200, text: "" });
  expect((await ask("/var/modules/shop/ready.txt?node=1")).status).toBe(200);
  expect((await ask("/var/modules/shop/ready.txt", "POST")).status).toBe(405);
});

test("keeps no connection open", async () => {
  expect((await ask("/var/modules/shop/ready.txt")).connection).toBe("close");
});

test("refuses a head that is too large instead of buffering it", async () => {
  const socket = connect(probe.port, "127.0.0.1");
  const answer = await new Promise<string>((resolve) => {
    let text = "";
    socket.on("data", (part) => {
      text += part;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", () => undefined);
    socket.write(`GET /var/modules/shop/ready.txt HTTP/1.1\r\nx: ${"a".repeat(100_000)}\r\n\r\n`);
  });
  expect(answer).not.toContain("200 OK");
});

test("says why when its port is taken", async () => {
  const second = await startProbe({
    host: "127.0.0.1",
    port: probe.port,
    answer: () => "ready",
  });
  expect(second).toMatchObject({ ok: false, error: expect.stringContaining("EADDRINUSE") });
});
