import type { NodeCommandKind } from "#model/contract/commands.ts";
import type { NodeDisk } from "#model/quorum/disk.ts";
import type { PeerState } from "#model/quorum/peer-state.ts";
import type { WitnessRecord } from "#model/quorum/record.ts";
import type { VoteRequest } from "#model/quorum/votes.ts";
import type { Oracle } from "../oracle.ts";
import type { SimTree } from "../sim-tree.ts";
import type { TraceEvent } from "../trace.ts";
import type { Answered, Told } from "./s11-outcomes.ts";

/** An invariant does not hold: the history that led here is a bug's. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, text: string) {
    super(text);
    this.invariant = invariant;
  }
}

/** One node as judges see it: from outside, with everything in view. */
export type NodeView = {
  readonly id: string;
  /** An operation that comes now would be carried out and answered. */
  readonly accepts: boolean;
  readonly servedEpoch: number | null;
  /** Its data loop takes nothing of an epoch below this one, by its own word. */
  readonly boundEpoch: number;
  /** It leads, and its lease counts at this very instant. */
  readonly mayAnswer: boolean;
  readonly quorum: NodeDisk | null;
  readonly tree: SimTree;
  /** A resync into this copy has begun and not ended. */
  readonly isHalfWritten: boolean;
  readonly hasAddress: boolean;
  /** Its application. */
  readonly isRunning: boolean;
  readonly isFrozen: boolean;
  readonly isOn: boolean;
  /** Milliseconds since a hypervisor let it go on. */
  readonly resumedForMs: number;
};

export type CloudAddress = {
  /** null: nowhere. */
  readonly at: string | null;
  /** The recorded primary. */
  readonly wanted: string | null;
  /** Since when the cloud has been well and nothing older has been at work; null: it is not so. */
  readonly dueSinceMs: number | null;
  /** People are told that it is where it should be. */
  readonly isShownRight: boolean;
};

/** What a judge may look at. */
export interface Scene {
  readonly nowMs: number;
  readonly trueMs: number;
  readonly oracle: Oracle;
  readonly nodes: readonly NodeView[];
  view(id: string): NodeView;
  /** Everything has been well and nobody has written for a while. */
  readonly isIdle: boolean;
  /** One node serves, the other one holds everything, and the witness knows it. */
  readonly isInSync: boolean;
  /** Since when the protocol alone is waited for; null while it is not (due.ts). */
  readonly serviceDueSinceMs: number | null;
  readonly syncDueSinceMs: number | null;
  /** Where a cloud sends clients; null where the nodes carry the address themselves. */
  readonly cloud: CloudAddress | null;
  /** Of the modules on its nodes. */
  readonly moduleCount: number;
  /** How long a node promises to help nobody else. */
  readonly leaseMs: number;
  /** What bringing a whole copy over may take. */
  readonly transferMs: number;
  /** What a majority has decided last. */
  readonly authority: {
    readonly epoch: number;
    readonly primary: string | null;
    readonly inSync: readonly string[];
  };
}

/** Watches one invariant, or a few that belong together. Throws a `Violation`. */
export interface Checker {
  readonly name: string;
  /** Called with each event of the trace. */
  onEvent?(event: TraceEvent, scene: Scene): void;
  /** Called after every step of the world. */
  onStep?(scene: Scene): void;
  /** A node's quorum file was written. */
  onPersist?(node: NodeView, was: NodeDisk | null, now: NodeDisk, scene: Scene): void;
  /** The witness's record was written, in answer to whatever. */
  onRecord?(was: WitnessRecord | null, now: WitnessRecord, scene: Scene): void;
  /** A node says something that its disk must already know. */
  onPublish?(node: NodeView, state: PeerState, scene: Scene): void;
  onAsk?(node: NodeView, request: VoteRequest, scene: Scene): void;
  onPromise?(node: NodeView, epoch: number | null, scene: Scene): void;
  /** A heartbeat, an answer to one, or a request leaves that node. */
  onMessage?(node: NodeView, scene: Scene): void;
  /** Anything that people can read. */
  onText?(text: string): void;
  /** A person asks something of that node, and is told how it went. */
  onOrdered?(node: NodeView, kind: NodeCommandKind): void;
  onAnswered?(node: NodeView, answered: Answered, scene: Scene): void;
  /** An application is told how its call went; reads say nothing here. */
  onTold?(told: Told): void;
  /** Everything was healed, and yet nobody serves. */
  onNobodyServes?(
    scene: Scene,
    why: { readonly isCopyLost: boolean; readonly isForced: boolean },
  ): void;
  /** Nobody writes any more, and everything had time to come to rest. */
  onEnd?(scene: Scene): void;
}
