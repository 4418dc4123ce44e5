import { createHash, X509Certificate } from "node:crypto";
import { request } from "node:https";
import { connect, type DetailedPeerCertificate } from "node:tls";
import {
  CONTROL_PLANE_DNS_NAME,
  EnrolAnswer,
  parseEnrolmentToken,
} from "#model/contract/enrolment.ts";
import { ApiError } from "#model/contract/errors.ts";
import type { NodeId } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { createCertificateRequest } from "./certificate-request.ts";
import { loadOrCreateKey, type NodeIdentity, storeIdentity } from "./identity-store.ts";

/**
 * Enrolment: a one-time token becomes a certificate. The token carries the fingerprint of the
 * cluster's CA, so the node knows whom it talks to before it says anything: it looks at the chain
 * of an otherwise untrusted handshake, takes from it the CA certificate that has this fingerprint,
 * and sends the token only over a second connection that trusts this CA and nothing else.
 */
const CONNECT_MS_MAX = 10_000;
const ANSWER_BYTES_MAX = 262_144;
/** Certificates of a chain that are looked at. */
const CHAIN_MAX = 8;

export type EnrolOptions = {
  readonly stateDirectory: string;
  readonly controlPlaneUrl: string;
  readonly token: string;
  readonly nodeId: NodeId;
};

export type EnrolError =
  | { readonly kind: "badToken"; readonly message: string }
  | { readonly kind: "unreachable"; readonly message: string }
  /** Something answers there, but it is not the control plane that made the token. */
  | { readonly kind: "wrongControlPlane"; readonly message: string }
  | { readonly kind: "refused"; readonly message: string };

/** Enrols this node and keeps its identity on the disk. */
export async function enrol(options: EnrolOptions): Promise<Result<NodeIdentity, EnrolError>> {
  const { stateDirectory, controlPlaneUrl, token, nodeId } = options;
  const parts = parseEnrolmentToken(token.trim());
  if (parts === null) return err({ kind: "badToken", message: "this is no enrolment token" });
  const url = parseHttpsUrl(controlPlaneUrl);
  if (url === null) {
    return err({ kind: "unreachable", message: `${controlPlaneUrl} is no https:// address` });
  }
  const ca = await fetchPinnedCa(url, parts.caFingerprint);
  if (!ca.ok) return ca;
  const keyPem = await loadOrCreateKey(stateDirectory);
  const csr = await createCertificateRequest(keyPem, nodeId);
  const answered = await postEnrolment(url, ca.value, { token: token.trim(), nodeId, csr });
  if (!answered.ok) return answered;
  const { clusterId, certificate, caCertificate, notBeforeMs, notAfterMs } = answered.value;
  const identity: NodeIdentity = {
    clusterId,
    nodeId: answered.value.nodeId,
    controlPlaneUrl: url.origin,
    keyPem,
    certificatePem: certificate,
    caPem: caCertificate,
    notBeforeMs,
    notAfterMs,
  };
  await storeIdentity(stateDirectory, identity);
  return ok(identity);
}

const sha256Hex = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function parseHttpsUrl(text: string): URL | null {
  const url = URL.parse(text);
  return url?.protocol === "https:" ? url : null;
}

/** The certificate of this fingerprint in the chain that the server shows, as PEM. */
function fetchPinnedCa(url: URL, fingerprint: string): Promise<Result<string, EnrolError>> {
  const { promise, resolve } = Promise.withResolvers<Result<string, EnrolError>>();
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const socket = connect({
    host,
    port: url.port === "" ? 443 : Number(url.port),
    servername: CONTROL_PLANE_DNS_NAME,
    // Nothing is sent or believed on this connection: it only shows its chain.
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
    timeout: CONNECT_MS_MAX,
  });
  const finish = (result: Result<string, EnrolError>): void => {
    socket.destroy();
    resolve(result);
  };
  socket.once("secureConnect", () => {
    const pem = findInChain(socket.getPeerCertificate(true), fingerprint);
    if (pem !== null) return finish(ok(pem));
    const message =
      `${url.host} is not the control plane that made this token ` +
      "(its certificate chain has no CA of the token's fingerprint)";
    finish(err({ kind: "wrongControlPlane", message }));
  });
  socket.once("timeout", () => {
    finish(err({ kind: "unreachable", message: `${url.host} does not answer` }));
  });
  socket.on("error", (cause) => {
    finish(err({ kind: "unreachable", message: `${url.host}: ${cause.message}` }));
  });
  return promise;
}

function findInChain(leaf: DetailedPeerCertificate, fingerprint: string): string | null {
  let certificate: DetailedPeerCertificate | undefined = leaf;
  for (let depth = 0; depth < CHAIN_MAX && certificate?.raw !== undefined; depth += 1) {
    if (sha256Hex(certificate.raw) === fingerprint) {
      return new X509Certificate(certificate.raw).toString();
    }
    certificate = certificate.issuerCertificate;
  }
  return null;
}

function postEnrolment(
  url: URL,
  caPem: string,
  body: { readonly token: string; readonly nodeId: NodeId; readonly csr: string },
): Promise<Result<EnrolAnswer, EnrolError>> {
  const { promise, resolve } = Promise.withResolvers<Result<EnrolAnswer, EnrolError>>();
  const failed = (cause: Error): void => {
    resolve(err({ kind: "unreachable", message: `${url.host}: ${cause.message}` }));
  };
  const outgoing = request(new URL("/v1/nodes/enrol", url), {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    ca: caPem,
    servername: CONTROL_PLANE_DNS_NAME,
    agent: false,
    signal: AbortSignal.timeout(CONNECT_MS_MAX),
  });
  outgoing.on("error", failed);
  outgoing.on("response", (incoming) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    incoming.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) incoming.destroy(new Error("the answer is too long"));
      else chunks.push(chunk);
    });
    incoming.on("error", failed);
    incoming.on("end", () => {
      resolve(judgeAnswer(incoming.statusCode ?? 0, Buffer.concat(chunks).toString("utf8")));
    });
  });
  outgoing.end(JSON.stringify(body));
  return promise;
}

function judgeAnswer(status: number, text: string): Result<EnrolAnswer, EnrolError> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  if (status >= 200 && status < 300) {
    const answer = EnrolAnswer.safeParse(json);
    if (answer.success) return ok(answer.data);
  }
  const error = ApiError.safeParse(json);
  if (!error.success) {
    return err({ kind: "refused", message: `the control plane answered HTTP ${status}` });
  }
  const { code, message, remedy } = error.data;
  const sentence = remedy === "" ? message : `${message} (${remedy})`;
  return err({ kind: code === "badToken" ? "badToken" : "refused", message: sentence });
}
