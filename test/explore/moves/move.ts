import type { FaultKind } from "../budgets.ts";
import type { Id, Wire, World } from "../explored-world.ts";
import { memo2 } from "../memo.ts";

/** Something that can happen in a state: `make` is given that state, or the same with strays. */
export type Offer = (text: string, fault: FaultKind | null, make: (w: World) => World) => void;

export const isCut = (w: World, wire: string): boolean => w.strays.cut.some((c) => c === wire);

export const isPairCut = (w: World): boolean => isCut(w, "a>b") || isCut(w, "b>a");

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

/** One key for each pair of a published state and what else its arrival says. */
export const beatKey = memo2((_state: object, _said: string) => ({}));
