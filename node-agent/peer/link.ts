import type { NodeId } from "#model/shared/ids.ts";
import type { SessionKeys } from "./session-keys.ts";

/** What the peer says first on a new link. */
export type PeerHello = {
  readonly nodeId: NodeId;
  /** New at each start of the agent. */
  readonly instanceId: string;
  /** /proc/sys/kernel/random/boot_id of its machine. */
  readonly bootId: string;
  readonly agentVersion: string;
};

/** A small message between the main threads; `topic` names its meaning, e.g. `replication`. */
export type LinkMessage = { readonly topic: string; readonly body: unknown };

/** Called with a session's keys, the peer's own words, and its proven certificate. */
export type SessionUpListener = (
  keys: SessionKeys,
  peer: PeerHello,
  peerCertificatePem: string,
) => void;

/** The mutual-TLS link to the peer, kept up by itself. */
export interface PeerLink {
  /** The peer's first message has arrived on the present session, and it is not lost. */
  readonly isUp: boolean;
  /**
   * Sends one small message (<= 64 KiB as JSON). False when the link is down or its buffer is
   * full: the message was not taken. True is no promise that it arrives.
   */
  send(topic: string, body: unknown): boolean;
  onMessage(listener: (message: LinkMessage) => void): void;
  /**
   * Fresh keys, and who is there; the keys of the session before stay good for heartbeats until
   * then. The certificate (PEM) is the peer's, as TLS proved it: what it signs is verified by it.
   */
  onSessionUp(listener: SessionUpListener): void;
  /** The TCP connection is gone. The session's keys stay good: heartbeats go on. */
  onSessionDown(listener: (reason: string) => void): void;
  /** Another live agent has the peer's identity (a cloned machine); the later one is refused. */
  onDuplicatePeer(listener: (refusedInstanceId: string, liveInstanceId: string) => void): void;
  /** A renewed certificate, used from the next connection on; the present one is kept. */
  replaceIdentity(identity: LinkIdentity): void;
  close(): Promise<void>;
}

/** PEM texts of this node's key and certificate and of the cluster's CA. */
export type LinkIdentity = {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly caPem: string;
};
