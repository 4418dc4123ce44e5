import { expect, test } from "vitest";
import { DEFAULT_BOUNDS } from "./bounds.ts";
import { canonicalNode } from "./canonical.ts";
import { Carrier } from "./carrier.ts";
import type { Happening, LiveNode, Mind } from "./explored-node.ts";
import { exploredTimers, NOW_MS } from "./explored-timers.ts";
import { configOf, type Id, idsOf, peersOf, type World } from "./explored-world.ts";
import { saidBy } from "./moves/move.ts";
import { eachMove } from "./moves.ts";
import { step } from "./node-step.ts";
import { inSyncWorld } from "./start.ts";

/**
 * Undoes the folding: what is over has been over for longer, what is as old as can matter is older,
 * and all numbers that are given out are higher. No decision may come out otherwise.
 */
const EARLIER_MS = 7000;

const mapped = <V>(record: Readonly<Record<string, V>>, to: (value: V) => V) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, to(value)]));

function unfolded(node: LiveNode): LiveNode {
  const timers = exploredTimers(true);
  const over = (t: number): number => (t === NOW_MS ? t - EARLIER_MS : t);
  const old = (t: number | null, ageMaxMs: number): number | null =>
    t !== null && t <= NOW_MS - ageMaxMs ? t - EARLIER_MS : t;
  const { role, peers, witness } = node.state;
  const silenceMs = timers.peerLeaseMs + timers.handicapMs;
  const state: Mind = {
    ...node.state,
    counter: node.state.counter + 5,
    bootWaitUntilMs: over(node.state.bootWaitUntilMs),
    promotableAtMs: over(node.state.promotableAtMs),
    accuseFromMs: old(node.state.accuseFromMs, silenceMs) ?? 0,
    peers: mapped(peers, (view) => ({ ...view, lastHeardMs: old(view.lastHeardMs, silenceMs) })),
    witness: {
      ...witness,
      notBeforeMs: over(witness.notBeforeMs),
      silentSinceMs: old(witness.silentSinceMs, timers.witnessAwayAfterMs),
    },
    role:
      role.kind === "waiting"
        ? { ...role, retryAtMs: over(role.retryAtMs) }
        : role.kind === "leading"
          ? {
              ...role,
              secondaries: mapped(role.secondaries, (one) => ({
                ...one,
                resyncNotBeforeMs: over(one.resyncNotBeforeMs),
              })),
              fencedSinceMs: old(role.fencedSinceMs, timers.giveUpAfterMs),
            }
          : role,
  };
  return { ...node, state };
}

function happenings(w: World, id: Id): readonly Happening[] {
  const peers = peersOf(w.ids, id);
  const beats = peers.flatMap((peer) => {
    const beat = saidBy(w, peer, id);
    return beat === null ? [] : [{ ...beat, seeks: null }];
  });
  return [
    { kind: "timePasses", beats: [], answered: {} },
    { kind: "timePasses", beats, answered: {} },
    ...beats.map((beat): Happening => ({ kind: "peerHeard", ...beat })),
    ...peers.map((peer): Happening => ({ kind: "linkBroken", peer })),
    { kind: "commanded", command: { kind: "stop" } },
  ];
}

test.each([2, 3] as const)("%s nodes: no decision can tell a folded node from another", (count) => {
  const ids = idsOf(count);
  const carrier = new Carrier(true, ids);
  const { timers } = carrier;
  const { budget } = DEFAULT_BOUNDS.together;
  const starts = new Map(ids.map((id) => [id, inSyncWorld(ids, id)]));
  let compared = 0;
  // Not chance, but a fixed way of walking about: every few moves another one of those offered.
  for (let walk = 0; walk < 60; walk += 1) {
    let w = starts.get(ids[walk % ids.length] ?? "a");
    for (let turn = 0; w !== undefined && turn < 14; turn += 1) {
      const offered: World[] = [];
      eachMove(carrier, w, budget, ({ after }) => {
        if (!(after instanceof Error)) offered.push(after);
      });
      w = offered[(walk * 31 + turn * 17) % offered.length] ?? w;
      for (const id of ids) {
        const node = w.nodes[id];
        if (node.kind === "dead") continue;
        for (const happening of happenings(w, id)) {
          const config = configOf(ids, id, timers);
          const folded = step(config, node, happening);
          const free = step(config, unfolded(node), happening);
          expect(told(canonicalNode(config, free.node, free.nowMs))).toEqual(
            told(canonicalNode(config, folded.node, folded.nowMs)),
          );
          compared += 1;
        }
      }
    }
  }
  expect(compared).toBeGreaterThan(2000);
});

/** Names of asks are folded with the whole world in view (names.ts). */
const told = (node: LiveNode): unknown =>
  JSON.parse(JSON.stringify(node).replaceAll(/"([abc])-\d+"/g, '"$1-n"'));
