/**
 * How every refusal looks on the wire, and the one table that says which HTTP status a code has.
 * A person reads `message` and `remedy`; a program reads `code`; support reads `requestId`.
 */
import * as z from "zod/mini";
import { Id, Sentence, UnixMs } from "./common.ts";

/** Code to HTTP status. A code is never reused for another meaning. */
export const ERROR_STATUS = {
  badRequest: 400,
  badModule: 422,
  notSignedIn: 401,
  badSignature: 401,
  /** The request's time is too far from ours, or it was signed before this process started. */
  clockSkew: 401,
  replayed: 401,
  badToken: 401,
  forbidden: 403,
  hostRefused: 403,
  originRefused: 403,
  notFound: 404,
  methodNotAllowed: 405,
  /** The epoch or version that the caller saw is no longer the current one. */
  stale: 409,
  conflict: 409,
  /** A safety rule says no; the message says which and the remedy what a person can do. */
  refused: 409,
  tooLarge: 413,
  wrongType: 415,
  tooMany: 429,
  /** Lost too many races for one record; asking again is safe. */
  contended: 503,
  unavailable: 503,
  internal: 500,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

/** What an error answer carries. Unknown codes must be read as `internal`. */
export const ApiError = z.object({
  code: z.string().check(z.maxLength(40)),
  message: Sentence,
  /** What the caller can do about it; empty when there is nothing. */
  remedy: Sentence,
  requestId: Id,
  /** With `clockSkew`: the server's clock, so that the caller can correct itself and sign again. */
  serverTimeMs: z.optional(UnixMs),
  /** With `badModule`: every problem found, as `file:line:column: text`. */
  details: z.optional(z.array(z.string().check(z.maxLength(4000))).check(z.maxLength(60))),
});
export type ApiError = z.infer<typeof ApiError>;

/** What a handler says when it refuses; the shell adds the request id. */
export interface ApiFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy?: string;
  readonly serverTimeMs?: number;
  readonly details?: readonly string[];
}

/** Shorthand that keeps refusals on one line. */
export const failure = (code: ErrorCode, message: string, remedy = ""): ApiFailure => ({
  code,
  message,
  remedy,
});
