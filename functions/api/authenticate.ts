/** Who calls: people by secret or cookie, nodes by signature. One function per listener. */
import { type ApiFailure, failure } from "#model/contract/errors.ts";
import { SIGNATURE_HEADERS } from "#model/contract/signature.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import type { People, Person } from "../identity/people.ts";
import type { SignatureJudge } from "../identity/request-signature.ts";
import type { IncomingCall } from "./app.ts";
import type { Caller } from "./route.ts";

type Authenticate = (call: IncomingCall) => Promise<Result<Caller, ApiFailure>>;

const NOBODY = { kind: "nobody" } as const;

/** On the people's listener. A cookie may change things only from a page of ours. */
export const authenticatePeople =
  (people: People, cookieName: string): Authenticate =>
  async ({ method, header }) => {
    const bearer = /^Bearer ([A-Za-z0-9_-]{20,200})$/.exec(header("authorization") ?? "")?.[1];
    if (header("authorization") !== undefined) {
      const person = bearer === undefined ? null : await people.bySecret(bearer);
      if (person !== null) return ok(asCaller(person));
      return err(failure("notSignedIn", "this secret opens nothing"));
    }
    const cookie = cookieOf(header("cookie") ?? "", cookieName);
    const person = cookie === null ? null : await people.bySession(cookie);
    if (person === null) return ok(NOBODY);
    const isProvenOurs = header("origin") !== undefined || header("sec-fetch-site") !== undefined;
    // The guard has judged what those headers say; a browser that sends neither is too old to trust.
    if (method !== "GET" && !isProvenOurs) {
      return err(failure("originRefused", "cannot tell which page sent this"));
    }
    return ok(asCaller(person));
  };

const asCaller = ({ id, name, role }: Person): Caller => ({ kind: "person", id, name, role });

/** On the agents' listener. */
export const authenticateNodes =
  (judge: SignatureJudge): Authenticate =>
  async ({ method, path, body, header }) => {
    if (header(SIGNATURE_HEADERS.signature) === undefined) return ok(NOBODY);
    const signer = await judge.judge({
      method,
      path,
      body,
      header: (name) => header(SIGNATURE_HEADERS[name === "timeMs" ? "time" : name]) ?? null,
    });
    return signer.ok ? ok({ kind: "node", ...signer.value }) : signer;
  };

function cookieOf(header: string, name: string): string | null {
  for (const part of header.split(";")) {
    const [key = "", ...value] = part.split("=");
    if (key.trim() === name) return value.join("=").trim();
  }
  return null;
}
