import { createHash } from "node:crypto";
import type * as z from "zod/mini";
import {
  type CommandResult,
  CommandResultsAnswer,
  NodeCommands,
} from "#model/contract/commands.ts";
import { NodeConfiguration } from "#model/contract/configuration.ts";
import { EnrolAnswer } from "#model/contract/enrolment.ts";
import { type NodeReport, NodeReportAnswer } from "#model/contract/report.ts";
import { VoteAnswerSchema } from "#model/contract/votes.ts";
import type { VoteAnswer, VoteRequest } from "#model/quorum/votes.ts";
import type { BootMs, ModuleId } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { NodeIdentity } from "../identity/identity-store.ts";
import { signingKey } from "../identity/node-signature.ts";
import { FailurePace } from "./failure-pace.ts";
import { HttpsCaller } from "./https-call.ts";
import { type CallFailure, type ClockOffset, parseJson, SignedCaller } from "./signed-caller.ts";

/**
 * The node's side of the control plane. Two rules shape it. "No answer" is never "no": whatever
 * goes wrong with a vote, short of a well-formed answer to exactly that vote, leaves its outcome
 * unknown, and the quorum core decides what that means. And nothing here throws for what a server
 * or a network may do.
 */
const VOTE_MS_MAX = 2_000;
const CALL_MS_MAX = 10_000;
const ARCHIVE_MS_MAX = 60_000;
/** Bytes of a module's .safe file; the control plane takes no larger ones. */
const ARCHIVE_BYTES_MAX = 10 * 1_048_576;
/** How much longer than the wait that it asks for a long poll may take. */
const LONG_POLL_SLACK_MS = 5_000;

/** What became of one attempt at a vote. */
export type VoteOutcome =
  | { readonly kind: "answered"; readonly answer: VoteAnswer }
  /** It may or may not have been granted. `needsPerson`: this node is not known there (any more). */
  | { readonly kind: "unknown"; readonly detail: string; readonly needsPerson: boolean };

/** Time, chance and patience; tests bring their own. */
export type ClientPorts = {
  /** The wall clock: what requests are signed with. */
  readonly nowMs: () => number;
  /** A clock that nobody sets: what waits are counted on. */
  readonly bootMs: () => BootMs;
  /** 0..1 */
  readonly random: () => number;
};

export class ControlPlaneClient {
  readonly #caller: HttpsCaller;
  readonly #signed: SignedCaller;
  readonly #nowMs: () => number;
  readonly #votePace: FailurePace;

  constructor(identity: NodeIdentity, { nowMs, bootMs, random }: ClientPorts) {
    this.#caller = new HttpsCaller(identity.controlPlaneUrl, identity.caPem);
    const { clusterId, nodeId, keyPem } = identity;
    const signer = { clusterId, nodeId, key: signingKey(keyPem) };
    this.#signed = new SignedCaller(this.#caller, signer, nowMs);
    this.#nowMs = nowMs;
    this.#votePace = new FailurePace(bootMs, random);
  }

  /** Server clock minus ours; null before the first report was answered. */
  get clockOffset(): ClockOffset | null {
    return this.#signed.clockOffset;
  }

  /** One attempt at a vote; the same request, with the same id, may be sent again at any time. */
  async ask(request: VoteRequest, timeoutMs: number = VOTE_MS_MAX): Promise<VoteOutcome> {
    const unknown = (detail: string, needsPerson = false): VoteOutcome => ({
      kind: "unknown",
      detail,
      needsPerson,
    });
    if (!this.#votePace.mayTry) return unknown("the control plane keeps failing: asked too often");
    const path = `/v1/modules/${encodeURIComponent(request.moduleId)}/votes`;
    const answered = await this.#json(
      { method: "POST", path, json: request, timeoutMs },
      VoteAnswerSchema,
    );
    if (answered.ok && answered.value.requestId === request.id) {
      this.#votePace.noteSuccess();
      return { kind: "answered", answer: answered.value };
    }
    this.#votePace.noteFailure();
    if (answered.ok) return unknown("the answer is to another request");
    return unknown(describeFailure(answered.error), answered.error.kind === "notAllowed");
  }

  /** Sends the whole state of this node, and events to append (each has an id: repeats add none). */
  async report(report: NodeReport): Promise<Result<NodeReportAnswer, CallFailure>> {
    const sentAtMs = this.#nowMs();
    const answered = await this.#json(
      { method: "POST", path: "/v1/nodes/self/report", json: report, timeoutMs: CALL_MS_MAX },
      NodeReportAnswer,
    );
    if (answered.ok) {
      this.#signed.noteServerTime(answered.value.serverTimeMs, sentAtMs, this.#nowMs());
    }
    return answered;
  }

  /** The configuration, as soon as it is another version than `known`, or after `waitMs`. */
  configuration(
    known: number,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<Result<NodeConfiguration, CallFailure>> {
    const path = `/v1/nodes/self/configuration?known=${known}&waitMs=${waitMs}`;
    const timeoutMs = waitMs + LONG_POLL_SLACK_MS;
    return this.#json({ method: "GET", path, timeoutMs, signal }, NodeConfiguration);
  }

  /** A module's .safe file, verified against the hash that the configuration named. */
  async archive(
    moduleId: ModuleId,
    sha256: string,
    signal?: AbortSignal,
  ): Promise<Result<Buffer, CallFailure>> {
    const path = `/v1/nodes/self/modules/${encodeURIComponent(moduleId)}/archive`;
    const answered = await this.#signed.call({
      method: "GET",
      path,
      timeoutMs: ARCHIVE_MS_MAX,
      answerBytesMax: ARCHIVE_BYTES_MAX,
      signal,
    });
    if (!answered.ok) return answered;
    const got = createHash("sha256").update(answered.value).digest("hex");
    if (got === sha256) return answered;
    return err({ kind: "unknown", detail: `${moduleId}: the archive has another hash` });
  }

  /** Commands for this node that it does not hold yet, as soon as there are any. */
  commands(
    known: readonly string[],
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<Result<NodeCommands, CallFailure>> {
    const query = new URLSearchParams({ known: known.join(","), waitMs: `${waitMs}` });
    const path = `/v1/nodes/self/commands?${query}`;
    const timeoutMs = waitMs + LONG_POLL_SLACK_MS;
    return this.#json({ method: "GET", path, timeoutMs, signal }, NodeCommands);
  }

  /** How commands went. Results may be told again: the first final one counts. */
  acknowledge(
    results: readonly CommandResult[],
  ): Promise<Result<z.infer<typeof CommandResultsAnswer>, CallFailure>> {
    const [path, timeoutMs] = ["/v1/nodes/self/commands", CALL_MS_MAX];
    return this.#json({ method: "POST", path, json: { results }, timeoutMs }, CommandResultsAnswer);
  }

  /** A new certificate for the same key. */
  renewCertificate(csr: string): Promise<Result<EnrolAnswer, CallFailure>> {
    const [path, timeoutMs] = ["/v1/nodes/self/certificate", CALL_MS_MAX];
    return this.#json({ method: "POST", path, json: { csr }, timeoutMs }, EnrolAnswer);
  }

  /** Trust these CA certificates from the next connection on. */
  setCa(caPem: string): void {
    this.#caller.setCa(caPem);
  }

  close(): void {
    this.#caller.close();
  }

  async #json<T>(
    call: Parameters<SignedCaller["call"]>[0],
    schema: z.ZodMiniType<T>,
  ): Promise<Result<T, CallFailure>> {
    const answered = await this.#signed.call(call);
    if (!answered.ok) return answered;
    const parsed = schema.safeParse(parseJson(answered.value));
    if (parsed.success) return ok(parsed.data);
    return err({ kind: "unknown", detail: `${call.path}: the answer is not of the agreed form` });
  }
}

/** A failure as one sentence. */
export function describeFailure(failure: CallFailure): string {
  if (failure.kind !== "refused") return failure.detail;
  const { message, remedy } = failure.error;
  return remedy === "" ? message : `${message} (${remedy})`;
}
