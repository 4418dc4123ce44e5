/** `POST /v1/modules/:m/votes`: a node asks the witness. A refusal is an answer, not a failure. */
import * as z from "zod/mini";
import { ModuleName } from "#model/contract/common.ts";
import { failure } from "#model/contract/errors.ts";
import { VoteAnswerSchema, VoteRequestSchema } from "#model/contract/votes.ts";
import { TIMER_PROFILES } from "#model/quorum/timers.ts";
import { err } from "#model/shared/result.ts";
import { type ApiParts, findModule } from "./api-parts.ts";
import { asNode, json, jsonBody, NoQuery, type Route, route } from "./route.ts";

const VOTE_BYTES_MAX = 32_768;

/** The vote's route. Kept apart: it is the one that must stay small and fast. */
export const voteRoutes = (parts: ApiParts): readonly Route[] => [
  route({
    method: "POST",
    path: "/v1/modules/:m/votes",
    role: "node",
    summary: "Reads or changes the witness's record of a module.",
    params: z.object({ m: ModuleName }),
    query: NoQuery,
    body: jsonBody(VoteRequestSchema, VOTE_BYTES_MAX),
    answer: json(VoteAnswerSchema),
    async handle({ params, body, caller }) {
      const { clusterId, nodeId } = asNode(caller);
      const found = await findModule(parts, clusterId, params.m);
      if (!found.ok) return found;
      const { cluster, module } = found.value;
      if (!module.nodes.includes(nodeId)) {
        return err(failure("forbidden", `${nodeId} has no part in ${module.id}`));
      }
      const nodes = [...module.nodes].sort();
      const timers = TIMER_PROFILES[cluster.settings.timers];
      return parts.arbiter.vote({ clusterId, moduleId: module.id, nodeId, nodes, timers }, body);
    },
  }),
];
