import type { TLSSocket } from "node:tls";
import * as z from "zod/mini";
import type { NodeId } from "#model/shared/ids.ts";
import type { LinkMessage, PeerHello } from "./link.ts";
import { encodeFrame, FrameReader } from "./message-frames.ts";
import { EXPORTER_LABELS, KEY_BYTES, SESSION_ID_BYTES, type SessionKeys } from "./session-keys.ts";

/** Version of what is said on the link; the peer closes on another one. */
const PROTOCOL = 1;
/** From the handshake to the peer's hello. */
const HELLO_MS_MAX = 5_000;
/** Something is said at least this often. */
const PING_MS = 1_000;
/** Nothing heard for this long: the connection stalls, a new one is better. */
const SILENCE_MS_MAX = 4_000;
/** Unsent bytes after which further messages are not taken. */
const BACKLOG_BYTES_MAX = 1_048_576;

const Token = z.string().check(z.minLength(1), z.maxLength(80));
const Hello = z.object({
  kind: z.literal("hello"),
  protocol: z.int(),
  nodeId: Token,
  instanceId: Token,
  bootId: Token,
  agentVersion: Token,
});
const LinkFrame = z.discriminatedUnion("kind", [
  Hello,
  z.object({ kind: z.literal("ping") }),
  z.object({ kind: z.literal("refused"), reason: z.string().check(z.maxLength(300)) }),
  z.object({
    kind: z.literal("message"),
    topic: z.string().check(z.minLength(1), z.maxLength(80)),
    body: z.unknown(),
  }),
]);
type LinkFrame = z.infer<typeof LinkFrame>;

/** What a session tells its owner. `onEnd` comes exactly once, last. */
export type SessionListener = {
  onUp(peer: PeerHello): void;
  onMessage(message: LinkMessage): void;
  onEnd(reason: string): void;
};

/**
 * One TLS connection to the peer, from its handshake to its end. It is up with the peer's hello
 * and not before: in TLS 1.3 a client's handshake is over before the server has judged the
 * client's certificate (RFC 8446 §4.4.2.4), so only an application message proves both sides.
 */
export class LinkSession {
  readonly keys: SessionKeys;
  readonly certificatePem: string;
  /** When something of the peer came in last, on `performance.now`'s clock. */
  heardAtMs = performance.now();
  peer: PeerHello | null = null;
  readonly #socket: TLSSocket;
  readonly #listener: SessionListener;
  readonly #expectedPeer: NodeId;
  readonly #reader = new FrameReader();
  readonly #timer: NodeJS.Timeout;
  #hasEnded = false;

  constructor(socket: TLSSocket, self: PeerHello, peerId: NodeId, listener: SessionListener) {
    this.#socket = socket;
    this.#listener = listener;
    this.#expectedPeer = peerId;
    this.keys = exportKeys(socket, peerId);
    this.certificatePem = socket.getPeerX509Certificate()?.toString() ?? "";
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (cause) => this.end(cause.message));
    socket.on("close", () => this.end("the peer closed the connection"));
    this.#say({ kind: "hello", protocol: PROTOCOL, ...self });
    const startedAtMs = performance.now();
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      this.#say({ kind: "ping" });
      if (this.peer === null && nowMs - startedAtMs > HELLO_MS_MAX) this.end("no hello came");
      if (nowMs - this.heardAtMs > SILENCE_MS_MAX) this.end("the connection stalls");
    }, PING_MS);
  }

  send(topic: string, body: unknown): boolean {
    if (this.peer === null || this.#hasEnded) return false;
    if (this.#socket.writableLength > BACKLOG_BYTES_MAX) return false;
    return this.#say({ kind: "message", topic, body });
  }

  /** Says why, then ends. */
  refuse(reason: string): void {
    this.#say({ kind: "refused", reason });
    this.#socket.end();
    this.end(reason);
  }

  end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearInterval(this.#timer);
    // What is written (a refusal) still leaves; a stalled connection must not be kept for it.
    setTimeout(() => this.#socket.destroy(), 100).unref();
    this.#listener.onEnd(reason);
  }

  #say(frame: LinkFrame): boolean {
    const bytes = encodeFrame(frame);
    if (bytes === null || this.#socket.destroyed || !this.#socket.writable) return false;
    this.#socket.write(bytes);
    return true;
  }

  #take(chunk: Buffer): void {
    if (this.#hasEnded) return;
    this.heardAtMs = performance.now();
    const messages = this.#reader.read(chunk);
    for (const message of messages.ok ? messages.value : [null]) {
      const frame = LinkFrame.safeParse(message);
      const fault = frame.success ? this.#faultOf(frame.data) : "malformed message";
      if (fault !== null) this.end(fault);
      if (this.#hasEnded) return;
      if (frame.success) this.#takeFrame(frame.data);
    }
  }

  /** Why the connection cannot go on after this frame; null: it can. */
  #faultOf(frame: LinkFrame): string | null {
    if (frame.kind === "refused") return `refused: ${frame.reason}`;
    if (frame.kind === "message" && this.peer === null) return "a message before the hello";
    if (frame.kind !== "hello") return null;
    if (this.peer !== null) return "a second hello";
    if (frame.protocol !== PROTOCOL) return `link protocol ${frame.protocol} is unknown here`;
    return frame.nodeId === this.#expectedPeer ? null : "the hello names another node";
  }

  #takeFrame(frame: LinkFrame): void {
    if (frame.kind === "message") {
      this.#listener.onMessage({ topic: frame.topic, body: frame.body });
    } else if (frame.kind === "hello") {
      const { nodeId, instanceId, bootId, agentVersion } = frame;
      this.peer = { nodeId, instanceId, bootId, agentVersion };
      this.#listener.onUp(this.peer);
    }
  }
}

function exportKeys(socket: TLSSocket, peerId: NodeId): SessionKeys {
  // RFC 8446 §7.5: an absent context is the same as an empty one in TLS 1.3.
  const secret = (label: string, bytes: number): Buffer =>
    socket.exportKeyingMaterial(bytes, label, Buffer.alloc(0));
  return {
    sessionId: secret(EXPORTER_LABELS.sessionId, SESSION_ID_BYTES),
    heartbeatKey: secret(EXPORTER_LABELS.heartbeat, KEY_BYTES),
    replicationKey: secret(EXPORTER_LABELS.replication, KEY_BYTES),
    peerId,
  };
}
