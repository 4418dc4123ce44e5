/**
 * Folds what nothing in the protocol can tell apart, so that the search ends. Three things grow for
 * ever in a running cluster and mean nothing by themselves:
 *
 * - *time*: only how long ago something was, or is to come, matters, and only up to the longest
 *   wait. All instants are moved so that now is `NOW_MS`, and old ones meet there.
 * - *names of requests and asks*: only which of them are equal matters.
 * - *versions of the record*: only whether one is the present one matters, as they never go back.
 *
 * Each folding must keep every comparison that the decisions make: canonical.test.ts undoes it and
 * looks whether any decision comes out otherwise.
 */

import type { NodeDisk } from "#model/quorum/disk.ts";
import type { PeerView, Secondary } from "#model/quorum/node/state.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import type { QuorumTimers } from "#model/quorum/timers.ts";
import type { NodeConfig } from "#model/quorum/types.ts";
import type { BootMs, NodeId } from "#model/shared/ids.ts";
import type { DeadNode, LiveNode, Mind, Shell } from "./explored-node.ts";
import { NOW_MS } from "./explored-timers.ts";

/** Numbers given out from here on; smaller ones are canonical names. */
export const COUNTER = 10;
export const VERSION_NOW = 100;
export const VERSION_STALE = 99;

/** The request that a node waits for, under the one name that such a request has. */
export const pendingId = (nodeId: string): string => `${nodeId}.asks`;

class Shift {
  readonly timers: QuorumTimers;
  readonly #byMs: number;

  constructor(timers: QuorumTimers, byMs: number) {
    this.timers = timers;
    this.#byMs = byMs;
  }

  /** An instant that lies in the past, of which nothing can tell whether it is older than that. */
  past(t: BootMs, ageMaxMs: number): BootMs {
    return Math.max(t - this.#byMs, NOW_MS - ageMaxMs);
  }

  pastOrNull = (t: BootMs | null, ageMaxMs: number): BootMs | null =>
    t === null ? null : this.past(t, ageMaxMs);

  /** The end of a wait: over is over. */
  due = (t: BootMs): BootMs => Math.max(t - this.#byMs, NOW_MS);

  /** The same, where over is as good as never begun. */
  dueOrNull(t: BootMs | null): BootMs | null {
    return t === null || this.due(t) === NOW_MS ? null : this.due(t);
  }

  get silenceMs(): number {
    return Math.max(this.timers.detectAfterMs, this.timers.peerLeaseMs + this.timers.handicapMs);
  }
}

/** `nowMs`: the node's clock when its step ended. */
export function canonicalNode(config: NodeConfig, node: LiveNode, nowMs: BootMs): LiveNode {
  const { self, timers } = config;
  const shift = new Shift(timers, nowMs - NOW_MS);
  return {
    kind: "live",
    state: canonicalState(self, node.state, shift),
    shell: canonicalShell(node.shell, shift),
  };
}

export const canonicalDead = (node: DeadNode): DeadNode =>
  node.disk === null ? node : { ...node, disk: canonicalDisk(node.disk) };

/** Who led before is asked only by `defaultprim="lastprim"`, which is not what is explored. */
const canonicalDisk = (disk: NodeDisk): NodeDisk => ({
  ...disk,
  bootId: "os",
  previousPrimary: null,
});

function canonicalShell(shell: Shell, shift: Shift): Shell {
  const grants = Object.fromEntries(
    Object.entries(shell.grants).flatMap(([peer, grant]) => {
      const untilMs = shift.dueOrNull(grant.untilMs);
      return untilMs === null ? [] : [[peer, { ...grant, untilMs }]];
    }),
  );
  const disk = shell.disk === null ? null : canonicalDisk(shell.disk);
  return { ...shell, grants, disk, promiseEndsMs: shift.dueOrNull(shell.promiseEndsMs) };
}

function canonicalState(self: NodeId, s: Mind, shift: Shift): Mind {
  const { timers, silenceMs } = shift;
  const peers = canonicalPeers(s, shift);
  const told = Object.keys(s.shown?.peerStates ?? {});
  const isAnyUnheard = told.some((id) => (peers[id]?.lastHeardMs ?? null) === null);
  const mayAdopt = s.kept !== null || (s.isServiceUp && s.shown?.target === null);
  const sinceStartMs = Math.max(isAnyUnheard ? silenceMs : 0, mayAdopt ? timers.giveUpAfterMs : 0);
  return {
    ...s,
    incarnation: self,
    // What only another configuration, or a first start, would look at.
    dataFrom: s.disk.epoch > 0 ? null : s.dataFrom,
    isSameBoot: s.isSameBoot || shift.due(s.bootWaitUntilMs) === NOW_MS,
    disk: canonicalDisk(s.disk),
    role: canonicalRole(self, s, shift),
    startedMs: shift.past(s.startedMs, sinceStartMs),
    bootWaitUntilMs: shift.due(s.bootWaitUntilMs),
    promotableAtMs: shift.due(s.promotableAtMs),
    peers,
    promises: { ...s.promises, lastEndsMs: shift.dueOrNull(s.promises.lastEndsMs) },
    witness: canonicalWitness(self, s, shift),
    unconfirmedSinceMs: shift.pastOrNull(s.unconfirmedSinceMs, timers.witnessLeaseMs),
    accuseFromMs: isAnyUnheard ? shift.past(s.accuseFromMs, silenceMs) : NOW_MS - silenceMs,
    counter: COUNTER,
    reports: [],
    shown: canonicalShown(s, shift),
  };
}

/** In one order, and each with what of it can still matter. */
const canonicalPeers = (s: Mind, shift: Shift): Mind["peers"] =>
  Object.fromEntries(
    Object.entries(s.peers)
      .sort(([x], [y]) => (x < y ? -1 : 1))
      .map(([id, view]) => [id, canonicalPeer(s, view, shift)]),
  );

function canonicalPeer(s: Mind, view: PeerView, shift: Shift): PeerView {
  const lastHeardMs = canonicalHeardMs(s, view, shift);
  const untilMs = shift.dueOrNull(view.grantUntilMs);
  return untilMs === null
    ? { ...view, lastHeardMs, grantUntilMs: null, grantEpoch: null }
    : { ...view, lastHeardMs, grantUntilMs: untilMs };
}

/** Silence counts from the later of the two: what the other one says is lost in it. */
function canonicalHeardMs(s: Mind, { lastHeardMs }: PeerView, shift: Shift): BootMs | null {
  if (lastHeardMs === null) return null;
  const isLeading = s.role.kind === "leading";
  const ageMaxMs = isLeading ? shift.timers.detectAfterMs : shift.silenceMs;
  return shift.past(Math.max(lastHeardMs, s.accuseFromMs), ageMaxMs);
}

function canonicalWitness(self: NodeId, s: Mind, shift: Shift): Mind["witness"] {
  const { witness } = s;
  const { timers } = shift;
  const { pending, record } = witness;
  const isReading = s.role.kind === "waiting" || s.role.kind === "candidate";
  return {
    record:
      record === null || record.known === null
        ? record
        : { ...record, known: canonicalView(record.known) },
    pending:
      pending === null
        ? null
        : {
            ...pending,
            request: { ...pending.request, id: pendingId(self) },
            firstSentMs: shift.past(pending.firstSentMs, timers.witnessLeaseMs),
            lastSentMs: shift.past(pending.lastSentMs, timers.voteTimeoutMs),
            attempts: 1,
          },
    // A node that waits reads the record now and then: here it may do so at any moment.
    lastAnswerMs: witness.lastAnswerMs === null ? null : NOW_MS - (isReading ? READ_EVERY_MS : 0),
    silentSinceMs: shift.pastOrNull(witness.silentSinceMs, timers.witnessAwayAfterMs),
    notBeforeMs: shift.due(witness.notBeforeMs),
    grantUntilMs: shift.dueOrNull(witness.grantUntilMs),
    reported: witness.reported,
  };
}

/** How often a node that waits reads the record (model/quorum/node/wishes.ts). */
const READ_EVERY_MS = 2000;

/** A node's copy of the record: whom the witness heard, and its grants, are no business of a node. */
const canonicalView = (known: WitnessRecord): WitnessRecord => ({
  ...known,
  requests: [],
  grant: null,
});

function canonicalRole(self: NodeId, s: Mind, shift: Shift): Mind["role"] {
  const { role } = s;
  const { timers } = shift;
  switch (role.kind) {
    case "waiting": {
      const patienceMs = s.disk.primary === self ? 2 * timers.detectAfterMs : 0;
      const sinceMs = shift.past(role.sinceMs, Math.max(timers.bootWaitMs, patienceMs));
      return { ...role, sinceMs, retryAtMs: shift.due(role.retryAtMs) };
    }
    case "candidate":
      return { ...role, sinceMs: shift.past(role.sinceMs, timers.bootWaitMs) };
    case "released":
      return { ...role, sinceMs: shift.past(role.sinceMs, timers.releaseWaitMs) };
    case "stopping":
      return { ...role, sinceMs: shift.past(role.sinceMs, timers.stopWaitMs) };
    case "leading":
      return {
        ...role,
        fencedSinceMs: shift.pastOrNull(role.fencedSinceMs, timers.giveUpAfterMs),
        secondaries: Object.fromEntries(
          Object.entries(role.secondaries).map(([id, one]) => [id, canonicalSecondary(one, shift)]),
        ),
        handover:
          role.handover === null
            ? null
            : { ...role.handover, sinceMs: shift.past(role.handover.sinceMs, timers.stopWaitMs) },
      };
    default:
      return role;
  }
}

function canonicalSecondary(one: Secondary, shift: Shift): Secondary {
  const { ask, resync } = one;
  const { replTimeoutMs, voteRetryMs } = shift.timers;
  return {
    ...one,
    deniedSinceMs: shift.pastOrNull(one.deniedSinceMs, replTimeoutMs),
    ask: ask === null ? null : { ...ask, sinceMs: shift.past(ask.sinceMs, 2 * voteRetryMs) },
    resync: resync === null ? null : NO_RESYNC,
    // Only `defaultprim` asks for it, which is not what is explored.
    hasTriedReturn: false,
    resyncNotBeforeMs: shift.due(one.resyncNotBeforeMs),
  };
}

/** Which attempt it is, and what becomes of differing files, is the data plane's business. */
const NO_RESYNC = { attempt: 1, setAside: false } as const;

function canonicalShown(s: Mind, shift: Shift): Mind["shown"] {
  const { shown } = s;
  if (shown === null) return null;
  const { witnessGrantUntilMs, resyncs } = shown;
  return {
    ...shown,
    witnessGrantUntilMs: shift.dueOrNull(witnessGrantUntilMs),
    resyncs: Object.fromEntries(
      Object.entries(resyncs).map(([id, resync]) => [id, { ...resync, ...NO_RESYNC }]),
    ),
  };
}
