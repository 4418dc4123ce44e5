/**
 * Which cells of the protocol were lived through: a cell is a part that a node plays and an event
 * that comes while it plays it. Those that the explorer never makes happen are named with the reason;
 * cells.test.ts shows that they are defined all the same.
 */
import type { NodeState } from "#model/quorum/node.ts";
import type { NodeEvent } from "#model/quorum/types.ts";

export type Part = NodeState["role"]["kind"];
type EventKind = NodeEvent["kind"];

/** null: it happens; else: why it never does in the explorer. */
const EVENTS: Readonly<Record<Exclude<EventKind, "started">, string | null>> = {
  ticked: null,
  heartbeatViewChanged: null,
  peerStateReceived: null,
  promisesClosed: null,
  signed: null,
  voteAnswered: null,
  voteFailed: null,
  replicationAttached: null,
  replicationDetached: null,
  resyncFinished: null,
  receiverDrained: null,
  peerFlushed: null,
  flushFailed: null,
  serviceStopped: null,
  dataClosed: null,
  commanded: null,
  serviceStarted: "it changes nothing",
  replicationStalled: "to the decision it is the same as replicationDetached",
  resyncFailed: "a resync that has not ended stands for one that failed",
  dataFaulted: "disks of files do not fail here (the simulation's do)",
  persistFailed: "state disks do not fail here (the simulation's do)",
  blockingChanged: "there are no checkers here",
  stallNoticed: "clocks that stand still are the run with free clocks",
};

const PARTS: Readonly<Record<Part, string | null>> = {
  stopped: null,
  waiting: null,
  following: null,
  candidate: null,
  leading: null,
  released: null,
  steppingDown: null,
  stopping: null,
  broken: "it begins with persistFailed",
};

export const cellName = (part: Part | "unstarted", event: EventKind): string =>
  `${part} × ${event}`;

const namesOf = <K extends string>(of: Readonly<Record<K, string | null>>): readonly K[] =>
  Object.keys(of) as K[];

export const ALL_PARTS = namesOf(PARTS);
export const ALL_EVENTS = namesOf(EVENTS);

/** Before `started` nothing else can come, and it comes once. */
const FIRST = cellName("unstarted", "started");

export const EXPLORED_CELLS: readonly string[] = [
  FIRST,
  ...ALL_PARTS.filter((part) => PARTS[part] === null).flatMap((part) =>
    ALL_EVENTS.filter((event) => EVENTS[event] === null).map((event) => cellName(part, event)),
  ),
];

/** Events and parts that are left out, and why. */
export const LEFT_OUT: readonly string[] = [EVENTS, PARTS].flatMap((of) =>
  Object.entries(of).flatMap(([name, why]) => (why === null ? [] : [`${name}: ${why}`])),
);

export type Coverage = { readonly seen: readonly string[]; readonly unseen: readonly string[] };

export function coverageOf(cells: readonly string[]): Coverage {
  return {
    seen: EXPLORED_CELLS.filter((cell) => cells.includes(cell)),
    unseen: EXPLORED_CELLS.filter((cell) => !cells.includes(cell)),
  };
}
