import type { BootMs, Epoch, ModuleId, NodeId } from "#model/shared/ids.ts";
import type { FenceTargets } from "../guard/fence-order.ts";
import type { HeartbeatView, PromiseAnswer, PromiseTerms } from "./heartbeats.ts";
import type { ModuleMemory } from "./module-memory.ts";
import type { SessionKeys } from "./session-keys.ts";

/** One network as the thread needs it; the port is the same on every address of a node. */
export type NetworkEnds = {
  readonly name: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly peerAddress: string;
  readonly peerPort: number;
};

/** What the heartbeat thread is started with. */
export type ThreadOptions = {
  readonly nodeId: NodeId;
  /** New at each start of the agent. */
  readonly instanceId: string;
  readonly bootId: string;
  readonly heartbeatMs: number;
  /** Without progress for this long, a module's or the whole node's heartbeats stop. */
  readonly hangAfterMs: number;
  readonly networks: readonly NetworkEnds[];
  readonly mainProgress: SharedArrayBuffer;
  /** Inherited descriptor of the guard's socket, or null without a guard. */
  readonly guardDescriptor: number | null;
};

/** Main thread to heartbeat thread. */
export type ThreadCommand =
  | {
      readonly kind: "setModule";
      readonly moduleId: ModuleId;
      readonly cell: ModuleMemory;
    }
  | { readonly kind: "removeModule"; readonly moduleId: ModuleId }
  /** The state as JSON text: the thread carries it without looking inside. */
  | { readonly kind: "publish"; readonly moduleId: ModuleId; readonly stateJson: string }
  | { readonly kind: "seekGrant"; readonly moduleId: ModuleId; readonly epoch: Epoch | null }
  | {
      readonly kind: "promise";
      readonly requestId: number;
      readonly moduleId: ModuleId;
      readonly terms: PromiseTerms | null;
    }
  | { readonly kind: "addSession"; readonly keys: SessionKeys }
  | {
      readonly kind: "guard";
      readonly moduleId: ModuleId;
      readonly targets: FenceTargets | null;
    }
  | { readonly kind: "close" };

/** Heartbeat thread to main thread. */
export type ThreadEvent =
  | { readonly kind: "ready" }
  | { readonly kind: "promiseTaken"; readonly requestId: number; readonly answer: PromiseAnswer }
  | {
      readonly kind: "peerState";
      readonly moduleId: ModuleId;
      readonly state: unknown;
      readonly peerInstanceId: string;
      readonly peerBootId: string;
      readonly receivedAtBootMs: BootMs;
    }
  | { readonly kind: "view"; readonly view: HeartbeatView }
  | { readonly kind: "guardLost" }
  | { readonly kind: "networkFailed"; readonly network: string; readonly detail: string };
