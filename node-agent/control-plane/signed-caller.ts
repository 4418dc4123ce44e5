import { createHash, type KeyObject, randomBytes } from "node:crypto";
import { ApiError } from "#model/contract/errors.ts";
import { canonicalRequest, SIGNATURE_HEADERS, signerName } from "#model/contract/signature.ts";
import type { ClusterId, NodeId } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { signText } from "../identity/node-signature.ts";
import type { Answer, HttpsCaller, NoAnswer } from "./https-call.ts";

/** Bytes of a JSON answer. */
const JSON_BYTES_MAX = 4_194_304;

/** What a signed request needs to know of the node. */
export type Signer = {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  readonly key: KeyObject;
};

/** One request of a node to the control plane. */
export type NodeCall = {
  readonly method: "GET" | "POST";
  /** With its query. */
  readonly path: string;
  /** Sent as JSON; absent on a GET. */
  readonly json?: unknown;
  readonly timeoutMs: number;
  readonly answerBytesMax?: number;
  readonly signal?: AbortSignal | undefined;
};

/** Why a call gave no usable answer. Only `refused` and `notAllowed` say that nothing was done. */
export type CallFailure =
  /** The control plane understood and said no: its own words. */
  | { readonly kind: "refused"; readonly error: ApiError; readonly status: number }
  /** 401 or 403: this node's key is not known there (any more), so a person must act. */
  | { readonly kind: "notAllowed"; readonly detail: string }
  /** Nothing, or nothing that makes sense: the outcome is unknown. */
  | { readonly kind: "unknown"; readonly detail: string };

/** The server's clock as seen by this node. */
export type ClockOffset = { readonly offsetMs: number; readonly errorMs: number };

/**
 * Signs and sends a node's requests. The signature binds method, path, body and moment, so each
 * attempt is signed anew. A wrong clock here is met by signing by the server's clock.
 */
export class SignedCaller {
  readonly #caller: HttpsCaller;
  readonly #signer: Signer;
  readonly #nowMs: () => number;
  #offset: ClockOffset | null = null;

  constructor(caller: HttpsCaller, signer: Signer, nowMs: () => number) {
    this.#caller = caller;
    this.#signer = signer;
    this.#nowMs = nowMs;
  }

  /** Server clock minus ours, from the last answer that told it. */
  get clockOffset(): ClockOffset | null {
    return this.#offset;
  }

  /** Call with the server's time of an answer, and when its request left and it arrived. */
  noteServerTime(serverTimeMs: number, sentAtMs: number, receivedAtMs: number): void {
    const errorMs = Math.ceil((receivedAtMs - sentAtMs) / 2);
    this.#offset = { offsetMs: Math.round(serverTimeMs - (sentAtMs + errorMs)), errorMs };
  }

  /** The body of a 2xx answer. Asks a second time where that is sure to be harmless and useful. */
  async call(call: NodeCall): Promise<Result<Buffer, CallFailure>> {
    const first = await this.#attempt(call);
    if (!first.ok && first.error.wasStaleConnection) return judge(await this.#attempt(call));
    const judged = judge(first);
    if (judged.ok || judged.error.kind !== "refused") return judged;
    const { code, serverTimeMs } = judged.error.error;
    if (code !== "clockSkew" || serverTimeMs === undefined) return judged;
    const nowMs = this.#nowMs();
    this.noteServerTime(serverTimeMs, nowMs, nowMs);
    return judge(await this.#attempt(call));
  }

  #attempt(call: NodeCall): Promise<Result<Answer, NoAnswer>> {
    const { method, path, timeoutMs, signal } = call;
    const body = call.json === undefined ? null : JSON.stringify(call.json);
    const { clusterId, nodeId, key } = this.#signer;
    const node = signerName(clusterId, nodeId);
    const nonce = randomBytes(16).toString("base64url");
    const timeMs = Math.max(0, Math.round(this.#nowMs() + (this.#offset?.offsetMs ?? 0)));
    const bodySha256 = createHash("sha256")
      .update(body ?? "")
      .digest("hex");
    const text = canonicalRequest({ method, path, bodySha256, timeMs, nonce, node });
    const headers: Record<string, string> = {
      accept: "application/json",
      [SIGNATURE_HEADERS.node]: node,
      [SIGNATURE_HEADERS.time]: `${timeMs}`,
      [SIGNATURE_HEADERS.nonce]: nonce,
      [SIGNATURE_HEADERS.signature]: signText(text, key),
    };
    if (body !== null) {
      headers["content-type"] = "application/json";
      headers["content-length"] = `${Buffer.byteLength(body)}`;
    }
    const answerBytesMax = call.answerBytesMax ?? JSON_BYTES_MAX;
    return this.#caller.call({ method, path, headers, body, timeoutMs, answerBytesMax, signal });
  }
}

/** Turns an answer into its body or the reason why it is none. */
function judge(answered: Result<Answer, NoAnswer>): Result<Buffer, CallFailure> {
  if (!answered.ok) {
    const { kind, detail } = answered.error;
    return err({ kind: "unknown", detail: `${kind}: ${detail}` });
  }
  const { status, body } = answered.value;
  if (status >= 200 && status < 300) return ok(body);
  const error = ApiError.safeParse(parseJson(body));
  const text = error.success ? `${error.data.code}: ${error.data.message}` : "no reason given";
  const detail = `HTTP ${status}, ${text}`;
  const isSkew = error.success && error.data.code === "clockSkew";
  if ((status === 401 || status === 403) && !isSkew) return err({ kind: "notAllowed", detail });
  // 5xx and 429 say nothing about what was done; an error page of something in between neither.
  if (status >= 500 || status === 429 || !error.success) return err({ kind: "unknown", detail });
  return err({ kind: "refused", error: error.data, status });
}

/** JSON of an answer; undefined (which no schema takes) when it is none. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
