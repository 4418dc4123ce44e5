/** What the network does to messages: cuts, and what arrives late or once more. */
import type { Carrier } from "../carrier.ts";
import { IDS, type Id, type Wire, type World } from "../explored-world.ts";
import { isCut, type Offer, withCut } from "./move.ts";
import { timePasses, withoutBeat } from "./time.ts";
import { requestOf } from "./witness.ts";

type Cut = readonly [text: string, wires: readonly Wire[]];

export const PAIR_CUTS: readonly Cut[] = [
  ["the nodes are cut from each other", ["a>b", "b>a"]],
  ["nothing of a reaches b", ["a>b"]],
  ["nothing of b reaches a", ["b>a"]],
];

const WITNESS_CUTS: readonly Cut[] = [
  ["a is cut from the witness", ["a>w"]],
  ["b is cut from the witness", ["b>w"]],
  ["the witness is away", ["a>w", "b>w"]],
];

/**
 * All messages in one direction are lost until it heals. A cut shows only by the time that passes
 * without what it holds back, and whatever else happens before is the same before the cut: so a cut
 * and that time are one move. A wire to the witness shows only while its node asks.
 */
export function cuts(c: Carrier, w: World, offer: Offer): void {
  for (const [text, wires] of [...PAIR_CUTS, ...WITNESS_CUTS]) {
    const isNew = wires.some((wire) => !isCut(w, wire) && isUsed(w, wire));
    if (!isNew) continue;
    timePasses(c, withCut(w, wires), (then, make) =>
      offer(`${text}, and ${then}`, "strays", (from) => make(withCut(from, wires))),
    );
  }
}

const isUsed = (w: World, wire: Wire): boolean =>
  wire === "a>w" ? requestOf(w, "a") !== null : wire !== "b>w" || requestOf(w, "b") !== null;

/** What was on its way arrives. */
export function arrivals(c: Carrier, w: World, offer: Offer): void {
  w.strays.requests.forEach((request, i) => {
    const id: Id = request.nodeId === "a" ? "a" : "b";
    offer(`a late question of ${id} reaches the witness: ${request.kind}`, null, (from) => {
      const requests = from.strays.requests.filter((_, j) => j !== i);
      return c.voted({ ...from, strays: { ...from.strays, requests } }, request).world;
    });
  });
  for (const id of IDS) {
    const beat = w.strays.beats[id];
    if (beat === undefined || w[id].kind === "dead") continue;
    offer(`${id} hears a heartbeat of before`, null, (from) =>
      c.carry(withoutBeat(from, id), id, beat, () => ({ kind: "peerHeard", ...beat })),
    );
  }
}
