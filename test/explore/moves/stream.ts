/** The replicated stream: a copy is brought back, a connection breaks, a flush ends. */

import { BrokenPromise } from "../broken-promise.ts";
import type { Carrier } from "../carrier.ts";
import { carries, type LinkHappening, type LiveNode, linkOf } from "../explored-node.ts";
import { type Id, peersOf, type World } from "../explored-world.ts";
import { copied, lacksWrites, synced } from "../ledger.ts";
import { isPairCut, type Offer, withCut, withPair } from "./move.ts";
import { pairCuts } from "./network.ts";

export function stream(c: Carrier, w: World, id: Id, node: LiveNode, offer: Offer): void {
  for (const peerId of peersOf(w.ids, id)) {
    const again = isPairCut(w, id, peerId) ? "the nodes reach each other again, and " : "";
    const reached = (from: World) => (again === "" ? from : withPair(from));
    if (isToBeResynced(w, peerId, node)) {
      offer(`${again}${peerId} is resynced from ${id}`, null, (from) =>
        resync(c, reached(from), id, peerId),
      );
    }
    if (linkOf(node.shell, peerId) === "broken") {
      offer(`${id} learns that the stream to ${peerId} is broken`, null, (from) =>
        told(c, from, id, peerId, "linkTold"),
      );
    }
    if (id < peerId && isJoined(w, id, peerId)) {
      offer(`${again}the stream between ${id} and ${peerId} breaks`, "strays", (from) => {
        const half = told(c, reached(from), id, peerId, "linkBroken");
        return told(c, half, peerId, id, "linkBroken");
      });
    }
  }
  if (node.shell.flush !== null) flush(c, w, id, node.shell.flush.peer as Id, offer);
}

function isJoined(w: World, id: Id, peerId: Id): boolean {
  const [node, peer] = [w.nodes[id], w.nodes[peerId]];
  if (node.kind === "dead" || peer.kind === "dead") return false;
  return carries(linkOf(node.shell, peerId)) && carries(linkOf(peer.shell, id));
}

function flush(c: Carrier, w: World, id: Id, peerId: Id, offer: Offer): void {
  const again = isPairCut(w, id, peerId) ? "the nodes reach each other again, and " : "";
  if (isJoined(w, id, peerId)) {
    offer(`${again}${peerId} has flushed`, null, (from) => {
      const next = told(c, again === "" ? from : withPair(from), id, peerId, "flushed");
      return { ...next, ledger: synced(synced(next.ledger, id), peerId) };
    });
  }
  if (!isJoined(w, id, peerId) || again !== "") {
    offer("the flush fails", null, (from) => told(c, from, id, peerId, "flushFailed"));
    return;
  }
  for (const [text, wires] of pairCuts(w.ids)) {
    if (!wires.some((wire) => wire === `${id}>${peerId}` || wire === `${peerId}>${id}`)) continue;
    offer(`${text}, and the flush fails`, "strays", (from) =>
      told(c, withCut(from, wires), id, peerId, "flushFailed"),
    );
  }
}

/** A resync that was asked for goes on when the decision thinks better of it, and may still end. */
function isToBeResynced(w: World, peerId: Id, node: LiveNode): boolean {
  const peer = w.nodes[peerId];
  const { data } = node.shell;
  const isFree = linkOf(node.shell, peerId) === "none";
  if (data.kind !== "serve" || !isFree || peer.kind === "dead") return false;
  const theirs = peer.shell.data;
  if (theirs.kind !== "follow" || theirs.epoch !== data.epoch) return false;
  const { inSync, joining, forced } = node.state.disk;
  const isOut = !inSync.includes(peerId) && joining !== peerId && forced === null;
  return isOut && peer.state.disk.outdated;
}

function resync(c: Carrier, w: World, id: Id, peerId: Id): World {
  const node = w.nodes[id];
  const epoch = node.kind === "live" ? node.state.disk.epoch : 0;
  if (lacksWrites(w.ledger, id) && epoch >= w.ledger.forcedEpoch) {
    throw new BrokenPromise(`S4: the copy of ${id} lacks writes and is taken by ${peerId}`);
  }
  let next: World = { ...w, ledger: copied(w.ledger, id, peerId) };
  for (const kind of ["attached", "linkTold"] as const) {
    next = told(c, told(c, next, id, peerId, kind), peerId, id, kind);
  }
  return next;
}

function told(c: Carrier, w: World, id: Id, peer: Id, kind: LinkHappening): World {
  return c.carry(w, id, `${kind} ${peer}`, () => ({ kind, peer }));
}
