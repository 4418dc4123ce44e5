/**
 * The promises of docs/QUORUM.md, looked at in every state. An application writes all the time, so
 * whatever may be acknowledged now, is: that is the worst that can happen to a later promotion.
 */

import type { Carrier } from "./carrier.ts";
import { BrokenPromise, type ExploredNode, type LiveNode, linkOf } from "./explored-node.ts";
import { NOW_MS } from "./explored-timers.ts";
import { diskOf, IDS, type Id, otherOf, servedEpoch, tidy, type World } from "./explored-world.ts";
import { ackedAlone, ackedByBoth, calmed, lacksWrites, served } from "./ledger.ts";
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
  return diskOf(w[id])?.forced !== null || epoch < w.ledger.forcedEpoch;
}

/** What follows by itself: a closed connection is noticed, writes are acknowledged. */
export function settle(c: Carrier, w: World, areClocksTogether: boolean): World {
  let next = w;
  for (const id of IDS) next = breakLink(c, next, id);
  for (const id of IDS) next = acknowledge(next, id);
  if (areClocksTogether) checkApart(next);
  if (next.budget.crashes === 0) next = { ...next, ledger: calmed(next.ledger) };
  return withCanonicalAsks(tidy(next));
}

/** S1: never two at once, but beside a primary that a person forced. */
function checkApart(w: World): void {
  const [a, b] = [answeredEpoch(w.a), answeredEpoch(w.b)];
  if (a === null || b === null || isIsland(w, "a", a) || isIsland(w, "b", b)) return;
  throw new BrokenPromise(`S1: both may answer at once, epoch ${a} and epoch ${b}`);
}

/** A stream whose other end is gone is broken, though nobody has been told yet. */
function breakLink(c: Carrier, w: World, id: Id): World {
  const node = w[id];
  if (node.kind === "dead" || !isUp(node, otherOf(id))) return w;
  const peer = w[otherOf(id)];
  if (peer.kind === "live" && linkOf(peer.shell, id) !== "none") return w;
  const broken = { ...w, [id]: withBrokenLink(node, otherOf(id)) };
  // A primary may go on for long before it notices; a secondary has nothing to lose by knowing.
  if (node.shell.data.kind === "serve") return broken;
  return c.carry(broken, id, "linkTold", () => ({ kind: "linkTold", peer: otherOf(id) }));
}

const withBrokenLink = memo2((node: LiveNode, peer: Id): LiveNode => {
  const links = { ...node.shell.links, [peer]: "broken" } as const;
  return { ...node, shell: { ...node.shell, links } };
});

const isUp = (node: LiveNode, peer: Id): boolean =>
  ["untold", "live"].includes(linkOf(node.shell, peer));

function acknowledge(w: World, id: Id): World {
  const node = w[id];
  if (node.kind === "dead" || node.shell.isFenced || node.shell.data.kind !== "serve") return w;
  const { epoch, ackBy } = node.shell.data;
  if (isIsland(w, id, epoch)) return w;
  const peer = w[otherOf(id)];
  if (ackBy.length > 0) {
    const isReached = !w.strays.cut.includes("a>b") && !w.strays.cut.includes("b>a");
    const isStreaming =
      isReached && isUp(node, otherOf(id)) && peer.kind === "live" && isUp(peer, id);
    const follows =
      isStreaming && peer.shell.data.kind === "follow" && peer.shell.data.epoch === epoch;
    return follows ? { ...w, ledger: ackedByBoth(w.ledger) } : w;
  }
  checkAlone(w, id, epoch);
  return { ...w, ledger: ackedAlone(w.ledger, id) };
}

/** S5: nothing is acknowledged alone before the peer has left the set on a voter's durable word. */
function checkAlone(w: World, id: Id, epoch: number): void {
  const peerId = otherOf(id);
  const { record, ledger } = w;
  const isRecorded = record !== null && record.epoch === epoch && record.inSync.includes(peerId);
  if (isRecorded && diskOf(w[peerId])?.outdated !== true) {
    throw new BrokenPromise(`S5: ${id} acknowledges alone while ${peerId} may be promoted`);
  }
  const newest = Math.max(0, ...Object.keys(ledger.leaders).map(Number));
  if (newest > epoch) {
    throw new BrokenPromise(`S5: ${id} acknowledges under epoch ${epoch} beside epoch ${newest}`);
  }
}

/** The epoch under which a file operation would be answered now; the lease is looked at last. */
export function answeredEpoch(node: ExploredNode): number | null {
  const epoch = servedEpoch(node);
  if (node.kind === "dead" || epoch === null || node.shell.isFenced) return null;
  const { shown } = node.state;
  const grants = Object.values(node.shell.grants);
  const byPeer = grants.some((grant) => grant.epoch === epoch && grant.untilMs > NOW_MS);
  const byWitness = (shown?.witnessGrantUntilMs ?? 0) > NOW_MS;
  return shown?.isStandingVoteHeld === true || byPeer || byWitness ? epoch : null;
}
