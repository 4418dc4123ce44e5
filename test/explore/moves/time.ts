/**
 * What time does: waits run, heartbeats come. While nothing is cut, heartbeats are heard and the
 * witness answers before a wait can end. With free clocks one node's waits may all run out before
 * the other's clock has moved at all, as when a hypervisor stops a machine.
 */
import type { Carrier } from "../carrier.ts";
import type { Happening } from "../explored-node.ts";
import { TICK_MS } from "../explored-timers.ts";
import { type Id, type PairWire, peersOf, type World } from "../explored-world.ts";
import { beatKey, isCut, isPairCut, type Offer, saidBy, withPair } from "./move.ts";
import { isAsking } from "./witness.ts";

/** `fault`: what is cut just before, in `w` already. */
export function timePasses(c: Carrier, w: World, offer: TimeOffer): void {
  if (c.areClocksTogether) {
    if (!w.ids.some((id) => isAsking(w, id))) {
      offer("time passes", (from) => witnessAges(allAge(c, from)));
    }
    return;
  }
  for (const id of w.ids) {
    if (w.nodes[id].kind === "dead" || isAsking(w, id)) continue;
    offer(`time passes on ${id}`, (from) => {
      let next = from;
      for (const peer of peersOf(w.ids, id)) next = hear(c, next, peer, id);
      return ages(c, next, id);
    });
  }
}

export type TimeOffer = (text: string, make: (w: World) => World) => void;

export function time(c: Carrier, w: World, offer: Offer): void {
  timePasses(c, w, (text, make) => offer(text, null, make));
  if (isPairCut(w)) {
    timePasses(c, w, (text, make) =>
      offer(`the nodes reach each other again, and ${text}`, null, (from) => make(withPair(from))),
    );
  }
  // With one clock for all, heartbeats come with its ticks; with free ones, at any moment.
  if (c.areClocksTogether) return;
  for (const id of w.ids)
    for (const from of peersOf(w.ids, id)) heardAtAnyTime(c, w, id, from, offer);
  if (w.record !== null && w.record.grant !== null) {
    offer("the witness's grant runs out", null, (from) =>
      from.record === null ? from : { ...from, record: { ...from.record, grant: null } },
    );
  }
}

function heardAtAnyTime(c: Carrier, w: World, id: Id, peerId: Id, offer: Offer): void {
  if (w.nodes[id].kind === "dead" || w.nodes[peerId].kind === "dead") return;
  if (!isCut(w, `${peerId}>${id}`)) {
    offer(`${id} hears ${peerId}`, null, (from) => hear(c, from, id, peerId));
  }
  if (isPairCut(w, id, peerId)) {
    offer(`the nodes reach each other again, and ${id} hears ${peerId}`, null, (from) =>
      hear(c, withPair(from), id, peerId),
    );
  }
}

/**
 * A tick on one node. Heartbeats are far more frequent than any wait, so at its end the node has
 * just heard the peer and been answered: silence is only what a fault makes.
 */
function ages(c: Carrier, w: World, id: Id): World {
  return c.carry(w, id, ...tickOf(w, id));
}

function tickOf(w: World, id: Id): [key: string, make: () => Happening] {
  const peers = peersOf(w.ids, id);
  const beats = peers.flatMap((peer) =>
    isCut(w, `${peer}>${id}`) ? [] : (saidBy(w, peer, id) ?? []),
  );
  const node = w.nodes[id];
  const own = node.kind === "live" ? node.shell.seek : null;
  const answered: Record<string, number> = {};
  for (const { state } of beats) {
    const from = state.nodeId as Id;
    const peer = w.nodes[from];
    const isHelped = peer.kind === "live" && own !== null && peer.shell.promise === own;
    if (isHelped && !isCut(w, `${id}>${from}`)) answered[from] = own;
  }
  const key = `tick ${beats.map(beatKey).join()} ${JSON.stringify(answered)}`;
  return [key, () => ({ kind: "timePasses", beats, answered })];
}

/** All clocks move at once: each node hears what the others said before. */
function allAge(c: Carrier, w: World): World {
  const ticks = w.ids.map((id) => [id, ...tickOf(w, id)] as const);
  return ticks.reduce((next, [id, key, make]) => c.carry(next, id, key, make), w);
}

/** The witness's clock stands still at 0, and the end of its grant comes nearer. */
function witnessAges(w: World): World {
  const { record } = w;
  const grant = record?.grant ?? null;
  if (record === null || grant === null) return w;
  const expiresAtMs = grant.expiresAtMs - TICK_MS;
  const left = expiresAtMs <= -TICK_MS ? null : { ...grant, expiresAtMs };
  return { ...w, record: { ...record, grant: left } };
}

/** `id` hears the latest heartbeat of `peerId`, if the wire carries it, and is heard to answer. */
function hear(c: Carrier, w: World, id: Id, peerId: Id): World {
  const node = w.nodes[id];
  const beat = saidBy(w, peerId, id);
  const wire = `${peerId}>${id}` as const;
  if (node.kind === "dead" || beat === null || isCut(w, wire)) return w;
  const now = w.strays.beats[wire] === undefined ? w : withoutBeat(w, wire);
  const heard = c.carry(now, id, beatKey(beat), () => ({ kind: "peerHeard", ...beat }));
  const { seeks } = beat;
  const isHelped = seeks !== null && node.shell.promise === seeks;
  if (!isHelped || isCut(w, `${id}>${peerId}`)) return heard;
  const answered = { kind: "heartbeatAnswered", peer: id, epoch: seeks } as const;
  return c.carry(heard, peerId, `${id} answered ${seeks}`, () => answered);
}

export const withoutBeat = (w: World, wire: PairWire): World => {
  const { [wire]: _, ...beats } = w.strays.beats;
  return { ...w, strays: { ...w.strays, beats } };
};
