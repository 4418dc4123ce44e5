import type { Epoch, NodeId } from "../shared/ids.ts";
import type { PairVote, Release } from "./pair.ts";

/**
 * Who has a vote in a mirror module, and how many make a majority. Each data node has one, and the
 * witness where their number is even: so the number of voters is always odd, and two majorities
 * always share a voter. The record is kept by the witness in any case: it orders the changes, also
 * where it has no vote about them.
 */

/** All data nodes of the module, in any order. */
type Nodes = readonly NodeId[];

export const hasWitnessVote = (nodes: Nodes): boolean => nodes.length % 2 === 0;

export function majorityOf(nodes: Nodes): number {
  const voters = nodes.length + (hasWitnessVote(nodes) ? 1 : 0);
  return Math.floor(voters / 2) + 1;
}

/** Is that a majority? `forIt`: the data nodes that say yes; one named twice counts once. */
export function isMajority(nodes: Nodes, forIt: Nodes, isWitnessForIt: boolean): boolean {
  const votes = nodes.filter((node) => forIt.includes(node)).length;
  const witness = isWitnessForIt && hasWitnessVote(nodes) ? 1 : 0;
  return votes + witness >= majorityOf(nodes);
}

/**
 * May the data nodes name a primary while the witness is away? Only where none of them is missing:
 * of three, two cannot know whether the third one has gone on without them.
 */
export const canDecideWithoutWitness = (nodes: Nodes): boolean => nodes.length === 2;

/** A data node's vote for a candidate, as the candidate shows it to the witness. */
export type Ballot = { readonly nodeId: NodeId } & PairVote;

/** Who wants `candidate` to be primary of `toEpoch`: itself, who voted for it, who released to it. */
export function supportersOf(
  candidate: NodeId,
  toEpoch: Epoch,
  ballots: readonly Ballot[],
  release: Release | null,
): readonly NodeId[] {
  const forIt = ballots.filter(
    ({ terms }) => terms.primary === candidate && terms.epoch === toEpoch,
  );
  return [candidate, ...forIt.map((b) => b.nodeId), ...(release === null ? [] : [release.from])];
}
