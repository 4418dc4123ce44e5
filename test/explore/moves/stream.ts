/** The replicated stream: a copy is brought back, a connection breaks, a flush ends. */
import type { Carrier } from "../carrier.ts";
import {
  BrokenPromise,
  type Link,
  type LinkHappening,
  type LiveNode,
  linkOf,
} from "../explored-node.ts";
import { type Id, otherOf, type World } from "../explored-world.ts";
import { copiedTo, lacksWrites, synced } from "../ledger.ts";
import { isPairCut, type Offer, withCut, withPair } from "./move.ts";
import { PAIR_CUTS } from "./network.ts";

export function stream(c: Carrier, w: World, id: Id, node: LiveNode, offer: Offer): void {
  const peerId = otherOf(id);
  const again = isPairCut(w) ? "the nodes reach each other again, and " : "";
  if (isToBeResynced(w, id, node)) {
    offer(`${again}${peerId} is resynced from ${id}`, null, (from) =>
      resync(c, withPair(from), id),
    );
  }
  const link = linkOf(node.shell, peerId);
  if (link === "broken") {
    offer(`${id} learns that the stream is broken`, null, (from) => told(c, from, id, "linkTold"));
  }
  const peer = w[peerId];
  const isJoined = peer.kind === "live" && carries(link) && carries(linkOf(peer.shell, id));
  if (id === "a" && isJoined) {
    offer(`${again}the stream breaks`, "strays", (from) =>
      told(c, told(c, withPair(from), "a", "linkBroken"), "b", "linkBroken"),
    );
  }
  if (node.shell.flush !== null) flush(c, w, id, isJoined, offer);
}

function flush(c: Carrier, w: World, id: Id, isJoined: boolean, offer: Offer): void {
  const again = isPairCut(w) ? "the nodes reach each other again, and " : "";
  if (isJoined) {
    offer(`${again}${otherOf(id)} has flushed`, null, (from) => {
      const next = told(c, withPair(from), id, "flushed");
      return { ...next, ledger: synced(synced(next.ledger, "a"), "b") };
    });
  }
  if (!isJoined || isPairCut(w)) {
    offer("the flush fails", null, (from) => told(c, from, id, "flushFailed"));
    return;
  }
  for (const [text, wires] of PAIR_CUTS) {
    offer(`${text}, and the flush fails`, "strays", (from) =>
      told(c, withCut(from, wires), id, "flushFailed"),
    );
  }
}

/** A resync that was asked for goes on when the decision thinks better of it, and may still end. */
function isToBeResynced(w: World, id: Id, node: LiveNode): boolean {
  const peerId = otherOf(id);
  const peer = w[peerId];
  const { data } = node.shell;
  if (data.kind !== "serve" || linkOf(node.shell, peerId) !== "none" || peer.kind === "dead")
    return false;
  const theirs = peer.shell.data;
  if (theirs.kind !== "follow" || theirs.epoch !== data.epoch) return false;
  const { disk } = node.state;
  const isOut = !disk.inSync.includes(peerId) && disk.joining === null && disk.forced === null;
  return isOut && peer.state.disk.outdated;
}

function resync(c: Carrier, w: World, id: Id): World {
  const peerId = otherOf(id);
  const node = w[id];
  const epoch = node.kind === "live" ? node.state.disk.epoch : 0;
  if (lacksWrites(w.ledger, id) && epoch >= w.ledger.forcedEpoch) {
    throw new BrokenPromise(`S4: the copy of ${id} lacks writes and is taken by ${peerId}`);
  }
  let next: World = { ...w, ledger: copiedTo(w.ledger, peerId) };
  for (const end of [id, peerId]) next = told(c, next, end, "attached");
  for (const end of [id, peerId]) next = told(c, next, end, "linkTold");
  return next;
}

const carries = (link: Link): boolean => link === "untold" || link === "live";

function told(c: Carrier, w: World, id: Id, kind: LinkHappening): World {
  return c.carry(w, id, kind, () => ({ kind, peer: otherOf(id) }));
}
