import type { PeerState } from "#model/quorum/peer-state.ts";
import type { BootMs, Epoch, ModuleId } from "#model/shared/ids.ts";
import type { FenceTargets } from "../guard/fence-order.ts";
import type { LeaseCell } from "./lease-cell.ts";
import type { SessionKeys } from "./session-keys.ts";

/** What the heartbeat thread answers when a promise was opened, closed or moved to another epoch. */
export type PromiseAnswer = {
  /**
   * Until then the peer may still count on what we promised, on our clock; null when this agent
   * never renewed a promise for the module.
   */
  readonly lastPromiseEndsBootMs: BootMs | null;
  /** The longest promise that this thread may have given for the module, in milliseconds. */
  readonly longestPromiseMs: number;
};

/** One network between the two nodes, as the heartbeats see it. */
type NetworkView = {
  readonly name: string;
  readonly lastHeardBootMs: BootMs | null;
  /** Smoothed round trip; null before the first answer. */
  readonly roundTripMs: number | null;
  /** Share of the last heartbeats that were not answered, 0..1. */
  readonly lossRatio: number;
};

/** Datagrams that were dropped, by reason; counts since the thread began. */
type DroppedDatagrams = {
  readonly malformed: number;
  readonly unknownSession: number;
  readonly unauthentic: number;
  readonly replayed: number;
};

/** What the heartbeat thread sees; posted at every heartbeat and whenever it changes. */
export type HeartbeatView = {
  readonly atBootMs: BootMs;
  /** Last authentic datagram of the peer on any network. */
  readonly lastHeardBootMs: BootMs | null;
  /**
   * When a heartbeat of the peer listed each module last: one whose data thread stands still is
   * listed no more, though its node is alive.
   */
  readonly lastListedBootMs: Readonly<Record<ModuleId, BootMs>>;
  /** Last time that the peer answered one of ours. */
  readonly lastAnsweredBootMs: BootMs | null;
  /** The peer's agent incarnation and OS boot, as its latest datagram says. */
  readonly peerInstanceId: string | null;
  readonly peerBootId: string | null;
  /** The peer's promise to us, as we count it (0.9 of its length from sending). */
  readonly grants: Readonly<Record<ModuleId, { epoch: Epoch; untilBootMs: BootMs }>>;
  readonly networks: readonly NetworkView[];
  readonly dropped: DroppedDatagrams;
  /** Modules whose data thread stands still, and whether the main thread did: see `hangAfterMs`. */
  readonly hungModules: readonly ModuleId[];
  readonly hasHungMainThread: boolean;
};

/** The latest state that the peer published for a module. */
export type PeerStateMessage = {
  readonly moduleId: ModuleId;
  readonly state: PeerState;
  readonly peerInstanceId: string;
  readonly peerBootId: string;
  readonly receivedAtBootMs: BootMs;
};

/** A module that takes part in the heartbeats; its cell stays the same while it does. */
export type HeartbeatModule = {
  readonly moduleId: ModuleId;
  readonly cell: LeaseCell;
};

/** A promise to help the primary of `epoch`, and how long each renewal of it lasts. */
export type PromiseTerms = { readonly epoch: Epoch; readonly peerLeaseMs: number };

/**
 * The main thread's side of the heartbeats. The thread behind it is the one owner of promises:
 * nobody else may decide that a promise was given or has ended.
 */
export interface Heartbeats {
  /** Adds or changes a module; nothing is sought or promised for it until told. */
  setModule(module: HeartbeatModule): void;
  removeModule(moduleId: ModuleId): void;
  /** Carried in every datagram from now on (<= 1 KiB as JSON); replaces what was published before. */
  publish(moduleId: ModuleId, state: PeerState): void;
  /** As primary: each heartbeat asks for the peer's promise for this epoch. null: stop counting. */
  seekGrant(moduleId: ModuleId, epoch: Epoch | null): void;
  /**
   * Opens our promise to the peer, or closes it (null). Persist what it rests on first, its length
   * included; resolves when the thread has taken it, so that after a close no renewal can follow.
   */
  promise(moduleId: ModuleId, terms: PromiseTerms | null): Promise<PromiseAnswer>;
  /** A new session of the link: sealed with from now on; the one before stays readable. */
  addSession(keys: SessionKeys): void;
  /** What the guard takes down for this module when its lease ends; null: nothing of it runs. */
  guard(moduleId: ModuleId, targets: FenceTargets | null): void;
  onPeerState(listener: (message: PeerStateMessage) => void): void;
  onView(listener: (view: HeartbeatView) => void): void;
  /** The guard is gone: nobody would fence this node if the agent hung. */
  onGuardLost(listener: () => void): void;
  /** An address cannot be bound; it is tried again until it can. */
  onNetworkFailed(listener: (network: string, detail: string) => void): void;
  /** The thread ended by itself, which is a bug: the agent must fence and exit. */
  onFailure(listener: (cause: Error) => void): void;
  close(): Promise<void>;
}
