/**
 * Lets a node in, once per token. A token is kept as a hash, ends by itself and names one cluster
 * and one node; using it is a conditional write, so of two who present it one is let in.
 */
import { createHash } from "node:crypto";
import {
  type EnrolAnswer,
  type EnrolRequest,
  parseEnrolmentToken,
  TOKEN_LIFE_MS,
  type TokenAnswer,
  type TokenRequest,
} from "#model/contract/enrolment.ts";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { declareNode } from "../clusters/configure.ts";
import type { ControlPlane } from "../clusters/control-plane.ts";
import { EVERYWHERE, type TokenRecord } from "../clusters/records.ts";
import { clusterTopic } from "../clusters/signals.ts";
import { type CertificateAuthority, proveKey } from "./certificate-authority.ts";

/** Unused tokens at once, over all clusters. */
const TOKENS_MAX = 500;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Makes a token and declares its node. The answer is the only place where the token is ever seen. */
export async function makeToken(
  cp: ControlPlane,
  ca: CertificateAuthority,
  clusterId: string,
  request: TokenRequest,
  made: { readonly by: string; readonly agentUrl: string },
): Promise<Result<TokenAnswer, ApiFailure>> {
  await forgetOldTokens(cp);
  if ((await cp.tokens.list(EVERYWHERE)).length >= TOKENS_MAX) {
    return err(failure("tooMany", "too many tokens are waiting", "use them or let them end"));
  }
  const declared = await declareNode(cp, clusterId, request.node, request.addresses);
  if (!declared.ok) return declared;
  const secret = Buffer.from(cp.random.bytes(32)).toString("base64url");
  const record: TokenRecord = {
    id: cp.random.id("token"),
    clusterId,
    node: request.node,
    expiresAtMs: cp.clock.nowMs() + (request.expiresInMs ?? TOKEN_LIFE_MS),
    usedAtMs: null,
    madeBy: made.by,
  };
  await cp.tokens.write(EVERYWHERE, sha256(secret), 0, record);
  const { id, node, expiresAtMs } = record;
  const token = `mft1.${secret}.${ca.fingerprint}`;
  return ok({ id, token, node, expiresAtMs, agentUrl: made.agentUrl });
}

const BAD_TOKEN = failure(
  "badToken",
  "this token is not valid here: unknown, used, ended, or made for another node",
  "ask for a new one",
);

/** Trades a token and a certificate request for a certificate. */
export async function enrol(
  cp: ControlPlane,
  ca: CertificateAuthority,
  request: EnrolRequest,
): Promise<Result<EnrolAnswer, ApiFailure>> {
  const parsed = parseEnrolmentToken(request.token);
  if (parsed === null || parsed.caFingerprint !== ca.fingerprint) return err(BAD_TOKEN);
  const id = sha256(parsed.secret);
  const token = await cp.tokens.read(EVERYWHERE, id);
  const nowMs = cp.clock.nowMs();
  if (token === null || token.value.usedAtMs !== null || token.value.expiresAtMs <= nowMs) {
    return err(BAD_TOKEN);
  }
  // Not spent on a wrong name or a bad request: a typing error should not cost a new token.
  if (token.value.node !== request.nodeId) return err(BAD_TOKEN);
  const key = await proveKey(request.csr);
  if (!key.ok) return err(failure("badRequest", `certificate request: ${key.error}`));
  const used = { ...token.value, usedAtMs: nowMs };
  if (!(await cp.tokens.write(EVERYWHERE, id, token.version, used))) return err(BAD_TOKEN);
  const { clusterId, node: nodeId } = token.value;
  const issued = await ca.issueForNode(clusterId, nodeId, key.value);
  await keepIdentity(cp, clusterId, nodeId, key.value.publicKey, issued.notAfterMs);
  await cp.events.tell(clusterId, {
    kind: "nodeEnrolled",
    severity: "U",
    nodeId,
    text: `${nodeId} enrolled with a token made by ${token.value.madeBy}`,
  });
  return ok(answerOf(cp, ca, { clusterId, nodeId }, issued));
}

/** A new certificate for the key that the node already proved to have. */
export async function renew(
  cp: ControlPlane,
  ca: CertificateAuthority,
  { clusterId, nodeId }: { readonly clusterId: string; readonly nodeId: string },
  csr: string,
): Promise<Result<EnrolAnswer, ApiFailure>> {
  const key = await proveKey(csr);
  if (!key.ok) return err(failure("badRequest", `certificate request: ${key.error}`));
  const known = await cp.nodes.read(clusterId, nodeId);
  if (known?.value.publicKey !== key.value.publicKey) {
    return err(failure("forbidden", "a renewal keeps the key", "enrol again for a new key"));
  }
  const issued = await ca.issueForNode(clusterId, nodeId, key.value);
  await keepIdentity(cp, clusterId, nodeId, key.value.publicKey, issued.notAfterMs);
  return ok(answerOf(cp, ca, { clusterId, nodeId }, issued));
}

function answerOf(
  cp: ControlPlane,
  ca: CertificateAuthority,
  node: { readonly clusterId: string; readonly nodeId: string },
  issued: { certificatePem: string; notBeforeMs: number; notAfterMs: number },
): EnrolAnswer {
  const { certificatePem: certificate, notBeforeMs, notAfterMs } = issued;
  const serverTimeMs = cp.clock.nowMs();
  const caCertificate = ca.certificatePem;
  return { ...node, certificate, caCertificate, notBeforeMs, notAfterMs, serverTimeMs };
}

async function keepIdentity(
  cp: ControlPlane,
  clusterId: string,
  nodeId: string,
  publicKey: string,
  certificateEndsAtMs: number,
): Promise<void> {
  await cp.nodes.change(clusterId, nodeId, (was) => {
    const isSameKey = was?.publicKey === publicKey;
    const enrolledAtMs = isSameKey ? was.enrolledAtMs : cp.clock.nowMs();
    return ok({ nodeId, publicKey, enrolledAtMs, certificateEndsAtMs });
  });
  cp.signals.notify(clusterTopic(clusterId));
}

/** Used and ended tokens are kept a day, so that a person can see what became of one. */
async function forgetOldTokens(cp: ControlPlane): Promise<void> {
  const longAgoMs = cp.clock.nowMs() - 24 * 3_600_000;
  for (const { id, version, value } of await cp.tokens.list(EVERYWHERE)) {
    const endedAtMs = value.usedAtMs ?? value.expiresAtMs;
    if (endedAtMs < longAgoMs) await cp.tokens.remove(EVERYWHERE, id, version);
  }
}
