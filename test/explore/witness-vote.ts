import { decideVote } from "#model/quorum/decide-vote.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import type { QuorumTimers } from "#model/quorum/timers.ts";
import type { VoteAnswer, VoteRequest } from "#model/quorum/votes.ts";
import { BrokenPromise } from "./broken-promise.ts";
import { diskOf, type Id, type World } from "./explored-world.ts";

/** One vote at the witness, whose clock stands at 0. Checks S2 and S3. */
export function vote(
  w: World,
  request: VoteRequest,
  timers: QuorumTimers,
): { readonly record: WitnessRecord | null; readonly answer: VoteAnswer } {
  const was = w.record;
  const decision = decideVote(was, request, 0, { storeId: "store", nodes: w.ids, timers });
  checkVote(w, decision.record, request);
  return decision;
}

function checkVote(w: World, now: WitnessRecord | null, request: VoteRequest) {
  const was = w.record;
  if (now === null || now === was || was === null) return;
  if (now.version <= was.version) {
    throw new BrokenPromise("S2: a stored change does not raise the version");
  }
  if (now.epoch < was.epoch) throw new BrokenPromise("S2: the witness went back");
  if (now.epoch === was.epoch && now.primary !== was.primary) {
    throw new BrokenPromise(`S1: epoch ${now.epoch} is given to ${now.primary}, too`);
  }
  if (now.epoch === was.epoch || request.pairDecision !== null) return;
  checkAsked(w, now, request);
  if (request.kind !== "promote" || now.primary === null) return;
  if (was.inSync.includes(now.primary)) return;
  throw new BrokenPromise(`S3: ${now.primary} was promoted and was not in the set`);
}

/** S10: a node that was told no helps others again, so what it asked for must never come true. */
function checkAsked(w: World, now: WitnessRecord, request: VoteRequest): void {
  const disk = diskOf(w.nodes[request.nodeId as Id]);
  const isBound = disk !== null && Math.max(disk.asked, disk.epoch) >= now.epoch;
  if (isBound) return;
  throw new BrokenPromise(
    `S10: epoch ${now.epoch} is granted to ${request.nodeId}, whose disk asks for none`,
  );
}
