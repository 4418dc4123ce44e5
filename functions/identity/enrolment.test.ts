import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CONTROL_PLANE_DNS_NAME, nodeUri, TokenAnswer } from "#model/contract/enrolment.ts";
import { TestNode } from "../testing/test-node.ts";
import { TestServer } from "../testing/test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await TestServer.start();
});
afterAll(() => server.stop());

async function token(node: string, more: object = {}): Promise<string> {
  const made = await server.admin("POST", "/v1/clusters/prod/tokens", { node, ...more });
  return TokenAnswer.parse(made.json).token;
}

describe("enrolment", () => {
  test("gives a certificate that names the node and its cluster, signed by the CA", async () => {
    const node = await TestNode.enrolled(server, "node1");
    const leaf = new X509Certificate(node.certificate.certificate);
    const ca = new X509Certificate(server.served.caCertificate);
    expect(leaf.verify(ca.publicKey)).toBe(true);
    expect(leaf.checkIssued(ca)).toBe(true);
    expect(leaf.subjectAltName).toContain("DNS:node1");
    expect(leaf.subjectAltName).toContain(`URI:${nodeUri("prod", "node1")}`);
    expect(leaf.ca).toBe(false);
    const days = (node.certificate.notAfterMs - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.9);
    expect(days).toBeLessThanOrEqual(7);
    expect((await node.call("GET", "/v1/nodes/self/configuration")).status).toBe(200);
  });

  test("takes a token once, also from two at the same moment", async () => {
    const text = await token("node2");
    const nodes = await Promise.all([
      TestNode.make(server, "node2"),
      TestNode.make(server, "node2"),
    ]);
    const answers = await Promise.all(nodes.map((node) => node.enrol(text)));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 401]);
    const again = await nodes[0]?.enrol(text);
    expect(again?.json).toMatchObject({ code: "badToken" });
  });

  test("refuses a token for another node, and does not spend it on that", async () => {
    const text = await token("node3");
    const node = await TestNode.make(server, "node3");
    expect((await node.enrol(text, "node4")).status).toBe(401);
    expect((await node.enrol(text)).status).toBe(200);
  });

  test("refuses a token with a changed secret or of another CA", async () => {
    const text = await token("node5");
    const [head = "", secret = "", fingerprint = ""] = text.split(".");
    const node = await TestNode.make(server, "node5");
    const swapped = secret.startsWith("A") ? `B${secret.slice(1)}` : `A${secret.slice(1)}`;
    expect((await node.enrol(`${head}.${swapped}.${fingerprint}`)).status).toBe(401);
    expect((await node.enrol(`${head}.${secret}.${"0".repeat(64)}`)).status).toBe(401);
    expect((await node.enrol("mft1.x.y")).status).toBe(400);
  });

  test("stores no token that would let anyone in", async () => {
    const text = await token("node6");
    const secret = text.split(".")[1] ?? "";
    const { readFileSync } = await import("node:fs");
    const files = ["control-plane.db", "control-plane.db-wal"];
    for (const file of files) {
      expect(readFileSync(`${server.folder}/state/${file}`).includes(secret)).toBe(false);
    }
  });

  test("refuses a request that is no certificate request", async () => {
    const text = await token("node7");
    const node = await TestNode.make(server, "node7");
    const csr = `-----BEGIN CERTIFICATE REQUEST-----\n${"A".repeat(64)}\n-----END CERTIFICATE REQUEST-----\n`;
    node.csr = async () => csr;
    expect((await node.enrol(text)).json).toMatchObject({ code: "badRequest" });
  });

  test("renews for the same key only", async () => {
    const node = await TestNode.enrolled(server, "node8");
    const renewed = await node.call("POST", "/v1/nodes/self/certificate", {
      csr: await node.csr(),
    });
    expect(renewed.status).toBe(200);
    const stranger = await TestNode.make(server, "node8");
    const csr = await stranger.csr();
    expect((await node.call("POST", "/v1/nodes/self/certificate", { csr })).status).toBe(403);
  });

  test("ends when the node is taken out of the cluster", async () => {
    const node = await TestNode.enrolled(server, "node9");
    const path = "/v1/nodes/self/configuration?waitMs=0";
    expect((await node.call("GET", path)).status).toBe(200);
    const nodes = [{ id: "node1", addresses: {} }];
    expect((await server.admin("PUT", "/v1/clusters/prod", { nodes })).status).toBe(200);
    expect((await node.call("GET", path)).json).toMatchObject({ code: "badSignature" });
  });

  test("the listener shows the CA of the token at the first contact", async () => {
    const url = new URL(server.served.agentUrl);
    const socket = connect({
      host: url.hostname,
      port: Number(url.port),
      ca: server.served.caCertificate,
      servername: CONTROL_PLANE_DNS_NAME,
    });
    await new Promise((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
    });
    const issuer = socket.getPeerCertificate(true).issuerCertificate;
    const fingerprint = issuer.fingerprint256.replaceAll(":", "").toLowerCase();
    expect(fingerprint).toBe(server.served.caFingerprint);
    expect(socket.getProtocol()).toBe("TLSv1.3");
    socket.destroy();
  });
});
