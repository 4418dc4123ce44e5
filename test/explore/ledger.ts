/**
 * What the judge of the explored world keeps: who served which epoch, and where acknowledged writes
 * are. Not each write counts, but each *kind* of place that some write is in: on a copy it is
 * absent, volatile (in a page cache) or durable. That is all that a crash, a resync or a promotion
 * can do something about.
 */
import type { Epoch, NodeId } from "#model/shared/ids.ts";
import { memo, memo2 } from "./memo.ts";

type Copy = "absent" | "volatile" | "durable";
/** Where some acknowledged writes are: on the copy of each node, in the order of their names. */
type Place = Readonly<Record<NodeId, Copy>>;

export type Ledger = {
  /** Sorted, without doubles. Writes that are durable everywhere are safe, and left out. */
  readonly places: readonly Place[];
  /** Who served each epoch. */
  readonly leaders: Readonly<Record<Epoch, NodeId>>;
  /** A person forced this epoch: acknowledgements of older ones are not protected any more. */
  readonly forcedEpoch: Epoch;
};

export const EMPTY_LEDGER: Ledger = { places: [], leaders: {}, forcedEpoch: 0 };

const textOf = (p: Place): string => Object.values(p).join(" ");

function withPlaces(l: Ledger, places: readonly Place[]): Ledger {
  const kept = places.filter((p) => Object.values(p).some((copy) => copy !== "durable"));
  const distinct = new Map(kept.map((p) => [textOf(p), p]));
  const sorted = [...distinct].sort(([x], [y]) => (x < y ? -1 : 1));
  return { ...l, places: sorted.map(([, place]) => place) };
}

const hasPlace = (l: Ledger, p: Place): boolean => l.places.some((q) => textOf(q) === textOf(p));

/** One object for each set of nodes of a module, as keys of what was worked out for them. */
export type Holders = { readonly all: readonly NodeId[]; readonly having: readonly NodeId[] };

/** A write was acknowledged that these have, and no other. */
export const acked = memo2((l: Ledger, { all, having }: Holders): Ledger => {
  // On one alone as if it were flushed: a write that its only copy cannot lose binds more.
  const copy = having.length === 1 ? "durable" : "volatile";
  const copies = all.map((id): [NodeId, Copy] => [id, having.includes(id) ? copy : "absent"]);
  const place: Place = Object.fromEntries(copies);
  return hasPlace(l, place) ? l : withPlaces(l, [...l.places, place]);
});

/** Does the copy of `id` lack a write that was acknowledged? */
export const lacksWrites = (l: Ledger, id: NodeId): boolean =>
  l.places.some((p) => p[id] === "absent");

const mapped = (l: Ledger, to: (p: Place) => Place): Ledger => withPlaces(l, l.places.map(to));

/** Everything on that copy reached its disk. */
export const synced = (l: Ledger, id: NodeId): Ledger =>
  mapped(l, (p) => (p[id] === "volatile" ? { ...p, [id]: "durable" } : p));

/**
 * `id` lost its page cache. What others in the set have as well they keep, the last one alone; if
 * there is none, the whole set has died, and what was on no disk of it is gone, as is said in
 * docs/QUORUM.md.
 */
export function lostPower(l: Ledger, id: NodeId, othersInSet: readonly NodeId[]): Ledger {
  const places: readonly Place[] = l.places.flatMap((p) => {
    if (p[id] !== "volatile") return [p];
    const [keeper, ...others] = othersInSet.filter((other) => p[other] !== "absent");
    if (keeper === undefined) return [];
    const kept: Place = { ...p, [id]: "absent" };
    return [others.length > 0 ? kept : { ...kept, [keeper]: "durable" }];
  });
  return withPlaces(l, places);
}

/** Where nothing loses its power any more, no page cache is ever lost. */
export const calmed = memo(
  (l: Ledger): Ledger =>
    mapped(l, (p) => {
      const kept = Object.entries(p).map(([id, c]) => [id, c === "volatile" ? "durable" : c]);
      return Object.fromEntries(kept) as Place;
    }),
);

/** The copy of `to` became that of `from`, and was flushed. */
export const copied = (l: Ledger, from: NodeId, to: NodeId): Ledger =>
  mapped(l, (p) => (p[from] === "absent" ? p : { ...p, [to]: "durable" }));

/** What the copy of `id` lacks is given up, with the word of a person or the death of all. */
export const forgiven = (l: Ledger, id: NodeId, epoch: Epoch): Ledger => ({
  ...withPlaces(
    l,
    l.places.filter((p) => p[id] !== "absent"),
  ),
  forcedEpoch: Math.max(l.forcedEpoch, epoch),
});

export const served = (l: Ledger, id: NodeId, epoch: Epoch): Ledger =>
  l.leaders[epoch] === id ? l : { ...l, leaders: { ...l.leaders, [epoch]: id } };
