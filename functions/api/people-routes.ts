/** Who am I, and who else may come in. */
import * as z from "zod/mini";
import { Role } from "#model/contract/commands.ts";
import { Id, Word } from "#model/contract/common.ts";
import { failure } from "#model/contract/errors.ts";
import { Me } from "#model/contract/snapshot.ts";
import { assert } from "#model/shared/assert.ts";
import { err, ok } from "#model/shared/result.ts";
import { type ApiParts, IdParams } from "./api-parts.ts";
import {
  json,
  jsonBody,
  mayCall,
  NoParams,
  NoQuery,
  Nothing,
  noBody,
  type Route,
  route,
} from "./route.ts";

const Person = z.object({ id: Id, name: Word, role: Role });
/** Stands in events and records as `person:NAME`, so it is short and plain. */
const PersonName = z.string().check(z.regex(/^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,59}$/u));
const NewPerson = z.object({ name: PersonName, role: Role });
const Admitted = z.extend(Person, { secret: z.string() });
const Health = z.object({ status: z.literal("ok"), version: Word, storeId: Id });

/** What each role adds, for pages that show a button disabled rather than let it fail. */
const CAN = {
  viewer: ["read"],
  operator: ["command"],
  admin: ["force", "configure", "enrol", "admit"],
} as const;

/** Routes about the caller and other people. */
export const peopleRoutes = ({ cp, people, version }: ApiParts): readonly Route[] => [
  route({
    method: "GET",
    path: "/v1/health",
    role: "none",
    summary: "Answers while the control plane works.",
    params: NoParams,
    query: NoQuery,
    body: noBody,
    answer: json(Health),
    handle: async () => ok({ status: "ok" as const, version, storeId: cp.storeId }),
  }),
  route({
    method: "GET",
    path: "/v1/me",
    role: "viewer",
    summary: "Who the caller is and what they may do.",
    params: NoParams,
    query: NoQuery,
    body: noBody,
    answer: json(Me),
    async handle({ caller }) {
      assert(caller.kind === "person", "only people have this role");
      const { id, name, role } = caller;
      const can = (["viewer", "operator", "admin"] as const)
        .filter((one) => mayCall(caller, one))
        .flatMap((one) => [...CAN[one]]);
      return ok({ id, name, role, can, version, storeId: cp.storeId });
    },
  }),
  route({
    method: "GET",
    path: "/v1/people",
    role: "admin",
    summary: "Everyone who may come in.",
    params: NoParams,
    query: NoQuery,
    body: noBody,
    answer: json(z.object({ people: z.array(Person) })),
    handle: async () => ok({ people: [...(await people.list())] }),
  }),
  route({
    method: "POST",
    path: "/v1/people",
    role: "admin",
    summary: "Lets someone in; the answer shows their secret once.",
    params: NoParams,
    query: NoQuery,
    body: jsonBody(NewPerson),
    answer: json(Admitted, 201),
    async handle({ body }) {
      if ((await people.list()).length >= 200) return err(failure("tooMany", "too many people"));
      const person = { id: cp.random.id("person"), ...body };
      const secret = Buffer.from(cp.random.bytes(32)).toString("base64url");
      await people.admit(person, secret);
      return ok({ ...person, secret });
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/people/:id",
    role: "admin",
    summary: "Shuts someone out, at once.",
    params: IdParams,
    query: NoQuery,
    body: noBody,
    answer: json(Nothing),
    async handle({ params, caller }) {
      if (caller.kind === "person" && caller.id === params.id) {
        return err(failure("refused", "nobody shuts themselves out", "ask another admin"));
      }
      if (await people.dismiss(params.id)) return ok({});
      return err(failure("notFound", "there is nobody by that id"));
    },
  }),
];
