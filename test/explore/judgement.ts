/**
 * The promises of docs/QUORUM.md, looked at in every state. An application writes all the time, so
 * whatever may be acknowledged now, is: that is the worst that can happen to a later promotion.
 */

import { isMajority } from "#model/quorum/voters.ts";
import type { Carrier } from "./carrier.ts";
import { BrokenPromise, carries, type ExploredNode, linkOf } from "./explored-node.ts";
import { NOW_MS } from "./explored-timers.ts";
import {
  diskOf,
  type Id,
  peersOf,
  planeIn,
  servedEpoch,
  tidy,
  type World,
  withNode,
} from "./explored-world.ts";
import { acked, calmed, type Holders, lacksWrites, served } from "./ledger.ts";
import { memo2 } from "./memo.ts";
import { withCanonicalAsks } from "./names.ts";

/** S1 and S4 at the moment a node begins to serve. */
export function takeServed(w: World, id: Id, epochs: readonly number[]): World {
  let next = w;
  for (const epoch of epochs) {
    if (isIsland(next, id, epoch)) continue;
    const leader = next.ledger.leaders[epoch];
    if (leader !== undefined && leader !== id) {
      throw new BrokenPromise(`S1: epoch ${epoch} has two primaries`);
    }
    if (lacksWrites(next.ledger, id)) {
      throw new BrokenPromise(`S4: ${id} serves epoch ${epoch} and lacks acknowledged writes`);
    }
    next = { ...next, ledger: served(next.ledger, id, epoch) };
  }
  return next;
}

/**
 * A primary that a person forced without the witness, or an older one that a person passed by: what
 * it serves and acknowledges is not protected, as docs/QUORUM.md says.
 */
function isIsland(w: World, id: Id, epoch: number): boolean {
  return diskOf(w.nodes[id])?.forced !== null || epoch < w.ledger.forcedEpoch;
}

/**
 * What follows by itself: a closed connection is noticed, writes are acknowledged. `isCalm`: no
 * machine loses its power any more.
 */
export function settle(c: Carrier, w: World, isCalm: boolean): World {
  let next = w;
  for (const id of w.ids)
    for (const peer of peersOf(w.ids, id)) next = breakLink(c, next, id, peer);
  for (const id of w.ids) next = acknowledge(next, id);
  if (c.areClocksTogether) checkApart(next);
  if (isCalm) next = { ...next, ledger: calmed(next.ledger) };
  return withCanonicalAsks(tidy(next));
}

/** S1: never two at once, but beside a primary that a person forced. */
function checkApart(w: World): void {
  const answering = w.ids.flatMap((id) => {
    const epoch = answeredEpoch(w, id);
    return epoch === null || isIsland(w, id, epoch) ? [] : [`epoch ${epoch} of ${id}`];
  });
  if (answering.length < 2) return;
  throw new BrokenPromise(`S1: two may answer at once, ${answering.join(" and ")}`);
}

/** A stream whose other end is gone is broken, though nobody has been told yet. */
function breakLink(c: Carrier, w: World, id: Id, peerId: Id): World {
  const node = w.nodes[id];
  if (!isUp(node, peerId)) return w;
  if (linkOf(planeIn(w.nodes[peerId]), id) !== "none") return w;
  const broken = withNode(w, id, withBrokenLink(node, peerId));
  // A primary may go on for long before it notices; a secondary has nothing to lose by knowing.
  if (node.kind === "dead" || node.shell.data.kind === "serve") return broken;
  return c.carry(broken, id, `linkTold ${peerId}`, () => ({ kind: "linkTold", peer: peerId }));
}

const withBrokenLink = memo2((node: ExploredNode, peer: Id): ExploredNode => {
  const links = { ...planeIn(node)?.links, [peer]: "broken" } as const;
  if (node.kind === "live") return { ...node, shell: { ...node.shell, links } };
  return node.plane === null ? node : { ...node, plane: { ...node.plane, links } };
});

const isUp = (node: ExploredNode, peer: Id): boolean => carries(linkOf(planeIn(node), peer));

/** A write is acknowledged, if that can be, by all whose acknowledgement it needs. */
function acknowledge(w: World, id: Id): World {
  const plane = planeIn(w.nodes[id]);
  if (plane === null || plane.isFenced || plane.data.kind !== "serve") return w;
  const { epoch, ackBy } = plane.data;
  if (isIsland(w, id, epoch)) return w;
  const peers = peersOf(w.ids, id);
  if (!peers.every((peer) => !ackBy.includes(peer) || isTaking(w, id, peer, epoch))) return w;
  const without = peers.filter((peer) => !ackBy.includes(peer));
  for (const peer of without) checkWithout(w, id, peer, epoch);
  const having = w.ids.filter((n) => n === id || ackBy.includes(n));
  return { ...w, ledger: acked(w.ledger, holders(w.ids, having)) };
}

/** That peer takes the stream of `id`. Whatever is cut: what was under way may arrive, and its answer. */
function isTaking(w: World, id: Id, peerId: Id, epoch: number): boolean {
  const [node, peer] = [w.nodes[id], w.nodes[peerId]];
  const takes = planeIn(peer)?.data;
  const isFollowing = takes?.kind === "follow" && takes.epoch === epoch;
  return isFollowing && isUp(node, peerId) && isUp(peer, id);
}

const knownHolders = new Map<string, Holders>();

/** The same object for the same nodes. */
function holders(all: readonly Id[], having: readonly Id[]): Holders {
  const key = `${all.join()}:${having.join()}`;
  const known = knownHolders.get(key) ?? { all, having };
  knownHolders.set(key, known);
  return known;
}

/** S5: nothing is acknowledged without a peer before it has left the set on a durable word. */
function checkWithout(w: World, id: Id, peer: Id, epoch: number): void {
  const { record, ledger } = w;
  const isRecorded = record !== null && record.epoch === epoch && record.inSync.includes(peer);
  if (isRecorded && diskOf(w.nodes[peer])?.outdated !== true) {
    throw new BrokenPromise(`S5: ${id} acknowledges alone while ${peer} may be promoted`);
  }
  const newest = Math.max(0, ...Object.keys(ledger.leaders).map(Number));
  if (newest > epoch) {
    throw new BrokenPromise(`S5: ${id} acknowledges under epoch ${epoch} beside epoch ${newest}`);
  }
}

/** The epoch under which a file operation would be answered now; the lease is looked at last. */
export function answeredEpoch(w: World, id: Id): number | null {
  const node = w.nodes[id];
  const epoch = servedEpoch(node);
  if (node.kind === "dead" || epoch === null || node.shell.isFenced) return null;
  const { shown } = node.state;
  const promising = Object.entries(node.shell.grants).filter(
    ([, grant]) => grant.epoch === epoch && grant.untilMs > NOW_MS,
  );
  const isWitnessForIt = (shown?.witnessGrantUntilMs ?? 0) > NOW_MS;
  const forIt = [id, ...promising.map(([peer]) => peer)];
  const isHeld = shown?.isStandingVoteHeld === true || isMajority(w.ids, forIt, isWitnessForIt);
  return isHeld ? epoch : null;
}
