import type { BootMs, Epoch } from "../../shared/ids.ts";
import type { Release } from "../pair.ts";
import { type Ballot, canDecideWithoutWitness, isMajority, supportersOf } from "../voters.ts";
import { nodesOf, viewOf } from "./facts.ts";
import type { NodeState } from "./state.ts";

/** Plain questions about the votes of data nodes: may this one give its own, has it enough. */

/** This node is about to vote for a candidate: it promises nothing from here on. */
export const isVoting = (s: NodeState): boolean =>
  s.pairing !== null && !canDecideWithoutWitness(nodesOf(s.config));

/** What was promised to the old primary has run out, so that a vote can end its leadership. */
export const mayVoteNow = (s: NodeState, nowMs: BootMs): boolean =>
  canDecideWithoutWitness(nodesOf(s.config)) || arePromisesOver(s, nowMs);

/** Nothing that this node, or an earlier run of its agent, promised can still be relied upon. */
export function arePromisesOver(s: NodeState, nowMs: BootMs): boolean {
  if (s.shown?.promise !== null || s.promises.closesPending > 0) return false;
  const lastEnds = s.promises.lastEndsMs;
  const { handicapMs } = s.config.timers;
  if (lastEnds !== null && nowMs < lastEnds + handicapMs) return false;
  return nowMs >= s.promotableAtMs;
}

/** The votes of other nodes that this node holds for its own promotion. */
export const ballotsFor = (s: NodeState, toEpoch: Epoch): readonly Ballot[] =>
  s.config.peers.flatMap((nodeId) => {
    const vote = viewOf(s, nodeId).state?.pairVote ?? null;
    const isForIt = vote?.terms.primary === s.config.self && vote.terms.epoch === toEpoch;
    return isForIt ? [{ nodeId, ...vote }] : [];
  });

/** May this node be promoted to the epoch that it asks for, once the witness agrees? */
export function hasVotes(s: NodeState, release: Release | null): boolean {
  const { asked } = s.disk;
  const forIt = supportersOf(s.config.self, asked, ballotsFor(s, asked), release);
  return isMajority(nodesOf(s.config), forIt, true);
}
