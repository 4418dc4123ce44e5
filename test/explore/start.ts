/** Where the search begins and where every state must lead: a pair in sync, of which one serves. */
import { NO_FAULTS } from "./budgets.ts";
import { Carrier } from "./carrier.ts";
import { diskOf, freshWorld, type Id, type Ids, type World } from "./explored-world.ts";
import { answeredEpoch } from "./judgement.ts";
import { eachMove } from "./moves.ts";

/** One node serves, and all hold every write, as the record says. */
export function isServedInSync(w: World): boolean {
  const nodes = w.ids.map((id) => w.nodes[id]);
  const isWhole = nodes.every((n) => n.kind === "live" && diskOf(n)?.outdated === false);
  const isServed = w.ids.some((id) => answeredEpoch(w, id) !== null);
  return isWhole && isServed && w.record?.inSync.length === w.ids.length;
}

/** Nodes that were started for the first time, as they are when they have come in sync. */
export function inSyncWorld(ids: Ids, primary: Id): World {
  // Found by moves with clocks together, where it is a matter of few.
  const carrier = new Carrier(true, ids);
  const queue: World[] = [startedWorld(carrier, primary)];
  const seen = new Set<string>();
  for (let w = queue.shift(); w !== undefined; w = queue.shift()) {
    const isSettled = ids.every((id) => isQuiet(w, id));
    if (isServedInSync(w) && isSettled) return w;
    eachMove(carrier, w, NO_FAULTS, ({ after }) => {
      if (after instanceof Error) throw after;
      const text = JSON.stringify(after);
      if (!seen.has(text) && (after.record?.epoch ?? 0) <= 1) queue.push(after);
      seen.add(text);
    });
  }
  throw new Error("no way leads to nodes in sync");
}

/** It asks nothing, and its streams are attached. */
function isQuiet(w: World, id: Id): boolean {
  const node = w.nodes[id];
  if (node.kind === "dead" || node.state.witness.pending !== null) return false;
  const links = Object.values(node.shell.links);
  return links.length > 0 && links.every((link) => link === "live");
}

function startedWorld(carrier: Carrier, primary: Id): World {
  let w = freshWorld(carrier.ids);
  for (const id of w.ids) {
    w = carrier.carry(w, id, "boot", () => ({ kind: "booted", data: "hasData" }));
    const command = { kind: "start", dataFrom: primary } as const;
    w = carrier.carry(w, id, "start", () => ({ kind: "commanded", command }));
  }
  return w;
}
