/**
 * What the agent's main thread and a module's data thread say to each other. The data thread never
 * returns to an event loop: it takes messages from its port when the eventfd wakes its poll.
 */

import type { MessagePort } from "node:worker_threads";
import type { Epoch } from "#model/shared/ids.ts";
import type { Result } from "#model/shared/result.ts";
import type { ModuleMemory } from "../peer/module-memory.ts";
import type {
  EngineError,
  EngineEvent,
  EngineMetrics,
  PeerAddress,
  SessionKey,
  Standing,
} from "./engine.ts";
import type { ResyncSpec, TreeSpec } from "./resync-link.ts";
import type { SyncMode } from "./sender.ts";

/** Answered by exactly one `reply` with the same id. */
export type Command =
  | { readonly kind: "serve"; readonly epoch: Epoch; readonly ackBy: "peer" | "none" }
  | {
      readonly kind: "acknowledgeAlone" | "requirePeer" | "follow" | "refuseBelow" | "startResync";
      readonly epoch: Epoch;
    }
  | { readonly kind: "drain" | "flush" | "metrics" | "standing" | "close" };

export type CommandResult = Result<number | EngineMetrics | Standing | undefined, EngineError>;

export type ToCore =
  | { readonly kind: "command"; readonly id: number; readonly command: Command }
  | { readonly kind: "addSession"; readonly session: SessionKey }
  | { readonly kind: "dropSession"; readonly sessionId: Uint8Array }
  | { readonly kind: "setPeer"; readonly addresses: readonly PeerAddress[] }
  | { readonly kind: "admitResync"; readonly attachmentId: string }
  | { readonly kind: "cancelResync" }
  /** A resync thread ended by an exception, without a word. */
  | {
      readonly kind: "resyncDied";
      readonly role: "source" | "target";
      readonly reason: string;
    };

export type FromCore =
  | { readonly kind: "ready" }
  | { readonly kind: "reply"; readonly id: number; readonly result: CommandResult }
  | { readonly kind: "event"; readonly event: EngineEvent }
  /** The data thread cannot start threads itself: nothing would serve their start. */
  | { readonly kind: "startResync"; readonly spec: ResyncSpec; readonly port: MessagePort };

/** `workerData` of a data thread. Descriptors are numbers: they belong to the whole process. */
export type CoreStart = {
  readonly port: MessagePort;
  readonly wakeFd: number;
  readonly moduleId: string;
  readonly nodeId: string;
  readonly trees: readonly (TreeSpec & { readonly device: number })[];
  readonly listenerFd: number;
  readonly leaseCell: ModuleMemory;
  readonly stateDirectory: string;
  readonly syncMode: SyncMode;
  readonly replTimeoutMs: number;
  readonly gapMs: number;
  readonly resyncBytesPerSecond: number | null;
};
