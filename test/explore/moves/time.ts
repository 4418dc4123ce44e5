/**
 * What time does: waits run, heartbeats come. While nothing is cut, heartbeats are heard and the
 * witness answers before a wait can end. With free clocks one node's waits may all run out before
 * the other's clock has moved at all, as when a hypervisor stops a machine.
 */
import type { Carrier } from "../carrier.ts";
import type { Happening } from "../explored-node.ts";
import { TICK_MS } from "../explored-timers.ts";
import { IDS, type Id, otherOf, type World } from "../explored-world.ts";
import { beatKey, isCut, isPairCut, type Offer, withPair } from "./move.ts";
import { isAsking } from "./witness.ts";

/** `fault`: what is cut just before, in `w` already. */
export function timePasses(c: Carrier, w: World, offer: TimeOffer): void {
  if (c.areClocksTogether) {
    if (!IDS.some((id) => isAsking(w, id))) {
      offer("time passes", (from) => witnessAges(bothAge(c, from)));
    }
    return;
  }
  for (const id of IDS) {
    if (w[id].kind === "dead" || isAsking(w, id)) continue;
    offer(`time passes on ${id}`, (from) => ages(c, hear(c, from, otherOf(id), true), id));
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
  for (const id of IDS) heardAtAnyTime(c, w, id, offer);
  if (w.record !== null && w.record.grant !== null) {
    offer("the witness's grant runs out", null, (from) =>
      from.record === null ? from : { ...from, record: { ...from.record, grant: null } },
    );
  }
}

function heardAtAnyTime(c: Carrier, w: World, id: Id, offer: Offer): void {
  const peerId = otherOf(id);
  if (w[id].kind === "dead" || w[peerId].kind === "dead") return;
  if (!isCut(w, `${peerId}>${id}`)) {
    offer(`${id} hears ${peerId}`, null, (from) => hear(c, from, id, true));
  }
  if (isPairCut(w)) {
    offer(`the nodes reach each other again, and ${id} hears ${peerId}`, null, (from) =>
      hear(c, withPair(from), id, true),
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

function tickOf(w: World, id: Id): [key: unknown, make: () => Happening] {
  const peerId = otherOf(id);
  const [node, peer] = [w[id], w[peerId]];
  const state = peer.kind === "live" ? peer.state.shown?.peerStates[id] : undefined;
  const isHeard = state !== undefined && !isCut(w, `${peerId}>${id}`);
  const seeks = peer.kind === "live" ? peer.shell.seek : null;
  const own = node.kind === "live" ? node.shell.seek : null;
  const isHelped = peer.kind === "live" && own !== null && peer.shell.promise === own;
  const isAnswered = isHelped && isHeard && !isCut(w, `${id}>${peerId}`);
  const answered: Record<string, number> = isAnswered && own !== null ? { [peerId]: own } : {};
  if (!isHeard) return ["tick", () => ({ kind: "timePasses", beats: [], answered })];
  const key = beatKey(state, `tick ${seeks} ${answered[peerId]}`);
  return [key, () => ({ kind: "timePasses", beats: [{ state, seeks }], answered })];
}

/** Both clocks move at once: each hears what the other said before. */
function bothAge(c: Carrier, w: World): World {
  const [a, b] = [tickOf(w, "a"), tickOf(w, "b")];
  return c.carry(c.carry(w, "a", ...a), "b", ...b);
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

/** `id` hears the peer's latest heartbeat, if the wire carries it. */
function hear(c: Carrier, w: World, id: Id, isAnswerHeard: boolean): World {
  const peerId = otherOf(id);
  const peer = w[peerId];
  const node = w[id];
  const state = peer.kind === "live" ? peer.state.shown?.peerStates[id] : undefined;
  if (peer.kind === "dead" || node.kind === "dead" || state === undefined) return w;
  if (isCut(w, `${peerId}>${id}`)) return w;
  const { seek } = peer.shell;
  const isOvertaken = w.strays.beats[id] !== undefined;
  const now = isOvertaken ? withoutBeat(w, id) : w;
  const key = seek === null ? state : beatKey(state, `asks ${seek}`);
  const heard = c.carry(now, id, key, () => ({ kind: "peerHeard", state, seeks: seek }));
  const isHelped = seek !== null && node.shell.promise === seek;
  if (!isHelped || !isAnswerHeard || isCut(w, `${id}>${peerId}`)) return heard;
  const answered = { kind: "heartbeatAnswered", peer: id, epoch: seek } as const;
  return c.carry(heard, peerId, `answered ${seek}`, () => answered);
}

export const withoutBeat = (w: World, id: Id): World => {
  const { [id]: _, ...beats } = w.strays.beats;
  return { ...w, strays: { ...w.strays, beats } };
};
