import type { NodeDisk } from "#model/quorum/disk.ts";
import type { NodeEvent } from "#model/quorum/types.ts";
import type { NodeId } from "#model/shared/ids.ts";

/** A promise of docs/QUORUM.md is broken; `message` begins with its name. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}

/** S2 and S10: no disk goes back to an earlier epoch, or forgets what it voted for. */
export function checkDisk(id: NodeId, was: NodeDisk, now: NodeDisk, event: NodeEvent): void {
  if (now.epoch < was.epoch) {
    throw new BrokenPromise(`S2: ${id} went back from epoch ${was.epoch} to ${now.epoch}`);
  }
  const voted = was.pairVote?.terms.epoch ?? 0;
  const bound = Math.max(now.epoch, now.pairVote?.terms.epoch ?? 0);
  if (bound < voted) throw new BrokenPromise(`S10: ${id} forgot its vote for epoch ${voted}`);
  const isForgotten = Math.max(now.epoch, now.asked) < was.asked;
  // No answer is not a no: only the witness's word ends a question that no epoch has overtaken.
  if (isForgotten && event.kind !== "voteAnswered") {
    throw new BrokenPromise(`S10: ${id} forgot that it asked for epoch ${was.asked}`);
  }
}
