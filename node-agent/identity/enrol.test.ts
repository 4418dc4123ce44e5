// The certificate library reads decorator metadata, so this import comes before it.
import "reflect-metadata";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { EnrolRequest, nodeUri } from "#model/contract/enrolment.ts";
import {
  answerJson,
  type Handler,
  startTestControlPlane,
} from "../control-plane/testing/test-control-plane.ts";
import { enrol } from "./enrol.ts";
import { loadIdentity } from "./identity-store.ts";
import { isSignedBy, signingKey, signText } from "./node-signature.ts";
import { keepCertificateFresh, renewalDueMs } from "./renewal.ts";
import { TestAuthority } from "./testing/test-authority.ts";

const SECRET = "s".repeat(43);

let authority: TestAuthority;
let other: TestAuthority;
let stateDirectory: string;
const cleanUps: (() => Promise<void>)[] = [];

beforeAll(async () => {
  authority = await TestAuthority.create();
  other = await TestAuthority.create("CN=other");
});
beforeEach(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), "mirrorfarm-enrol-"));
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
  await rm(stateDirectory, { recursive: true, force: true });
});

/** What a control plane does with an enrolment; `RenewRequest` has the same `csr`. */
const certify =
  (nodeId = "node1"): Handler =>
  async (received, response) => {
    const { csr } = z.object({ csr: z.string() }).parse(JSON.parse(received.body));
    const request = new x509.Pkcs10CertificateRequest(csr);
    if (!(await request.verify())) throw new Error("the request is not signed by its key");
    const notBefore = new Date(Math.floor(Date.now() / 1000) * 1000);
    const notAfter = new Date(notBefore.getTime() + 3_600_000);
    const certificate = await authority.sign(request.publicKey, {
      names: [
        { type: "dns", value: nodeId },
        { type: "url", value: nodeUri("lab", nodeId) },
      ],
      notBefore,
      notAfter,
    });
    answerJson(response, 200, {
      clusterId: "lab",
      nodeId,
      certificate,
      caCertificate: authority.caPem,
      notBeforeMs: notBefore.getTime(),
      notAfterMs: notAfter.getTime(),
      serverTimeMs: Date.now(),
    });
  };

async function serve(handler: Handler, options = {}, by = authority) {
  const server = await startTestControlPlane(by, handler, options);
  cleanUps.push(() => server.close());
  return server;
}

const enrolAt = (controlPlaneUrl: string, token = `mft1.${SECRET}.${authority.fingerprint}`) =>
  enrol({ stateDirectory, controlPlaneUrl, token, nodeId: "node1" });

describe("enrolment", () => {
  test("turns a token into an identity that is there after a restart", async () => {
    const server = await serve(certify());
    const enrolled = await enrolAt(server.url);
    expect(enrolled.ok && enrolled.value.clusterId).toBe("lab");
    expect(await loadIdentity(stateDirectory)).toEqual(enrolled);
    const asked = EnrolRequest.parse(JSON.parse(server.received[0]?.body ?? ""));
    expect(asked).toMatchObject({ nodeId: "node1" });
    expect((await stat(join(stateDirectory, "node.key"))).mode & 0o777).toBe(0o600);
    if (!enrolled.ok) return;
    const { keyPem, certificatePem } = enrolled.value;
    const signature = signText("a text", signingKey(keyPem));
    expect(isSignedBy("a text", signature, certificatePem)).toBe(true);
    expect(isSignedBy("another text", signature, certificatePem)).toBe(false);
    expect(isSignedBy("a text", "nonsense", certificatePem)).toBe(false);
  });

  test("never shows the token to a server without the CA of its fingerprint", async () => {
    const server = await serve(certify(), {}, other);
    const enrolled = await enrolAt(server.url);
    expect(enrolled).toMatchObject({ ok: false, error: { kind: "wrongControlPlane" } });
    expect(server.received).toEqual([]);
  });

  test("nor to one that shows the right CA beside a certificate of another one", async () => {
    const server = await startTestControlPlane(other, certify(), { showsCa: false });
    cleanUps.push(() => server.close());
    // The chain it shows cannot lead to our CA, whatever else it sends: verified by TLS itself.
    const enrolled = await enrolAt(server.url);
    expect(enrolled.ok).toBe(false);
    expect(server.received).toEqual([]);
  });

  test("nor to a node of the cluster that poses as the control plane", async () => {
    const server = await serve(certify(), { name: "node2" });
    const enrolled = await enrolAt(server.url);
    expect(enrolled).toMatchObject({ ok: false, error: { kind: "unreachable" } });
    expect(server.received).toEqual([]);
  });

  test("says what the control plane says when the token is spent", async () => {
    const server = await serve((_, response) =>
      answerJson(response, 401, {
        code: "badToken",
        message: "this token has been used",
        remedy: "make a new one",
        requestId: "r1",
      }),
    );
    const message = "this token has been used (make a new one)";
    expect(await enrolAt(server.url)).toEqual({ ok: false, error: { kind: "badToken", message } });
    expect(await loadIdentity(stateDirectory)).toMatchObject({ error: { kind: "notEnrolled" } });
  });

  test("repeats with the same key when the answer was lost", async () => {
    const server = await serve((_, response) => response.destroy());
    expect(await enrolAt(server.url)).toMatchObject({ error: { kind: "unreachable" } });
    const keyBefore = await readFile(join(stateDirectory, "node.key"), "utf8");
    server.handler = certify();
    expect((await enrolAt(server.url)).ok).toBe(true);
    expect(await readFile(join(stateDirectory, "node.key"), "utf8")).toBe(keyBefore);
  });

  test.each([
    ["mft1.short.00", "https://127.0.0.1:1", "badToken"],
    [`mft1.${SECRET}.${"0".repeat(64)}`, "http://127.0.0.1:1", "unreachable"],
    [`mft1.${SECRET}.${"0".repeat(64)}`, "https://127.0.0.1:1", "unreachable"],
  ])("fails in words: %s at %s", async (token, url, kind) => {
    expect(await enrolAt(url, token)).toMatchObject({ ok: false, error: { kind } });
  });
});

describe("a stored identity", () => {
  const enrolled = async () => {
    const server = await serve(certify());
    await enrolAt(server.url);
  };

  test("is damaged when key and certificate do not belong together", async () => {
    await enrolled();
    const { keyPem } = await other.issueNode("lab", "node1");
    await writeFile(join(stateDirectory, "node.key"), keyPem);
    expect(await loadIdentity(stateDirectory)).toMatchObject({
      error: { kind: "damaged", detail: "node.key is not the key of node.crt" },
    });
  });

  test.each(["node.json", "node.crt", "node.key"])("is damaged when %s is", async (name) => {
    await enrolled();
    await writeFile(join(stateDirectory, name), "{");
    expect(await loadIdentity(stateDirectory)).toMatchObject({ error: { kind: "damaged" } });
  });

  test("closes a key file that others may read", async () => {
    await enrolled();
    await chmod(join(stateDirectory, "node.key"), 0o644);
    await loadIdentity(stateDirectory);
    expect((await stat(join(stateDirectory, "node.key"))).mode & 0o777).toBe(0o600);
  });
});

test("a certificate is renewed at half of its life, with the same key", async () => {
  const server = await serve(certify());
  const enrolled = await enrolAt(server.url);
  if (!enrolled.ok) throw new Error(enrolled.error.message);
  const identity = enrolled.value;
  const { notBeforeMs, notAfterMs } = identity;
  expect(renewalDueMs(identity)).toBe(notBeforeMs + (notAfterMs - notBeforeMs) / 2);
  const end = new AbortController();
  const renewedCertificates: string[] = [];
  const keep = (nowMs: number): Promise<void> =>
    keepCertificateFresh(identity, {
      nowMs: () => nowMs,
      stateDirectory,
      renew: async (csr) => {
        const request = new x509.Pkcs10CertificateRequest(csr);
        const certificate = await authority.sign(request.publicKey, {
          names: [{ type: "dns", value: "node1" }],
        });
        const later = { notBeforeMs: nowMs, notAfterMs: nowMs + 3_600_000, serverTimeMs: nowMs };
        const names = { clusterId: "lab", nodeId: "node1" };
        return { ok: true, value: { ...names, certificate, caCertificate: "", ...later } };
      },
      onRenewed: ({ certificatePem, keyPem }) => {
        expect(keyPem).toBe(identity.keyPem);
        renewedCertificates.push(certificatePem);
        end.abort();
      },
      signal: end.signal,
    });
  const tooEarly = keep(renewalDueMs(identity) - 60_000);
  await keep(renewalDueMs(identity));
  await tooEarly;
  expect(renewedCertificates).toHaveLength(1);
  expect(await readFile(join(stateDirectory, "node.crt"), "utf8")).toBe(renewedCertificates[0]);
});
