/**
 * How an agent signs a request: ECDSA P-256 with SHA-256 over the text below, by its node key. The
 * body is bound by its hash, the moment by a time and a nonce, so a recorded request is worthless.
 * Signatures are IEEE P1363 (r‖s, 64 bytes) in base64url: what WebCrypto makes everywhere.
 * In the spirit of RFC 9421 (HTTP Message Signatures) section 2.5, without its generality.
 */
import * as z from "zod/mini";
import { ClusterName, NodeName } from "./common.ts";

/** Header names, lower case as HTTP/2 and fetch send them. */
export const SIGNATURE_HEADERS = {
  /** `cluster/node`. */
  node: "mirrorfarm-node",
  /** Milliseconds since 1970, decimal. */
  time: "mirrorfarm-time",
  nonce: "mirrorfarm-nonce",
  signature: "mirrorfarm-signature",
} as const;

/** Further apart than this, a signed time is refused and the server says what its clock is. */
export const CLOCK_SKEW_MS_MAX = 300_000;

export interface SignedRequest {
  readonly method: string;
  /** Path and query exactly as on the request line, e.g. `/v1/nodes/self/commands?waitMs=25000`. */
  readonly path: string;
  /** SHA-256 of the body, lower-case hex; of the empty string when there is no body. */
  readonly bodySha256: string;
  readonly timeMs: number;
  readonly nonce: string;
  /** `cluster/node`, as in the header. */
  readonly node: string;
}

/**
 * The text that is signed. No part can hold a line feed (the first is a token, the second a request
 * target, the others are checked forms), so two different requests never give the same text.
 */
export function canonicalRequest(request: SignedRequest): string {
  const { method, path, bodySha256, timeMs, nonce, node } = request;
  return ["mirrorfarm-request-1", method, path, bodySha256, `${timeMs}`, nonce, node].join("\n");
}

/** The four headers, checked for form only. */
export const SignatureHeaders = z.object({
  node: z.string().check(z.maxLength(130), z.regex(/^[a-z0-9.-]+\/[a-z0-9.-]+$/)),
  timeMs: z.string().check(z.regex(/^[0-9]{1,15}$/)),
  nonce: z.string().check(z.regex(/^[A-Za-z0-9_-]{16,64}$/)),
  signature: z.string().check(z.regex(/^[A-Za-z0-9_-]{86}$/)),
});
export type SignatureHeaders = z.infer<typeof SignatureHeaders>;

/** The signer's name for the header. */
export const signerName = (clusterId: string, nodeId: string): string => `${clusterId}/${nodeId}`;

/** Takes the header apart again; null when it is no pair of names. */
export function parseSigner(text: string): { clusterId: string; nodeId: string } | null {
  const [cluster, node, ...rest] = text.split("/");
  const clusterId = ClusterName.safeParse(cluster);
  const nodeId = NodeName.safeParse(node);
  if (rest.length > 0 || !clusterId.success || !nodeId.success) return null;
  return { clusterId: clusterId.data, nodeId: nodeId.data };
}
