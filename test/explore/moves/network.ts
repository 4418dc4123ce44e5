/** What the network does to messages: cuts, and what arrives late or once more. */
import type { Carrier } from "../carrier.ts";
import {
  type Id,
  type Ids,
  type PairWire,
  peersOf,
  type Wire,
  type World,
} from "../explored-world.ts";
import { memo } from "../memo.ts";
import { beatKey, isCut, type Offer, withCut } from "./move.ts";
import { timePasses, withoutBeat } from "./time.ts";
import { requestOf } from "./witness.ts";

type Cut = readonly [text: string, wires: readonly Wire[]];

const wiresBetween = (x: Id, others: readonly Id[]): readonly PairWire[] =>
  others.flatMap((y): PairWire[] => [`${x}>${y}`, `${y}>${x}`]);

/** Cuts between nodes: of two from each other, in one direction or both, and of one from all. */
export const pairCuts = memo((ids: Ids): readonly Cut[] => {
  const directions = ids.flatMap((from) =>
    peersOf(ids, from).map((to): Cut => [`nothing of ${from} reaches ${to}`, [`${from}>${to}`]]),
  );
  if (ids.length === 2)
    return [["the nodes are cut from each other", ["a>b", "b>a"]], ...directions];
  const pairs = ids.flatMap((x) =>
    peersOf(ids, x)
      .filter((y) => x < y)
      .map((y): Cut => [`${x} and ${y} are cut from each other`, wiresBetween(x, [y])]),
  );
  const parts = ids.map((x): Cut => [`${x} is cut off`, wiresBetween(x, peersOf(ids, x))]);
  return [...parts, ...pairs, ...directions];
});

const witnessCuts = memo((ids: Ids): readonly Cut[] => [
  ...ids.map((id): Cut => [`${id} is cut from the witness`, [`${id}>w`]]),
  ["the witness is away", ids.map((id): Wire => `${id}>w`)],
]);

/**
 * All messages in one direction are lost until it heals. A cut shows only by the time that passes
 * without what it holds back, and whatever else happens before is the same before the cut: so a cut
 * and that time are one move. A wire to the witness shows only while its node asks.
 */
export function cuts(c: Carrier, w: World, offer: Offer): void {
  for (const [text, wires] of [...pairCuts(w.ids), ...witnessCuts(w.ids)]) {
    const isNew = wires.some((wire) => !isCut(w, wire) && isUsed(w, wire));
    if (!isNew) continue;
    timePasses(c, withCut(w, wires), (then, make) =>
      offer(`${text}, and ${then}`, "strays", (from) => make(withCut(from, wires))),
    );
  }
}

const isUsed = (w: World, wire: Wire): boolean =>
  !wire.endsWith(">w") || w.ids.some((id) => wire.startsWith(id) && requestOf(w, id) !== null);

/** What was on its way arrives. */
export function arrivals(c: Carrier, w: World, offer: Offer): void {
  w.strays.requests.forEach((request, i) => {
    const { nodeId, kind } = request;
    offer(`a late question of ${nodeId} reaches the witness: ${kind}`, null, (from) => {
      const requests = from.strays.requests.filter((_, j) => j !== i);
      return c.voted({ ...from, strays: { ...from.strays, requests } }, request).world;
    });
  });
  for (const id of w.ids) {
    for (const peer of peersOf(w.ids, id)) {
      const wire = `${peer}>${id}` as const;
      const beat = w.strays.beats[wire];
      if (beat === undefined || w.nodes[id].kind === "dead") continue;
      offer(`${id} hears a heartbeat of ${peer} of before`, null, (from) =>
        c.carry(withoutBeat(from, wire), id, beatKey(beat), () => ({ kind: "peerHeard", ...beat })),
      );
    }
  }
}
