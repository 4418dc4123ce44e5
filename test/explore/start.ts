/** Where the search begins and where every state must lead: a pair in sync, of which one serves. */
import { NO_FAULTS } from "./budgets.ts";
import { Carrier } from "./carrier.ts";
import { diskOf, freshWorld, IDS, type Id, type World } from "./explored-world.ts";
import { answeredEpoch } from "./judgement.ts";
import { eachMove } from "./moves.ts";

/** One node serves, and both hold every write, as the record says. */
export function isServedInSync(w: World): boolean {
  const isWhole = IDS.every((id) => diskOf(w[id])?.outdated === false && w[id].kind === "live");
  const isServed = IDS.some((id) => answeredEpoch(w[id]) !== null);
  return isWhole && isServed && w.record?.inSync.length === 2;
}

/** A pair that was started for the first time, as it is when it has come in sync. */
export function inSyncWorld(primary: Id): World {
  // Found by moves with clocks together, where it is a matter of few.
  const carrier = new Carrier(true);
  const queue: World[] = [startedWorld(carrier, primary)];
  const seen = new Set<string>();
  for (let w = queue.shift(); w !== undefined; w = queue.shift()) {
    const isSettled = [w.a, w.b].every(
      (n) =>
        n.kind === "live" &&
        n.state.witness.pending === null &&
        Object.values(n.shell.links)[0] === "live",
    );
    if (isServedInSync(w) && isSettled) return w;
    eachMove(carrier, w, NO_FAULTS, ({ after }) => {
      if (after instanceof Error) throw after;
      const text = JSON.stringify(after);
      if (!seen.has(text) && (after.record?.epoch ?? 0) <= 1) queue.push(after);
      seen.add(text);
    });
  }
  throw new Error("no way leads to a pair in sync");
}

function startedWorld(carrier: Carrier, primary: Id): World {
  let w = freshWorld();
  for (const id of IDS) {
    w = carrier.carry(w, id, "boot", () => ({ kind: "booted", data: "hasData" }));
    const command = { kind: "start", dataFrom: primary } as const;
    w = carrier.carry(w, id, "start", () => ({ kind: "commanded", command }));
  }
  return w;
}
