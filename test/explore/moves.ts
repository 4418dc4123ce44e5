/**
 * Everything that can happen next. What the network does to messages is counted as a fault: a cut
 * (all messages in one direction are lost until it heals), a question or an answer or a heartbeat
 * that is late, a copy that arrives later once more. While nothing is cut, heartbeats are heard and
 * the witness answers before a wait can end; how long anything takes, and in which order the two
 * nodes and the witness act, is free all the same. With free clocks one node's waits may all run
 * out before the other's clock has moved at all, as when a hypervisor stops a machine.
 */
import type { Command } from "#model/quorum/types.ts";
import type { VoteAnswer, VoteRequest } from "#model/quorum/votes.ts";
import { type Carrier, died } from "./carrier.ts";
import {
  BrokenPromise,
  type Happening,
  type Link,
  type LinkHappening,
  type LiveNode,
  linkOf,
} from "./explored-node.ts";
import { TICK_MS } from "./explored-timers.ts";
import {
  answerTo,
  diskOf,
  type FaultKind,
  IDS,
  type Id,
  otherOf,
  spentBudget,
  type Wire,
  type World,
  withAnswer,
} from "./explored-world.ts";
import { Interner } from "./interner.ts";
import { settle } from "./judgement.ts";
import { copiedTo, lacksWrites, lostPower, synced } from "./ledger.ts";
import { memo2 } from "./memo.ts";

/** `isFault`: it costs a part of the budget. */
export type Found = (text: string, make: () => World, isFault?: boolean) => void;
export type MoveOptions = {
  /** All clocks move together, so leases hold, and S1 is looked at. */
  readonly areClocksTogether: boolean;
};

export function eachMove(c: Carrier, w: World, options: MoveOptions, found: Found): void {
  const emit: Found = (text, make, isFault = false) => {
    const upTo = (dieAfter: number | null) => c.run(make, dieAfter);
    let writes = 0;
    found(
      text,
      () => {
        const whole = upTo(null);
        writes = whole.writes;
        return settle(c, whole.world, options.areClocksTogether);
      },
      isFault,
    );
    // A crash on top of a move that is a fault already costs two.
    if (w.budget.crashes < 1 || w.budget.faults < (isFault ? 2 : 1)) return;
    for (let n = 1; n <= writes; n += 1) {
      const dying = `${text}; the agent dies after write ${n} of it`;
      found(dying, () => settle(c, upTo(n).world, options.areClocksTogether), true);
    }
  };
  const isAsking = (id: Id): boolean =>
    w[id].kind === "live" && !isCut(w, `${id}>w`) && requestOf(w, id) !== null;
  if (options.areClocksTogether && !IDS.some(isAsking)) {
    emit("time passes", () => witnessAges(bothAge(c, w)));
  }
  for (const id of IDS) {
    const node = w[id];
    if (node.kind === "dead") {
      emit(`${id} boots`, () => boot(c, w, id));
      continue;
    }
    if (!options.areClocksTogether && !isAsking(id)) {
      emit(`time passes on ${id}`, () => ages(c, hear(c, w, otherOf(id), true), id));
    }
    heartbeats(c, w, id, emit);
    votes(c, w, id, emit);
    stream(c, w, id, node, emit);
    people(c, w, id, node, emit);
    crashes(w, id, node, emit);
  }
  strays(c, w, emit);
  network(w, emit);
  if (!options.areClocksTogether && w.record !== null && w.record.grant !== null) {
    emit("the witness's grant runs out", () => withRecord(w, { grant: null }));
  }
}

const isCut = (w: World, wire: string): boolean => w.strays.cut.some((cut) => cut === wire);

const CUTS: readonly (readonly [string, readonly Wire[]])[] = [
  ["the nodes are cut from each other", ["a>b", "b>a"]],
  ["nothing of a reaches b", ["a>b"]],
  ["nothing of b reaches a", ["b>a"]],
  ["a is cut from the witness", ["a>w"]],
  ["b is cut from the witness", ["b>w"]],
  ["the witness is away", ["a>w", "b>w"]],
];

function network(w: World, emit: Found): void {
  const withCut = (to: World, cut: readonly Wire[]): World => ({
    ...to,
    strays: { ...to.strays, cut: [...new Set(cut)].sort() },
  });
  const { cut } = w.strays;
  if (w.budget.strays > 0) {
    for (const [text, wires] of CUTS) {
      if (wires.every((wire) => cut.includes(wire))) continue;
      emit(text, () => withCut(spend(w, "strays"), [...cut, ...wires]), true);
    }
  }
  const isPairCut = cut.includes("a>b") || cut.includes("b>a");
  if (isPairCut) {
    emit("the nodes reach each other again", () =>
      withCut(
        w,
        cut.filter((wire) => wire.endsWith(">w")),
      ),
    );
  }
  for (const id of IDS) {
    if (!cut.includes(`${id}>w`)) continue;
    emit(`${id} reaches the witness again`, () =>
      withCut(
        w,
        cut.filter((wire) => wire !== `${id}>w`),
      ),
    );
  }
}

const withRecord = (w: World, part: Partial<NonNullable<World["record"]>>): World =>
  w.record === null ? w : { ...w, record: { ...w.record, ...part } };

/**
 * A tick on one node. Heartbeats are far more frequent than any wait, so at its end the node has
 * just heard the peer and been answered: silence is only what a fault makes.
 */
function ages(c: Carrier, w: World, id: Id): World {
  return c.carry(w, id, ...tickOf(w, id));
}

function tickOf(w: World, id: Id): [key: unknown, make: () => Happening] {
  const peerId = otherOf(id);
  const [node, peer] = [w[id], w[peerId]];
  const state = peer.kind === "live" ? peer.state.shown?.peerStates[id] : undefined;
  const isHeard = state !== undefined && !isCut(w, `${peerId}>${id}`);
  const seeks = peer.kind === "live" ? peer.shell.seek : null;
  const own = node.kind === "live" ? node.shell.seek : null;
  const isHelped = peer.kind === "live" && own !== null && peer.shell.promise === own;
  const isAnswered = isHelped && isHeard && !isCut(w, `${id}>${peerId}`);
  const answered: Record<string, number> = isAnswered && own !== null ? { [peerId]: own } : {};
  if (!isHeard) return ["tick", () => ({ kind: "timePasses", beats: [], answered })];
  const key = beatKey(state, `tick ${seeks} ${answered[peerId]}`);
  return [key, () => ({ kind: "timePasses", beats: [{ state, seeks }], answered })];
}

/** Both clocks move at once: each hears what the other said before. */
function bothAge(c: Carrier, w: World): World {
  const [a, b] = [tickOf(w, "a"), tickOf(w, "b")];
  return c.carry(c.carry(w, "a", ...a), "b", ...b);
}

/** The witness's clock stands still at 0, and the end of its grant comes nearer. */
function witnessAges(w: World): World {
  const grant = w.record?.grant ?? null;
  if (grant === null) return w;
  const expiresAtMs = grant.expiresAtMs - TICK_MS;
  return withRecord(w, { grant: expiresAtMs <= -TICK_MS ? null : { ...grant, expiresAtMs } });
}

function boot(c: Carrier, w: World, id: Id): World {
  const node = w[id];
  const hasFiles = w.ledger.places.length > 0 || (diskOf(node)?.epoch ?? 0) > 0;
  const key = hasFiles ? "boot" : "bootEmpty";
  const data = hasFiles ? "hasData" : "empty";
  return c.carry(w, id, key, () => ({ kind: "booted", data }));
}

/** `id` hears the peer's latest heartbeat, if the wire carries it. */
function hear(c: Carrier, w: World, id: Id, isAnswerHeard: boolean): World {
  const peerId = otherOf(id);
  const peer = w[peerId];
  const node = w[id];
  const state = peer.kind === "live" ? peer.state.shown?.peerStates[id] : undefined;
  if (peer.kind === "dead" || node.kind === "dead" || state === undefined) return w;
  if (isCut(w, `${peerId}>${id}`)) return w;
  const { seek } = peer.shell;
  const isOvertaken = w.strays.beats[id] !== undefined;
  const now = isOvertaken
    ? { ...w, strays: { ...w.strays, beats: without(w.strays.beats, id) } }
    : w;
  const key = seek === null ? state : beatKey(state, `asks ${seek}`);
  const heard = c.carry(now, id, key, () => ({ kind: "peerHeard", state, seeks: seek }));
  const isHelped = seek !== null && node.shell.promise === seek;
  if (!isHelped || !isAnswerHeard || isCut(w, `${id}>${peerId}`)) return heard;
  const answered = { kind: "heartbeatAnswered", peer: id, epoch: seek } as const;
  return c.carry(heard, peerId, `answered ${seek}`, () => answered);
}

function heartbeats(c: Carrier, w: World, id: Id, emit: Found): void {
  const peerId = otherOf(id);
  const peer = w[peerId];
  const state = peer.kind === "live" ? peer.state.shown?.peerStates[id] : undefined;
  if (peer.kind === "dead" || state === undefined || isCut(w, `${peerId}>${id}`)) return;
  // With one clock for all, heartbeats come with its ticks; with free ones, at any moment.
  if (!c.areClocksTogether) emit(`${id} hears ${peerId}`, () => hear(c, w, id, true));
  if (w.budget.strays > 0 && w.strays.beats[id] === undefined) {
    const { seek } = peer.shell;
    emit(
      `a heartbeat of ${peerId} is slow`,
      () => ({
        ...spend(w, "strays"),
        strays: { ...w.strays, beats: { ...w.strays.beats, [id]: { state, seeks: seek } } },
      }),
      true,
    );
  }
}

/** One key for each pair of a published state and what else its arrival says. */
const beatKey = memo2((_state: object, _said: string) => ({}));

const without = (beats: World["strays"]["beats"], id: Id): World["strays"]["beats"] =>
  Object.fromEntries(Object.entries(beats).filter(([to]) => to !== id));

const spent = memo2(spentBudget);

const spend = (w: World, kind: FaultKind): World => ({ ...w, budget: spent(w.budget, kind) });

const requestOf = (w: World, id: Id): VoteRequest | null => {
  const node = w[id];
  return node.kind === "dead" ? null : (node.state.witness.pending?.request ?? null);
};

function votes(c: Carrier, w: World, id: Id, emit: Found): void {
  const late = answerTo(w, id);
  if (late !== null) {
    emit(`the late answer reaches ${id}: ${late.kind}`, () => told(c, w, id, late));
    return;
  }
  const request = requestOf(w, id);
  if (request === null || isCut(w, `${id}>w`)) return;
  const what = `${id}'s ${request.kind}`;
  emit(`the witness answers ${what}`, () => {
    const { world, answer } = c.voted(w, request);
    return told(c, world, id, answer);
  });
  if (w.budget.strays > 0) {
    emit(`a copy of ${what} stays under way`, () => astray(w, request), true);
    emit(
      `the witness answers ${what}, and the answer is late`,
      () => {
        const { world, answer } = c.voted(w, request);
        return withAnswer(spend(world, "strays"), id, answer);
      },
      true,
    );
  }
  if (w.budget.lostReplies > 0) {
    emit(
      `the witness answers ${what}, and the answer is lost`,
      () => {
        const asked = spend(c.voted(w, request).world, "lostReplies");
        const requestId = request.id;
        return c.carry(asked, id, "unanswered", () => ({ kind: "unanswered", requestId }));
      },
      true,
    );
  }
}

function told(c: Carrier, w: World, id: Id, answer: VoteAnswer): World {
  const key = answerKey(answer);
  return c.carry(withAnswer(w, id, null), id, key, () => ({ kind: "answered", answer }));
}

const answerKeys = new Interner<VoteAnswer>();
const answerKey = (answer: VoteAnswer): string => `answer ${answerKeys.idOf(answer)}`;

function astray(w: World, request: VoteRequest): World {
  const requests = [...w.strays.requests, request];
  return { ...spend(w, "strays"), strays: { ...w.strays, requests } };
}

function stream(c: Carrier, w: World, id: Id, node: LiveNode, emit: Found): void {
  const peerId = otherOf(id);
  const peer = w[peerId];
  const { data, flush } = node.shell;
  const link = linkOf(node.shell, peerId);
  const isReached = !isCut(w, "a>b") && !isCut(w, "b>a");
  const follows =
    isReached &&
    data.kind === "serve" &&
    peer.kind === "live" &&
    peer.shell.data.kind === "follow" &&
    peer.shell.data.epoch === data.epoch;
  const { disk } = node.state;
  const isOut = !disk.inSync.includes(peerId) && disk.joining === null && disk.forced === null;
  // A resync that was asked for goes on when the decision thinks better of it, and may still end.
  if (follows && isOut && link === "none" && peer.state.disk.outdated) {
    emit(`${peerId} is resynced from ${id}`, () => {
      if (lacksWrites(w.ledger, id) && disk.epoch >= w.ledger.forcedEpoch) {
        throw new BrokenPromise(`S4: the copy of ${id} lacks writes and is taken by ${peerId}`);
      }
      let next: World = { ...w, ledger: copiedTo(w.ledger, peerId) };
      for (const end of [id, peerId]) next = link1(c, next, end, "attached");
      for (const end of [id, peerId]) next = link1(c, next, end, "linkTold");
      return next;
    });
  }
  if (link === "broken") {
    emit(`${id} learns that the stream is broken`, () => link1(c, w, id, "linkTold"));
  }
  const isJoined =
    isReached && peer.kind === "live" && carries(link) && carries(linkOf(peer.shell, id));
  if (id === "a" && isJoined && w.budget.strays > 0) {
    emit(
      "the stream breaks",
      () => link1(c, link1(c, spend(w, "strays"), "a", "linkBroken"), "b", "linkBroken"),
      true,
    );
  }
  if (flush !== null && isJoined) {
    emit(`${peerId} has flushed`, () => {
      const next = link1(c, w, id, "flushed");
      return { ...next, ledger: synced(synced(next.ledger, "a"), "b") };
    });
  }
  if (flush !== null && !isJoined) emit("the flush fails", () => link1(c, w, id, "flushFailed"));
}

const carries = (link: Link): boolean => link === "untold" || link === "live";

function link1(c: Carrier, w: World, id: Id, kind: LinkHappening): World {
  return c.carry(w, id, kind, () => ({ kind, peer: otherOf(id) }));
}

function people(c: Carrier, w: World, id: Id, node: LiveNode, emit: Found): void {
  const { role, disk } = node.state;
  const order = (key: string, command: Command, what: "orders" | "forces") =>
    emit(
      `a person says ${key} to ${id}`,
      () => {
        const happening: Happening = { kind: "commanded", command };
        return c.carry(spend(w, what), id, key, () => happening);
      },
      true,
    );
  if (!disk.isStartWanted) {
    emit(`a person starts ${id}`, () => {
      const command: Command = { kind: "start", dataFrom: null };
      const happening: Happening = { kind: "commanded", command };
      return c.carry(w, id, "start", () => happening);
    });
  }
  if (w.budget.orders > 0 && disk.isStartWanted) {
    order("stop", { kind: "stop" }, "orders");
    if (role.kind === "leading" && role.hasServed && role.handover === null) {
      order("switch over", { kind: "switchover" }, "orders");
    }
  }
  const isIdle = ["waiting", "following", "candidate", "stopped"].includes(role.kind);
  if (w.budget.forces > 0 && isIdle) {
    const force = (withoutWitness: boolean): Command => ({
      kind: "forcePrimary",
      seenEpoch: disk.epoch,
      historyId: `forced-${id}`,
      by: "ann",
      reason: "lost",
      withoutWitness,
    });
    order("force", force(false), "forces");
    order("force without the witness", force(true), "forces");
  }
}

function crashes(w: World, id: Id, node: LiveNode, emit: Found): void {
  if (w.budget.crashes < 1) return;
  const dead = { disk: diskOf(node), runsService: node.shell.runsService };
  emit(
    `the agent of ${id} dies`,
    () => died(w, id, { kind: "dead", ...dead, hasLostPower: false }),
    true,
  );
  emit(
    `${id} loses its power`,
    () => {
      const dark = { kind: "dead", ...dead, runsService: false, hasLostPower: true } as const;
      const next = died(w, id, dark);
      return { ...next, ledger: lostPower(next.ledger, id, isInSet(w, otherOf(id))) };
    },
    true,
  );
}

const isInSet = (w: World, id: Id): boolean =>
  w.record?.inSync.includes(id) === true && diskOf(w[id])?.outdated === false;

function strays(c: Carrier, w: World, emit: Found): void {
  w.strays.requests.forEach((request, i) => {
    const id: Id = request.nodeId === "a" ? "a" : "b";
    emit(`a late question of ${id} reaches the witness: ${request.kind}`, () => {
      const requests = w.strays.requests.filter((_, j) => j !== i);
      return c.voted({ ...w, strays: { ...w.strays, requests } }, request).world;
    });
  });
  for (const id of IDS) {
    const beat = w.strays.beats[id];
    const node = w[id];
    if (beat === undefined || node.kind === "dead") continue;
    emit(`${id} hears a heartbeat of before`, () => {
      const next = { ...w, strays: { ...w.strays, beats: without(w.strays.beats, id) } };
      const happening: Happening = { kind: "peerHeard", ...beat };
      return c.carry(next, id, beat, () => happening);
    });
  }
}
