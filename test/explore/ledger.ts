/**
 * What the judge of the explored world keeps: who served which epoch, and where acknowledged writes
 * are. Not each write counts, but each *kind* of place that some write is in: on a copy it is
 * absent, volatile (in a page cache) or durable. That is all that a crash, a resync or a promotion
 * can do something about.
 */
import type { Epoch, NodeId } from "#model/shared/ids.ts";
import { memo, memo2 } from "./memo.ts";

type Copy = "absent" | "volatile" | "durable";
/** Where some acknowledged writes are: on the copy of a, on the copy of b. */
type Place = { readonly a: Copy; readonly b: Copy };

export type Ledger = {
  /** Sorted, without doubles. Writes that are durable on both are safe, and left out. */
  readonly places: readonly Place[];
  /** Who served each epoch. */
  readonly leaders: Readonly<Record<Epoch, NodeId>>;
  /** A person forced this epoch: acknowledgements of older ones are not protected any more. */
  readonly forcedEpoch: Epoch;
};

export const EMPTY_LEDGER: Ledger = { places: [], leaders: {}, forcedEpoch: 0 };

type Id = "a" | "b";
const other = (id: Id): Id => (id === "a" ? "b" : "a");
const textOf = (p: Place): string => `${p.a} ${p.b}`;

function withPlaces(l: Ledger, places: readonly Place[]): Ledger {
  const kept = places.filter((p) => textOf(p) !== "durable durable");
  const distinct = new Map(kept.map((p) => [textOf(p), p]));
  return { ...l, places: [...distinct.keys()].sort().flatMap((k) => distinct.get(k) ?? []) };
}

export const hasPlace = (l: Ledger, p: Place): boolean =>
  l.places.some((q) => textOf(q) === textOf(p));

/** A write was acknowledged that only `id` has. */
export const ackedAlone = memo2((l: Ledger, id: Id): Ledger => {
  // As if it were flushed: a write that its only copy cannot lose binds more.
  const place: Place = id === "a" ? { a: "durable", b: "absent" } : { a: "absent", b: "durable" };
  return hasPlace(l, place) ? l : withPlaces(l, [...l.places, place]);
});

const ON_BOTH: Place = { a: "volatile", b: "volatile" };

/** A write was acknowledged that both have. */
export const ackedByBoth = memo(
  (l: Ledger): Ledger => (hasPlace(l, ON_BOTH) ? l : withPlaces(l, [...l.places, ON_BOTH])),
);

/** Does the copy of `id` lack a write that was acknowledged? */
export const lacksWrites = (l: Ledger, id: Id): boolean => l.places.some((p) => p[id] === "absent");

const mapped = (l: Ledger, to: (p: Place) => Place): Ledger => withPlaces(l, l.places.map(to));

/** Everything on that copy reached its disk. */
export const synced = (l: Ledger, id: Id): Ledger =>
  mapped(l, (p) => (p[id] === "volatile" ? { ...p, [id]: "durable" } : p));

/**
 * `id` lost its page cache. If the other node is in the set, it keeps alone what both had; if not,
 * the whole set has died, and what was on no disk of it is gone, as is said in docs/QUORUM.md.
 */
export function lostPower(l: Ledger, id: Id, isOtherInSet: boolean): Ledger {
  if (!isOtherInSet) {
    return withPlaces(
      l,
      l.places.filter((p) => p[id] !== "volatile"),
    );
  }
  return mapped(l, (p) =>
    p[id] === "volatile" ? { ...p, [id]: "absent", [other(id)]: "durable" } : p,
  );
}

/** Where nothing loses its power any more, no page cache is ever lost. */
export const calmed = memo(
  (l: Ledger): Ledger =>
    mapped(l, (p) => ({
      a: p.a === "volatile" ? "durable" : p.a,
      b: p.b === "volatile" ? "durable" : p.b,
    })),
);

/** The copy of `id` became that of the other node, and was flushed. */
export const copiedTo = (l: Ledger, id: Id): Ledger =>
  mapped(l, (p) => (p[other(id)] === "absent" ? p : { ...p, [id]: "durable" }));

/** What the copy of `id` lacks is given up, with the word of a person or the death of both. */
export const forgiven = (l: Ledger, id: Id, epoch: Epoch): Ledger => ({
  ...withPlaces(
    l,
    l.places.filter((p) => p[id] !== "absent"),
  ),
  forcedEpoch: Math.max(l.forcedEpoch, epoch),
});

export const served = (l: Ledger, id: Id, epoch: Epoch): Ledger =>
  l.leaders[epoch] === id ? l : { ...l, leaders: { ...l.leaders, [epoch]: id } };
