/**
 * Who sent this? Judges the signature of an agent's request against the public key kept at its
 * enrolment. A request counts once: its nonce is remembered for as long as its time is acceptable,
 * and what was signed before this process began is refused, because the nonces of then are gone.
 */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import {
  CLOCK_SKEW_MS_MAX,
  canonicalRequest,
  parseSigner,
  SignatureHeaders,
} from "#model/contract/signature.ts";
import { err, ok, type Result } from "#model/shared/result.ts";

/** Nonces one node may have in memory: ten minutes at 30 requests a second. */
const NONCES_PER_NODE_MAX = 20_000;

export interface IncomingRequest {
  readonly method: string;
  readonly path: string;
  readonly body: Uint8Array;
  /** Null where the header is missing. */
  readonly header: (name: "node" | "timeMs" | "nonce" | "signature") => string | null;
}
export interface SignedBy {
  readonly clusterId: string;
  readonly nodeId: string;
}
/** The key kept at enrolment (SubjectPublicKeyInfo, DER in base64), or null for strangers. */
export type FindNodeKey = (clusterId: string, nodeId: string) => Promise<string | null>;

export class SignatureJudge {
  readonly #findKey: FindNodeKey;
  readonly #nowMs: () => number;
  readonly #startedAtMs: number;
  /** Per signer: nonce to the time after which it may be forgotten, oldest first. */
  readonly #nonces = new Map<string, Map<string, number>>();
  /** Parsing a key costs more than a verification; keyed by its text, so a new key is a new entry. */
  readonly #keys = new Map<string, KeyObject>();

  constructor(findKey: FindNodeKey, nowMs: () => number) {
    this.#findKey = findKey;
    this.#nowMs = nowMs;
    this.#startedAtMs = nowMs();
  }

  /** The signer, or why the request is not believed. */
  async judge(request: IncomingRequest): Promise<Result<SignedBy, ApiFailure>> {
    const headers = SignatureHeaders.safeParse({
      node: request.header("node"),
      timeMs: request.header("timeMs"),
      nonce: request.header("nonce"),
      signature: request.header("signature"),
    });
    if (!headers.success) return err(failure("notSignedIn", "the request is not signed"));
    const { node, nonce, signature } = headers.data;
    const timeMs = Number(headers.data.timeMs);
    const signer = parseSigner(node);
    if (signer === null) return err(failure("badSignature", "the signer's name is malformed"));
    const key = await this.#keyOf(signer);
    const text = canonicalRequest({
      method: request.method,
      path: request.path,
      bodySha256: createHash("sha256").update(request.body).digest("hex"),
      timeMs,
      nonce,
      node,
    });
    const isGenuine =
      key !== null &&
      verify(
        "sha256",
        Buffer.from(text),
        { key, dsaEncoding: "ieee-p1363" },
        Buffer.from(signature, "base64url"),
      );
    // One answer for an unknown node and for a wrong signature: neither is told which it is.
    if (!isGenuine) return err(failure("badSignature", "the signature does not match", REENROL));
    const clock = this.#judgeTime(timeMs);
    if (clock !== null) return err(clock);
    const replay = this.#judgeNonce(node, nonce, timeMs);
    return replay === null ? ok(signer) : err(replay);
  }

  async #keyOf({ clusterId, nodeId }: SignedBy): Promise<KeyObject | null> {
    const text = await this.#findKey(clusterId, nodeId);
    if (text === null) return null;
    const known = this.#keys.get(text);
    if (known !== undefined) return known;
    const key = createPublicKey({ key: Buffer.from(text, "base64"), format: "der", type: "spki" });
    if (this.#keys.size >= 1000) this.#keys.clear();
    this.#keys.set(text, key);
    return key;
  }

  /** Told only to genuine signers: they correct their clock by it and sign again. */
  #judgeTime(timeMs: number): ApiFailure | null {
    const nowMs = this.#nowMs();
    const isNear = Math.abs(nowMs - timeMs) <= CLOCK_SKEW_MS_MAX;
    if (isNear && timeMs >= this.#startedAtMs) return null;
    const why = isNear ? "signed before this process started" : "signed at a time far from ours";
    return {
      ...failure("clockSkew", why, "sign again by the server's clock"),
      serverTimeMs: nowMs,
    };
  }

  #judgeNonce(node: string, nonce: string, timeMs: number): ApiFailure | null {
    const nowMs = this.#nowMs();
    const seen = this.#nonces.get(node) ?? new Map<string, number>();
    this.#nonces.set(node, seen);
    if (seen.has(nonce)) return failure("replayed", "this request has been seen before");
    for (const [old, forgetAtMs] of seen) {
      if (forgetAtMs >= nowMs) break;
      seen.delete(old);
    }
    if (seen.size >= NONCES_PER_NODE_MAX) return failure("tooMany", "too many requests");
    // Until then the same time would still be accepted.
    seen.set(nonce, Math.max(timeMs, nowMs) + CLOCK_SKEW_MS_MAX);
    return null;
  }
}

const REENROL = "check the node's name; if its key was lost, enrol it again with a new token";
