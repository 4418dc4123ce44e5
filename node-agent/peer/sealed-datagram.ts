import { createCipheriv, createDecipheriv } from "node:crypto";
import {
  FRESH_WINDOW,
  isFresh,
  noteSeen,
  type ReplayWindow,
} from "#model/heartbeat/replay-window.ts";
import type { NodeId } from "#model/shared/ids.ts";
import { err, ok, type Result } from "#model/shared/result.ts";
import { directionKey, SESSION_ID_BYTES, type SessionKeys } from "./session-keys.ts";

/**
 * A sealed datagram: version (1 byte), session id (16), counter (8), then AES-256-GCM ciphertext
 * and tag (16). The clear part is authenticated too. The nonce is the counter, which never repeats
 * under one key: keys are fresh per TLS session and direction, and live in the memory of the one
 * thread that seals, so no restart can start the counter again.
 */
const VERSION = 1;
const COUNTER_AT = 1 + SESSION_ID_BYTES;
const HEADER_BYTES = COUNTER_AT + 8;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const PURPOSE = "heartbeat";

/** Why a datagram was not taken. */
export type OpenError = "malformed" | "unknownSession" | "replayed" | "unauthentic";

/** One session's two directions. */
type Session = {
  readonly sessionId: Buffer;
  readonly sendKey: Buffer;
  readonly receiveKey: Buffer;
  sent: number;
  window: ReplayWindow;
};

/** Sessions that stay readable: the newest, and the one before while the peer changes over. */
const SESSIONS_MAX = 2;

/** Seals with the newest session of the link, opens with the newest two. */
export class DatagramSealer {
  readonly #nodeId: NodeId;
  #sessions: readonly Session[] = [];

  constructor(nodeId: NodeId) {
    this.#nodeId = nodeId;
  }

  /** From now on datagrams are sealed with these keys. A session known already changes nothing. */
  addSession({ sessionId, heartbeatKey, peerId }: SessionKeys): void {
    const id = Buffer.from(sessionId);
    // Adding it again would start its counter again, and so repeat a nonce.
    if (this.#sessions.some((session) => session.sessionId.equals(id))) return;
    const session = {
      sessionId: id,
      sendKey: directionKey(heartbeatKey, sessionId, PURPOSE, this.#nodeId, peerId),
      receiveKey: directionKey(heartbeatKey, sessionId, PURPOSE, peerId, this.#nodeId),
      sent: 0,
      window: FRESH_WINDOW,
    };
    this.#sessions = [session, ...this.#sessions].slice(0, SESSIONS_MAX);
  }

  /** The datagram for this text, or null before the first session. */
  seal(text: string): Buffer | null {
    const session = this.#sessions[0];
    if (session === undefined) return null;
    session.sent += 1;
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt8(VERSION, 0);
    session.sessionId.copy(header, 1);
    header.writeBigUInt64BE(BigInt(session.sent), COUNTER_AT);
    const cipher = createCipheriv("aes-256-gcm", session.sendKey, nonceOf(header));
    cipher.setAAD(header);
    return Buffer.concat([
      header,
      cipher.update(text, "utf8"),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
  }

  /** The text of an authentic datagram that was not seen before. */
  open(datagram: Buffer): Result<string, OpenError> {
    if (datagram.length < HEADER_BYTES + TAG_BYTES || datagram.readUInt8(0) !== VERSION) {
      return err("malformed");
    }
    const header = datagram.subarray(0, HEADER_BYTES);
    const id = header.subarray(1, COUNTER_AT);
    const session = this.#sessions.find(({ sessionId }) => sessionId.equals(id));
    if (session === undefined) return err("unknownSession");
    const counter = Number(header.readBigUInt64BE(COUNTER_AT));
    if (!isFresh(session.window, counter)) return err("replayed");
    const end = datagram.length - TAG_BYTES;
    const decipher = createDecipheriv("aes-256-gcm", session.receiveKey, nonceOf(header));
    decipher.setAAD(header);
    decipher.setAuthTag(datagram.subarray(end));
    try {
      const text = decipher.update(datagram.subarray(HEADER_BYTES, end), undefined, "utf8");
      const whole = text + decipher.final("utf8");
      session.window = noteSeen(session.window, counter);
      return ok(whole);
    } catch {
      return err("unauthentic");
    }
  }
}

function nonceOf(header: Buffer): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  header.copy(nonce, NONCE_BYTES - 8, COUNTER_AT, HEADER_BYTES);
  return nonce;
}
