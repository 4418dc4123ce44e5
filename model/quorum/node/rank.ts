import type { BootMs } from "../../shared/ids.ts";
import type { PeerState } from "../peer-state.ts";
import { isWitnessAway } from "./facts.ts";
import type { NodeState } from "./state.ts";

/**
 * Of several nodes that may lead, who tries first: so that they do not take each other's votes. All
 * compute the same order from what all publish. It decides nothing else: who lacks writes is not
 * promoted, whatever its place.
 */
type Ranked = Pick<
  PeerState,
  "nodeId" | "outdated" | "isUnclean" | "witnessIsAway" | "epoch" | "primary"
>;

/** Smaller goes first: complete, of an OS that did not die, reaching the witness, primary last. */
const placeOf = (n: Ranked): readonly number[] => [
  -n.epoch,
  n.outdated ? 1 : 0,
  n.isUnclean ? 1 : 0,
  n.witnessIsAway ? 1 : 0,
  n.primary === n.nodeId ? 0 : 1,
];

export function isBefore(x: Ranked, y: Ranked): boolean {
  const places = placeOf(y);
  for (const [i, place] of placeOf(x).entries()) {
    const other = places[i] ?? 0;
    if (place !== other) return place < other;
  }
  return x.nodeId < y.nodeId;
}

/** Does that peer go before this node? */
export const goesBefore = (s: NodeState, peer: PeerState, nowMs: BootMs): boolean =>
  isBefore(peer, { ...s.disk, witnessIsAway: isWitnessAway(s, nowMs) });
