import * as z from "zod/mini";
import { Count, Epoch, Id, InSync, ModuleName, NodeName, UnixMs } from "#model/contract/common.ts";
import { PairDecisionSchema, PairVoteSchema, ReleaseSchema } from "#model/contract/votes.ts";
import { BY_CHARS_MAX } from "#model/quorum/maintenance.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";

const Ask = z.nullable(z.object({ id: Id, epoch: Epoch }));

/** `model/quorum/peer-state.ts` as it comes off the wire; a fault's text may be as long as fits. */
const PeerStateForm: z.ZodMiniType<PeerState> = z.object({
  protocol: z.literal(1),
  moduleId: ModuleName,
  nodeId: NodeName,
  role: z.enum(["leading", "fenced", "following", "waiting", "steppingDown", "stopped"]),
  epoch: Epoch,
  historyId: z.nullable(Id),
  copyHistoryId: z.nullable(Id),
  primary: z.nullable(NodeName),
  inSync: InSync,
  outdated: z.boolean(),
  isUnclean: z.boolean(),
  joining: z.nullable(NodeName),
  asked: Epoch,
  pairVote: z.nullable(PairVoteSchema),
  pairDecision: z.nullable(PairDecisionSchema),
  release: z.nullable(ReleaseSchema),
  data: z.enum(["empty", "hasData", "unknown"]),
  isStartWanted: z.boolean(),
  isLeaving: z.boolean(),
  hearsPeer: z.boolean(),
  witnessIsAway: z.boolean(),
  standingVoteAsk: Ask,
  standingVoteGiven: Ask,
  isStandingVoteHeld: z.boolean(),
  isAttached: z.boolean(),
  isReady: z.boolean(),
  fault: z.nullable(z.string().check(z.maxLength(1024))),
  maintenance: z.optional(
    z.object({
      id: Id,
      serial: Count,
      by: z.string().check(z.maxLength(BY_CHARS_MAX)),
      forMs: Count,
      untilUnixMs: UnixMs,
      isOver: z.boolean(),
    }),
  ),
});

/** A state that the peer published; null when it is malformed or of a protocol we do not know. */
export function parsePeerState(value: unknown): PeerState | null {
  const parsed = PeerStateForm.safeParse(value);
  return parsed.success ? parsed.data : null;
}
