/**
 * How a node gets its identity: a person makes a token for one cluster and one node name, the node
 * sends it once with a certificate request, and keeps the certificate by renewing it at half life.
 * The token carries the fingerprint of the CA, so even the first contact knows whom it talks to.
 */
import * as z from "zod/mini";
import { Address, ClusterName, Id, NodeName, Pem, UnixMs, Word } from "./common.ts";

/** `mft1.<secret, base64url>.<SHA-256 of the CA certificate's DER, hex>`. */
export const EnrolmentToken = z.string().check(z.regex(/^mft1\.[A-Za-z0-9_-]{43}\.[0-9a-f]{64}$/));

/** Splits a token; null when it is none. */
export function parseEnrolmentToken(
  token: string,
): { secret: string; caFingerprint: string } | null {
  if (!EnrolmentToken.safeParse(token).success) return null;
  const [, secret = "", caFingerprint = ""] = token.split(".");
  return { secret, caFingerprint };
}

/**
 * The URI that a node's certificate names it by, beside its DNS name. It carries the cluster: one
 * CA may serve several clusters, and a node of another one is a stranger.
 */
export const nodeUri = (clusterId: string, nodeId: string): string =>
  `spiffe://mirrorfarm/cluster/${clusterId}/node/${nodeId}`;

/** The DNS name in the certificate of the control plane's listener for agents. */
export const CONTROL_PLANE_DNS_NAME = "control-plane.mirrorfarm";

/** Where a node is reachable, per network of the cluster. */
export const NodeAddresses = z
  .record(Word, Address)
  .check(z.refine((addresses) => Object.keys(addresses).length <= 8, "more than 8 networks"));
export type NodeAddresses = z.infer<typeof NodeAddresses>;

export const TokenRequest = z.object({
  node: NodeName,
  /** Declares the node in the cluster when it is not there yet. */
  addresses: z.optional(NodeAddresses),
  expiresInMs: z.optional(z.int().check(z.minimum(60_000), z.maximum(7 * 24 * 3_600_000))),
});
export type TokenRequest = z.infer<typeof TokenRequest>;

/** Shown once; only a hash is kept. */
export const TokenAnswer = z.object({
  id: Id,
  token: EnrolmentToken,
  node: NodeName,
  expiresAtMs: UnixMs,
  /** Where the agent should send it: the listener for agents. */
  agentUrl: z.string().check(z.maxLength(300)),
});
export type TokenAnswer = z.infer<typeof TokenAnswer>;

export const EnrolRequest = z.object({
  token: EnrolmentToken,
  nodeId: NodeName,
  /** PKCS#10, P-256; the names in it are ignored, the token decides them. */
  csr: Pem,
});
export type EnrolRequest = z.infer<typeof EnrolRequest>;

export const EnrolAnswer = z.object({
  clusterId: ClusterName,
  nodeId: NodeName,
  certificate: Pem,
  caCertificate: Pem,
  /** Validity of the certificate; renew at half of it. */
  notBeforeMs: UnixMs,
  notAfterMs: UnixMs,
  serverTimeMs: UnixMs,
});
export type EnrolAnswer = z.infer<typeof EnrolAnswer>;

/** `POST /v1/nodes/self/certificate`: a new certificate for the same key. */
export const RenewRequest = z.object({ csr: Pem });
export type RenewRequest = z.infer<typeof RenewRequest>;
export const CERTIFICATE_DAYS = 7;
/** How long a token lives when nothing is said. */
export const TOKEN_LIFE_MS = 24 * 3_600_000;
