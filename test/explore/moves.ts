/**
 * Everything that can happen next. What the network does to messages is counted as a fault: a cut
 * (all messages in one direction are lost until it heals), a question or an answer or a heartbeat
 * that is late, a copy that arrives later once more. How long anything takes, and in which order the
 * nodes and the witness act, is free.
 */
import type { PeerState } from "#model/quorum/peer-state.ts";
import { type Budget, type FaultKind, spent } from "./budgets.ts";
import type { Carrier } from "./carrier.ts";
import type { Beat } from "./explored-node.ts";
import { type Id, peersOf, type World } from "./explored-world.ts";
import { inOrder } from "./in-order.ts";
import { Interner } from "./interner.ts";
import { settle } from "./judgement.ts";
import { boots, crashes } from "./moves/crashes.ts";
import { type Offer, saidBy } from "./moves/move.ts";
import { arrivals, cuts } from "./moves/network.ts";
import { people } from "./moves/people.ts";
import { stream } from "./moves/stream.ts";
import { time } from "./moves/time.ts";
import { requestOf, witness } from "./moves/witness.ts";

export type Move = {
  readonly text: string;
  /** What it costs. */
  readonly faults: readonly FaultKind[];
  /** What it leads to; an error: a promise is broken by it. */
  readonly after: World | Error;
};
export type Found = (move: Move) => void;

export function eachMove(c: Carrier, w: World, budget: Budget, found: Found): void {
  const offer: Offer = (text, fault, make) => {
    const left = fault === null ? budget : spent(budget, fault);
    if (left === null) return;
    const faults = fault === null ? [] : [fault];
    withStrays({ from: w, left, text, faults }, (start) => atEachWrite(c, start, make, found));
  };
  for (const id of w.ids) {
    const node = w.nodes[id];
    if (node.kind === "dead") {
      boots(c, w, id, offer);
      continue;
    }
    witness(c, w, id, offer);
    stream(c, w, id, node, offer);
    people(c, id, node, offer);
    crashes(c, id, node, offer);
  }
  time(c, w, offer);
  arrivals(c, w, offer);
  cuts(c, w, offer);
}

/** Where a move begins: `w`, or the same with something under way; what is left, what it cost. */
type Start = {
  readonly from: World;
  readonly left: Budget;
  readonly text: string;
  readonly faults: readonly FaultKind[];
};

type Whole = { readonly after: World; readonly retired: readonly Id[] };

/** The whole move, and the same up to a crash between two durable writes of one step. */
function atEachWrite(
  c: Carrier,
  { from, left, text, faults }: Start,
  make: (w: World) => World,
  found: Found,
): Whole | null {
  const upTo = (dieAfter: number | null, isCalm: boolean) => {
    const made = c.run(() => make(from), dieAfter);
    return { ...made, after: settle(c, made.world, isCalm) };
  };
  const whole = attempt(() => upTo(null, left.crashes === 0));
  found({ text, faults, after: whole instanceof Error ? whole : whole.after });
  if (whole instanceof Error) return null;
  const rest = spent(left, "crashes");
  for (let n = 1; rest !== null && n <= whole.writes; n += 1) {
    const cut = attempt(() => upTo(n, rest.crashes === 0));
    found({
      text: `${text}; the agent dies after write ${n} of it`,
      faults: [...faults, "crashes"],
      after: cut instanceof Error ? cut : cut.after,
    });
  }
  return whole;
}

function attempt<T>(make: () => T): T | Error {
  try {
    return make();
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }
}

type Residue = { readonly text: string; readonly add: (w: World) => World };

/**
 * A move, and the same while something is left under way that it makes old: a heartbeat that says
 * what its sender says no more, a copy of a question that is waited for no more. Such a stray is the
 * same whenever it was sent before, so it is looked at from this move on, and no earlier.
 */
function withStrays(first: Start, make: (start: Start) => Whole | null): void {
  const whole = make(first);
  if (whole === null || first.left.strays === 0) return;
  let starts = [first];
  for (const { text, add } of residuesOf(first.from, whole)) {
    const more = starts.flatMap((start): Start[] => {
      const left = spent(start.left, "strays");
      if (left === null) return [];
      const faults = [...start.faults, "strays"] as const;
      return [{ from: add(start.from), left, text: `${start.text}; ${text}`, faults }];
    });
    for (const start of more) make(start);
    starts = [...starts, ...more];
  }
}

function residuesOf(was: World, { after, retired }: Whole): readonly Residue[] {
  const residues: Residue[] = [];
  for (const id of was.ids) {
    for (const from of peersOf(was.ids, id)) {
      const beat = saidBy(was, from, id);
      const wire = `${from}>${id}` as const;
      const isOld = beat !== null && !isSaid(after, from, id, beat);
      if (!isOld || was.strays.beats[wire] !== undefined) continue;
      const text = `a heartbeat of ${from} to ${id} from before is still under way`;
      const add = (w: World): World => ({
        ...w,
        strays: { ...w.strays, beats: inOrder({ ...w.strays.beats, [wire]: beat }) },
      });
      residues.push({ text, add });
    }
    const request = requestOf(was, id);
    if (request === null || !retired.includes(id)) continue;
    const text = `a copy of ${id}'s ${request.kind} is still under way`;
    const add = (w: World): World => ({
      ...w,
      strays: { ...w.strays, requests: [...w.strays.requests, request] },
    });
    residues.push({ text, add });
  }
  return residues;
}

const published = new Interner<PeerState>();

function isSaid(w: World, from: Id, to: Id, { state, seeks }: Beat): boolean {
  const now = saidBy(w, from, to);
  if (now === null || now.seeks !== seeks) return false;
  return now.state === state || published.idOf(now.state) === published.idOf(state);
}
