import { assert } from "../../shared/assert.ts";
import type { BootMs, Epoch, NodeId } from "../../shared/ids.ts";
import type { NodeDisk } from "../disk.ts";
import type { KeptPrimary } from "../kept.ts";
import type { PairTerms, Release } from "../pair.ts";
import type { PeerState } from "../peer-state.ts";
import type { WitnessRecord } from "../record.ts";
import type { NodeConfig } from "../types.ts";
import type { VoteRequest } from "../votes.ts";
import type { Outputs } from "./outputs.ts";

/**
 * Everything one node knows of one module: what is on its disk, what it heard, and the part it
 * plays. Plain JSON, so that a simulation can copy, compare and print it.
 *
 * The decision works in two strokes. An event first changes what the node *knows*. Then the part
 * it plays is looked at again, level-triggered: the same knowledge leads to the same part, however
 * it was gathered. What the outside must see (`Outputs`) is a function of the result, and the
 * effects are the difference to what was shown before, in one fixed order (effects.ts): first what
 * restrains this node, then one durable write, then what that write allows.
 */
export type NodeState = {
  readonly config: NodeConfig;
  readonly incarnation: string;
  readonly disk: NodeDisk;
  readonly role: Role;
  readonly startedMs: BootMs;
  /** The OS is the one that ran before, only the agent is new. */
  readonly isSameBoot: boolean;
  /** Until then a better node may still turn up. */
  readonly bootWaitUntilMs: BootMs;
  /** Promises of an earlier run of the agent may last until then. */
  readonly promotableAtMs: BootMs;
  readonly data: PeerState["data"];
  readonly newHistoryId: string;
  /** Named by a person for the first start ever. */
  readonly dataFrom: NodeId | null;
  readonly peers: Readonly<Record<NodeId, PeerView>>;
  readonly promises: {
    /** `promise{epoch:null}` effects whose `promisesClosed` is still to come. */
    readonly closesPending: number;
    readonly lastEndsMs: BootMs | null;
  };
  readonly witness: WitnessView;
  /** `drainReceiver` effects whose `receiverDrained` is still to come. */
  readonly drainsPending: number;
  /** Terms this node is about to sign, and signs only if they still hold then. */
  readonly pairing: PairTerms | null;
  /** Secondary: this copy is complete and takes the live stream of that epoch. */
  readonly attachedEpoch: Epoch | null;
  /** The last standing vote given, to be repeated as state. */
  readonly voteGiven: { readonly id: string; readonly epoch: Epoch } | null;
  /** Set by a stall: nothing is answered until another voter spoke after this moment. */
  readonly unconfirmedSinceMs: BootMs | null;
  /** Silence before the end of a stall of our own is not held against the peer. */
  readonly accuseFromMs: BootMs;
  readonly blocker: string | null;
  /** What a checker blocks this node with, held back while a person works on it. */
  readonly heldBlocker: string | null;
  /** Wall clock minus BOOTTIME, as told last; null = never told. */
  readonly unixAheadMs: number | null;
  /** How the disk with the data failed; null: it works, or is tried again. */
  readonly fault: string | null;
  readonly faultSinceMs: BootMs;
  readonly isServiceUp: boolean;
  /**
   * A primary's data plane and application that outlived the agent. It stays fenced until this node
   * leads on; whatever else comes of it begins with their end.
   */
  readonly kept: KeptPrimary | null;
  /** Grows by one with everything that needs a number of its own. */
  readonly counter: number;
  /** Sentences for people, handed out with this decision. */
  readonly reports: readonly Report[];
  readonly shown: Outputs | null;
};

export type Report = {
  readonly severity: "critical" | "event" | "info";
  readonly text: string;
};

export type PeerView = {
  readonly lastHeardMs: BootMs | null;
  /** Its promise to this node, as counted here. */
  readonly grantUntilMs: BootMs | null;
  readonly grantEpoch: Epoch | null;
  /** The newest state heard from it, however old. */
  readonly state: PeerState | null;
};

export const NEVER_HEARD: PeerView = {
  lastHeardMs: null,
  grantUntilMs: null,
  grantEpoch: null,
  state: null,
};

export type WitnessView = {
  /** null: not read yet in this run. */
  readonly record: { readonly known: WitnessRecord | null; readonly storeId: string } | null;
  readonly pending: PendingVote | null;
  readonly lastAnswerMs: BootMs | null;
  /** Since when it was asked and did not answer. */
  readonly silentSinceMs: BootMs | null;
  /** After a refusal nothing is asked before this. */
  readonly notBeforeMs: BootMs;
  /** Its grant to us, as counted here. */
  readonly grantUntilMs: BootMs | null;
  /** The report it already has, as JSON. */
  readonly reported: string | null;
};

export type PendingVote = {
  readonly request: VoteRequest;
  /** The wish it came from: a new wish makes a new request. */
  readonly wish: string;
  /** A lease is counted from here, whichever attempt was answered. */
  readonly firstSentMs: BootMs;
  readonly lastSentMs: BootMs;
  readonly isInFlight: boolean;
  readonly attempts: number;
};

export type Purpose =
  | {
      readonly kind: "promote";
      readonly release: Release | null;
      readonly isLastResort: boolean;
    }
  | { readonly kind: "first"; readonly because: "person" | "bothEmpty" }
  | {
      readonly kind: "force";
      readonly historyId: string;
      readonly by: string;
      readonly reason: string;
      readonly withoutWitness: boolean;
    };

export type LeadingRole = {
  readonly kind: "leading";
  readonly epoch: Epoch;
  /** What this primary does about each peer. */
  readonly secondaries: Readonly<Record<NodeId, Secondary>>;
  /** It has answered file operations in this epoch: from here its application is started. */
  readonly hasServed: boolean;
  readonly fencedSinceMs: BootMs | null;
  readonly handover: Handover | null;
};

/** One peer, as its primary sees it. */
export type Secondary = {
  /** It holds all, and nothing is acknowledged without it. */
  readonly isAttached: boolean;
  /** Since when it, heard and following, says that it is not attached, against the above. */
  readonly deniedSinceMs: BootMs | null;
  /** It is asked for its standing vote. */
  readonly ask: { readonly id: string; readonly sinceMs: BootMs } | null;
  readonly resync: { readonly attempt: number; readonly setAside: boolean } | null;
  readonly resyncNotBeforeMs: BootMs;
  /** Automatic return of the role to it was tried: once for each time it was away. */
  readonly hasTriedReturn: boolean;
};

/** A primary on its orderly way out. It keeps all duties of a leader until it has released. */
export type Handover = {
  readonly to: NodeId | null;
  readonly goal: "follow" | "stop" | "wait";
  readonly step: "probing" | "stoppingService" | "flushing" | "signing";
  readonly sinceMs: BootMs;
};

export type Role =
  | { readonly kind: "stopped" }
  | { readonly kind: "waiting"; readonly sinceMs: BootMs; readonly retryAtMs: BootMs }
  | { readonly kind: "following"; readonly epoch: Epoch }
  | {
      readonly kind: "candidate";
      readonly purpose: Purpose;
      readonly step: "closing" | "asking";
      readonly sinceMs: BootMs;
    }
  | LeadingRole
  | {
      readonly kind: "released";
      readonly epoch: Epoch;
      readonly goal: Handover["goal"];
      readonly sinceMs: BootMs;
    }
  | { readonly kind: "steppingDown"; readonly because: string }
  | {
      readonly kind: "stopping";
      readonly step: "leaving" | "stoppingService" | "closing";
      readonly goal: "stop" | "wait";
      readonly sinceMs: BootMs;
    }
  | { readonly kind: "broken"; readonly because: string };

export function secondaryOf(role: LeadingRole, id: NodeId): Secondary {
  const secondary = role.secondaries[id];
  assert(secondary !== undefined, `${id} is no peer`);
  return secondary;
}

export const withSecondary = (
  s: NodeState,
  role: LeadingRole,
  id: NodeId,
  part: Partial<Secondary>,
): NodeState => {
  const secondaries = { ...role.secondaries, [id]: { ...secondaryOf(role, id), ...part } };
  return withRole(s, { ...role, secondaries });
};

/** A copy with parts replaced. */
export const patch = (s: NodeState, part: Partial<NodeState>): NodeState => ({ ...s, ...part });

export const patchDisk = (s: NodeState, part: Partial<NodeDisk>): NodeState => ({
  ...s,
  disk: { ...s.disk, ...part },
});

export const withRole = (s: NodeState, role: Role): NodeState => ({ ...s, role });

export const toWaiting = (s: NodeState, nowMs: BootMs, retryInMs = 0): NodeState =>
  withRole(s, { kind: "waiting", sinceMs: nowMs, retryAtMs: nowMs + retryInMs });

export const report = (s: NodeState, severity: Report["severity"], text: string): NodeState => ({
  ...s,
  reports: [...s.reports, { severity, text }],
});
