import type { Epoch, ModuleId, NodeId } from "../shared/ids.ts";

/**
 * What two data nodes sign together. Two of the three voters are a majority, so the pair can name
 * a primary while the witness is away; the signatures let the witness adopt that decision later.
 */
export type PairTerms = {
  readonly moduleId: ModuleId;
  readonly epoch: Epoch;
  readonly primary: NodeId;
  /** Sorted. Always holds `primary`. */
  readonly inSync: readonly NodeId[];
  readonly historyId: string;
};

/** One node's durable and binding vote: it acts under no epoch below `terms.epoch` any more. */
export type PairVote = { readonly terms: PairTerms; readonly signature: string };

/** Both votes: the decision is made, and can be shown to the witness. */
export type PairDecision = {
  readonly terms: PairTerms;
  /** Sorted by node. */
  readonly signatures: readonly { readonly nodeId: NodeId; readonly signature: string }[];
};

/** A primary's signed word that it will never act under `epoch` again, in favour of `to`. */
export type Release = {
  readonly moduleId: ModuleId;
  readonly epoch: Epoch;
  readonly from: NodeId;
  readonly to: NodeId;
  readonly signature: string;
};

/** The exact text under a node's signature of a pair decision. The shell signs and verifies it. */
export const pairTermsText = (t: PairTerms): string =>
  ["mirrorfarm pair 1", t.moduleId, t.epoch, t.primary, t.inSync.join(","), t.historyId].join("\n");

/** The exact text under a release's signature. */
export const releaseText = (r: Omit<Release, "signature">): string =>
  ["mirrorfarm release 1", r.moduleId, r.epoch, r.from, r.to].join("\n");

export const areSameTerms = (a: PairTerms, b: PairTerms): boolean =>
  pairTermsText(a) === pairTermsText(b);
