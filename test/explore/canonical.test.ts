import { expect, test } from "vitest";
import { DEFAULT_BOUNDS } from "./bounds.ts";
import { canonicalNode } from "./canonical.ts";
import { Carrier } from "./carrier.ts";
import { type Happening, type LiveNode, type Mind, step } from "./explored-node.ts";
import { exploredTimers, NOW_MS } from "./explored-timers.ts";
import { configOf, IDS, type Id, otherOf, type World } from "./explored-world.ts";
import { eachMove } from "./moves.ts";
import { inSyncWorld } from "./search.ts";

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
  const peer = w[otherOf(id)];
  const state = peer.kind === "live" ? peer.state.shown?.peerStates[id] : undefined;
  const beats = state === undefined ? [] : [{ state, seeks: null }];
  return [
    { kind: "timePasses", beats: [], answered: {} },
    { kind: "timePasses", beats, answered: {} },
    ...(state === undefined ? [] : [{ kind: "peerHeard", state, seeks: null } as const]),
    { kind: "linkBroken", peer: otherOf(id) },
    { kind: "commanded", command: { kind: "stop" } },
  ];
}

test("no decision can tell a folded node from one that was not", () => {
  const carrier = new Carrier(true);
  const options = { areClocksTogether: true };
  const { timers } = carrier;
  let compared = 0;
  // Not chance, but a fixed way of walking about: every few moves another one of those offered.
  for (let walk = 0; walk < 60; walk += 1) {
    let w = inSyncStart(walk);
    for (let turn = 0; turn < 14; turn += 1) {
      const offered: (() => World)[] = [];
      eachMove(carrier, w, options, (_, make) => offered.push(make));
      const chosen = offered[(walk * 31 + turn * 17) % offered.length];
      if (chosen !== undefined) w = chosen();
      for (const id of IDS) {
        const node = w[id];
        if (node.kind === "dead") continue;
        for (const happening of happenings(w, id)) {
          const config = configOf(id, timers);
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
  JSON.parse(JSON.stringify(node).replaceAll(/"([ab])-\d+"/g, '"$1-n"'));

const starts = new Map<string, World>();

function inSyncStart(walk: number): World {
  const id: Id = walk % 2 === 0 ? "a" : "b";
  const known = starts.get(id) ?? inSyncWorld(id, DEFAULT_BOUNDS.together.budget);
  starts.set(id, known);
  return known;
}
