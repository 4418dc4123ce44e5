import type { MutationListener } from "#model/replication/dirty-set.ts";
import type { BootMs, ModuleId, NodeId } from "#model/shared/ids.ts";
import type { BlockingCalls } from "../fuse/ports.ts";
import type { ChangeKeeper } from "./change-keeper.ts";
import type { EngineEvent, PeerAddress } from "./engine.ts";
import type { Network } from "./network.ts";
import type { ResyncLink, ResyncSpec } from "./resync-link.ts";
import type { Sessions } from "./sessions.ts";

/** `Omit` that keeps a union a union. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type ResyncJob = Without<ResyncSpec, "trees" | "wakeFd" | "words">;

/** What both roles of a data thread share. */
export interface CoreContext {
  readonly moduleId: ModuleId;
  readonly nodeId: NodeId;
  readonly sessions: Sessions;
  readonly network: Network;
  readonly replTimeoutMs: number;
  readonly resyncBytesPerSecond: number | null;
  readonly durablePointMs: number;
  readonly stateDirectory: string;
  readonly rootFds: readonly number[];
  readonly blocking: BlockingCalls;
  readonly keeper: ChangeKeeper;
  readonly addresses: () => readonly PeerAddress[];
  readonly nowMs: () => BootMs;
  readonly emit: (event: EngineEvent) => void;
  /** Has a resync thread started; it talks through the link. */
  readonly startResync: (job: ResyncJob) => ResyncLink;
}

/** The module's mounts, as the primary's side of replication sees them. */
export interface ServedTrees {
  /** A secondary was freshly attached: it knows the roots only (FuseService.onAttach). */
  onAttach(): void;
  /** Whom to tell of every mutation, or null. */
  watch(listener: MutationListener | null): void;
}
