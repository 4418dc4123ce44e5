/**
 * A mirror module's file operations are answered by a process of their own, its *data process*: it
 * holds the mounts, the data thread and the stream to the peer. The agent decides, and tells it over
 * a socket what was decided. When the agent dies, or is replaced by a newer one, the data process
 * goes on under the leases that it has, holds its replies when they run out, and the next agent
 * takes it over; so the application never sees that the agent was away.
 *
 * - host.ts, data-process-main.ts: that process; nothing in it decides who may lead.
 * - remote-engine.ts: the agent's end, a `ReplicationEngine` like the one that the process holds.
 * - survivor.ts: what an earlier agent left, found and judged.
 *
 * One JSON text per line, both ways. A process outlives the version that started it, so both ends
 * name what they speak: one that does not fit is ended, and everything begins anew.
 */
import type {
  EngineEvent,
  Opened,
  OpenOptions,
  PeerAddress,
  SessionKey,
  Standing,
} from "../replication/engine.ts";

/** Raised when an older agent and a newer process, or the other way, no longer understand each other. */
export const PROTOCOL = 1;

/** What it was opened with, but for the memory, which it inherits. */
export type HostedOptions = Omit<OpenOptions, "leaseCell">;

/** A session key as text; the socket is a file that only its owner may open. */
export type KeyText = { readonly sessionId: string; readonly key: string; readonly peerId: string };

export type ToHost =
  | { readonly id: number; readonly call: "open"; readonly options: HostedOptions }
  | {
      readonly id: number;
      readonly call: "acknowledgeAlone" | "requirePeer" | "follow" | "refuseBelow" | "startResync";
      readonly epoch: number;
    }
  | {
      readonly id: number;
      readonly call: "serve";
      readonly epoch: number;
      readonly ackBy: "peer" | "none";
    }
  | { readonly id: number; readonly call: "drain" | "flush" | "metrics" }
  | { readonly id: number; readonly call: "close"; readonly lazy: boolean }
  | { readonly call: "addSession"; readonly session: KeyText }
  | { readonly call: "dropSession"; readonly sessionId: string }
  | { readonly call: "setPeer"; readonly addresses: readonly PeerAddress[] }
  | {
      readonly call: "admitResync";
      readonly attachmentId: string;
      readonly isForeign: boolean;
    }
  | { readonly call: "cancelResync" };

/** The first word to an agent that comes later. */
export type Hello = {
  readonly kind: "hello";
  readonly protocol: number;
  readonly options: HostedOptions;
  readonly opened: Opened;
  readonly standing: Standing;
};

export type FromHost =
  | Hello
  /** `text`: what the engine answered, as JSON. */
  | { readonly kind: "reply"; readonly id: number; readonly text: string }
  | { readonly kind: "event"; readonly event: EngineEvent };

export const keyText = ({ sessionId, replicationKey, peerId }: SessionKey): KeyText => ({
  sessionId: Buffer.from(sessionId).toString("base64"),
  key: Buffer.from(replicationKey).toString("base64"),
  peerId,
});

export const sessionKey = ({ sessionId, key, peerId }: KeyText): SessionKey => ({
  sessionId: Buffer.from(sessionId, "base64"),
  replicationKey: Buffer.from(key, "base64"),
  peerId,
});
