import type { PeerState } from "#model/quorum/peer-state.ts";
import type { FaultKind } from "../budgets.ts";
import type { Beat } from "../explored-node.ts";
import type { Id, Wire, World } from "../explored-world.ts";
import { Interner } from "../interner.ts";

/** Something that can happen in a state: `make` is given that state, or the same with strays. */
export type Offer = (text: string, fault: FaultKind | null, make: (w: World) => World) => void;

export const isCut = (w: World, wire: string): boolean => w.strays.cut.some((c) => c === wire);

/** Is anything cut between nodes; or, where two are named, between these? */
export const isPairCut = (w: World, x?: Id, y?: Id): boolean =>
  w.strays.cut.some((wire) => {
    if (wire.endsWith(">w")) return false;
    return x === undefined || wire === `${x}>${y}` || wire === `${y}>${x}`;
  });

/** More is cut. */
export const withCut = (w: World, wires: readonly Wire[]): World => {
  const cut = [...new Set([...w.strays.cut, ...wires])].sort();
  return { ...w, strays: { ...w.strays, cut } };
};

/** The nodes reach each other again. */
export const withPair = (w: World): World =>
  isPairCut(w) ? withWires(w, (wire) => wire.endsWith(">w")) : w;

/** `id` reaches the witness again. */
export const withWitness = (w: World, id: Id): World =>
  isCut(w, `${id}>w`) ? withWires(w, (wire) => wire !== `${id}>w`) : w;

const withWires = (w: World, isLeft: (wire: Wire) => boolean): World => ({
  ...w,
  strays: { ...w.strays, cut: w.strays.cut.filter(isLeft) },
});

/** The heartbeat that a node sends to that peer now. */
export function saidBy(w: World, from: Id, to: Id): Beat | null {
  const node = w.nodes[from];
  const state = node.kind === "live" ? node.state.shown?.peerStates[to] : undefined;
  return node.kind === "dead" || state === undefined ? null : { state, seeks: node.shell.seek };
}

const states = new Interner<PeerState>();

/** Equal heartbeats have equal keys. */
export const beatKey = ({ state, seeks }: Beat): string => `${states.idOf(state)} asks ${seeks}`;
