/** Agents that die, machines that lose their power, and both that come back. */
import type { Carrier } from "../carrier.ts";
import { type LiveNode, planeOf } from "../explored-node.ts";
import { diskOf, type Id, peersOf, type World } from "../explored-world.ts";
import { lostPower } from "../ledger.ts";
import type { Offer } from "./move.ts";

export function boots(c: Carrier, w: World, id: Id, offer: Offer): void {
  const hasFiles = w.ledger.places.length > 0 || (diskOf(w.nodes[id])?.epoch ?? 0) > 0;
  const key = hasFiles ? "boot" : "bootEmpty";
  const data = hasFiles ? "hasData" : "empty";
  offer(`${id} boots`, null, (from) => c.carry(from, id, key, () => ({ kind: "booted", data })));
}

export function crashes(c: Carrier, id: Id, node: LiveNode, offer: Offer): void {
  const dead = { disk: diskOf(node), runsService: node.shell.runsService, plane: null };
  offer(`the agent of ${id} dies, and its data process`, "crashes", (from) =>
    c.died(from, id, { kind: "dead", ...dead, hasLostPower: false }),
  );
  const plane = planeOf(node.shell);
  if (plane !== null) {
    offer(`the agent of ${id} dies`, "crashes", (from) =>
      c.died(from, id, { kind: "dead", ...dead, plane, hasLostPower: false }),
    );
  }
  offer(`${id} loses its power`, "crashes", (from) => {
    const dark = { kind: "dead", ...dead, runsService: false, hasLostPower: true } as const;
    const next = c.died(from, id, dark);
    const others = peersOf(from.ids, id).filter((peer) => isInSet(from, peer));
    return { ...next, ledger: lostPower(next.ledger, id, others) };
  });
}

const isInSet = (w: World, id: Id): boolean =>
  w.record?.inSync.includes(id) === true && diskOf(w.nodes[id])?.outdated === false;
