import { hkdfSync } from "node:crypto";
import type { NodeId } from "#model/shared/ids.ts";

/** Labels of TLS exporters (RFC 8446 §7.5, RFC 5705 §4): one secret per purpose, none implies another. */
export const EXPORTER_LABELS = {
  heartbeat: "EXPORTER-mirrorfarm-heartbeat",
  replication: "EXPORTER-mirrorfarm-replication",
  sessionId: "EXPORTER-mirrorfarm-session",
} as const;

/** Bytes of an exported secret and of an AES-256 key. */
export const KEY_BYTES = 32;
/** Bytes of the public name of a session. */
export const SESSION_ID_BYTES = 16;

/** What both ends of one TLS session derive from it; the keys are secrets and never logged. */
export type SessionKeys = {
  /** Public: names the session in the clear part of a datagram or of a replication hello. */
  readonly sessionId: Uint8Array;
  readonly heartbeatKey: Uint8Array;
  readonly replicationKey: Uint8Array;
  readonly peerId: NodeId;
};

/**
 * The key of one direction. Two directions under one key would share their counter nonces, and a
 * repeated nonce breaks AES-GCM (NIST SP 800-38D §8); it would also let a datagram be sent back to
 * its own sender.
 */
export function directionKey(
  exportedKey: Uint8Array,
  sessionId: Uint8Array,
  purpose: string,
  senderId: NodeId,
  receiverId: NodeId,
): Buffer {
  const info = `mirrorfarm ${purpose} ${senderId}>${receiverId}`;
  return Buffer.from(hkdfSync("sha256", exportedKey, sessionId, info, KEY_BYTES));
}
