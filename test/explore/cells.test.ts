import { expect, test } from "vitest";
import { decideNode, type NodeState } from "#model/quorum/node.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";
import { brokenOrder } from "#model/quorum/testing/judge.ts";
import type { NodeEvent } from "#model/quorum/types.ts";
import { type Budget, Budgets } from "./budgets.ts";
import { Carrier } from "./carrier.ts";
import { ALL_EVENTS, ALL_PARTS, coverageOf, EXPLORED_CELLS, type Part } from "./cells.ts";
import { NOW_MS } from "./explored-timers.ts";
import { configOf, type Id, idsOf, Parts, type World } from "./explored-world.ts";
import { saidBy } from "./moves/move.ts";
import { eachMove } from "./moves.ts";
import { WIDTH } from "./row-table.ts";
import { inSyncWorld } from "./start.ts";

type Sample = { readonly state: NodeState; readonly w: World };

const SAMPLES_PER_PART = 8;
/** A node rests in none of these here: one begins with a disk that fails, one ends in the same step. */
const PASSING: readonly Part[] = ["broken", "steppingDown"];
const budget: Budget = {
  faults: 2,
  crashes: 1,
  strays: 1,
  lostReplies: 0,
  forces: 0,
  orders: 1,
};

/** Nodes that really come about, a few for each part that a node can play. */
function samples(): ReadonlyMap<Part, readonly Sample[]> {
  const ids = idsOf(2);
  const carrier = new Carrier(true, ids);
  const budgets = new Budgets(budget);
  const found = new Map<Part, Sample[]>();
  const parts = new Parts(ids);
  const row = new Int32Array(WIDTH);
  const seen = new Set<string>();
  const queue = [{ w: inSyncWorld(ids, "a"), left: 0 }];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    const { w, left } = at;
    for (const id of ids) {
      const node = w.nodes[id];
      if (node.kind === "dead") continue;
      const state = { ...node.state, config: configOf(ids, id, carrier.timers) };
      const some = found.get(state.role.kind) ?? [];
      if (some.length < SAMPLES_PER_PART) found.set(state.role.kind, [...some, { state, w }]);
    }
    const isEnough = ALL_PARTS.every(
      (part) => PASSING.includes(part) || found.get(part)?.length === SAMPLES_PER_PART,
    );
    if (isEnough) break;
    eachMove(carrier, w, budgets.all[left] ?? budget, ({ after, faults }) => {
      if (after instanceof Error) throw after;
      const rest = budgets.after(left, faults);
      parts.toRow(after, row);
      const name = `${rest} ${row.join()}`;
      if (!seen.has(name)) queue.push({ w: after, left: rest });
      seen.add(name);
    });
  }
  for (const { state, w } of found.get("leading")?.slice(0, 1) ?? []) {
    const kept = state.disk;
    const failed = decideNode(state, { kind: "persistFailed", cause: "EIO", kept }, NOW_MS);
    const [nodeId] = state.config.peers;
    const newer = { ...state.shown?.peerStates[nodeId], nodeId, primary: nodeId, epoch: 2 };
    const news = { kind: "peerStateReceived", state: newer as PeerState } as const;
    const deposed = decideNode({ ...state, isServiceUp: true }, news, NOW_MS);
    found.set("broken", [{ state: failed.state, w }]);
    found.set("steppingDown", [{ state: deposed.state, w }]);
  }
  return found;
}

function eventOf(kind: (typeof ALL_EVENTS)[number], { state, w }: Sample): NodeEvent {
  const { self } = state.config;
  const [peer] = state.config.peers;
  const epoch = state.disk.epoch;
  switch (kind) {
    case "heartbeatViewChanged":
      return {
        ...{ kind, peer, lastHeardMs: NOW_MS },
        ...{ peerGrantUntilMs: NOW_MS + 1, peerGrantEpoch: epoch },
      };
    case "peerStateReceived": {
      const said = saidBy(w, peer as Id, self as Id);
      return said === null ? { kind: "ticked" } : { kind, state: said.state };
    }
    case "promisesClosed":
      return { kind, lastPromiseEndsMs: NOW_MS };
    case "signed":
      return { kind, text: state.shown?.sign ?? "a text", signature: self };
    case "voteAnswered": {
      const { pending } = state.witness;
      const requestId = pending?.request.id ?? "none";
      const said = { requestId, storeId: "store", record: w.record, reason: "as it is" };
      return { kind, requestId, answer: { kind: "record", ...said } };
    }
    case "voteFailed":
      return { kind, requestId: state.witness.pending?.request.id ?? "none", cause: "no answer" };
    case "replicationAttached":
      return { kind, peer, epoch };
    case "resyncFinished":
      return { kind, epoch };
    case "replicationDetached":
    case "resyncFailed":
    case "flushFailed":
      return { kind, peer, cause: "EIO" };
    case "dataFaulted":
      return { kind, cause: "EIO" };
    case "peerFlushed":
      return { kind, peer };
    case "replicationStalled":
      return { kind, peer, sinceMs: NOW_MS };
    case "dataClosed":
      return { kind, isSynced: true };
    case "persistFailed":
      return { kind, cause: "EIO", kept: state.disk };
    case "blockingChanged":
      return { kind, blocker: "a checker" };
    case "commanded":
      return { kind, command: { kind: "stop" } };
    case "stallNoticed":
      return { kind, lastedMs: 5000 };
    default:
      return { kind };
  }
}

test("whatever comes, in whichever part: the node has an answer, in a safe order", () => {
  const found = samples();
  expect([...found.keys()].sort()).toEqual([...ALL_PARTS].sort());
  for (const part of ALL_PARTS) {
    for (const kind of ALL_EVENTS) {
      for (const sample of found.get(part) ?? []) {
        const cell = `${part} × ${kind}`;
        const { state, effects, reason } = decideNode(sample.state, eventOf(kind, sample), NOW_MS);
        expect(brokenOrder(state.config.self, state, effects), cell).toBeNull();
        expect(state.disk.epoch, cell).toBeGreaterThanOrEqual(sample.state.disk.epoch);
        expect(reason, cell).toMatch(/^\S[^\n]*$/);
        const later = decideNode(state, { kind: "ticked" }, NOW_MS + 1);
        expect(brokenOrder(state.config.self, later.state, later.effects), cell).toBeNull();
      }
    }
  }
});

test("what was lived through is told apart from what was not", () => {
  const { seen, unseen } = coverageOf(["waiting × ticked", "no such × cell"]);
  expect(seen).toEqual(["waiting × ticked"]);
  expect(unseen.length).toBe(EXPLORED_CELLS.length - 1);
});
