import { randomInt } from "node:crypto";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import type { ClusterId, NodeId } from "#model/shared/ids.ts";
import type { LinkIdentity, LinkMessage, PeerHello, PeerLink, SessionUpListener } from "./link.ts";
import { LinkSession } from "./link-session.ts";
import { strangerReason } from "./peer-certificate.ts";

/**
 * The link: one mutual-TLS 1.3 connection between two agents' main threads. It proves to each who
 * the other is, gives both fresh keys for heartbeats and replication, and carries small messages.
 * Of the two nodes the one with the lower id connects, the other listens: no race, no tie-break.
 */
const ALPN = "mirrorfarm-link/1";
const CONNECT_MS_MAX = 2_000;
const BACKOFF_MS_FIRST = 100;
const BACKOFF_MS_MAX = 2_000;
const CONNECTIONS_MAX = 32;
/** Refused strangers and failed attempts are logged at most this often. */
const TROUBLE_LOG_MS = 10_000;
/** How recently the present agent of the peer must have spoken to be called alive. */
const ALIVE_MS = 1_500;

/** Where one end of the link is. */
export type LinkAddress = { readonly host: string; readonly port: number };

export type LinkOptions = {
  readonly clusterId: ClusterId;
  readonly peerId: NodeId;
  /** What we say of ourselves. */
  readonly self: PeerHello;
  readonly identity: LinkIdentity;
  /** Where this node listens (used when its id is the higher one). */
  readonly listen: readonly LinkAddress[];
  /** The peer's addresses, best first (used when our id is the lower one). */
  readonly peerAddresses: readonly LinkAddress[];
  readonly log: (line: string) => void;
};

/** Starts the link; it connects, and connects again, by itself. Rejects when it cannot listen. */
export async function startLink(options: LinkOptions): Promise<PeerLink> {
  const link = new TlsLink(options);
  await link.start();
  return link;
}

class TlsLink implements PeerLink {
  readonly #options: LinkOptions;
  readonly #messageListeners: ((message: LinkMessage) => void)[] = [];
  readonly #upListeners: SessionUpListener[] = [];
  readonly #downListeners: ((reason: string) => void)[] = [];
  readonly #duplicateListeners: ((refused: string, live: string) => void)[] = [];
  readonly #sockets = new Set<TLSSocket>();
  #identity: LinkIdentity;
  #servers: Server[] = [];
  /** The session that is up. */
  #session: LinkSession | null = null;
  #retry: NodeJS.Timeout | null = null;
  #attempt = 0;
  #troubleLoggedAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#identity = options.identity;
  }

  get isUp(): boolean {
    return this.#session !== null;
  }

  async start(): Promise<void> {
    const { self, peerId, listen } = this.#options;
    if (self.nodeId < peerId) return this.#connect();
    await Promise.all(listen.map((address) => this.#listen(address)));
  }

  send(topic: string, body: unknown): boolean {
    return this.#session?.send(topic, body) ?? false;
  }

  onMessage(listener: (message: LinkMessage) => void): void {
    this.#messageListeners.push(listener);
  }

  onSessionUp(listener: SessionUpListener): void {
    this.#upListeners.push(listener);
  }

  onSessionDown(listener: (reason: string) => void): void {
    this.#downListeners.push(listener);
  }

  onDuplicatePeer(listener: (refused: string, live: string) => void): void {
    this.#duplicateListeners.push(listener);
  }

  replaceIdentity(identity: LinkIdentity): void {
    this.#identity = identity;
    for (const server of this.#servers) server.setSecureContext(this.#credentials());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#session?.end("this agent stops");
    const closing = this.#servers.map((server) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      return promise;
    });
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closing);
  }

  #credentials() {
    const { keyPem, certificatePem, caPem } = this.#identity;
    return { key: keyPem, cert: certificatePem, ca: caPem, minVersion: "TLSv1.3" } as const;
  }

  #listen({ host, port }: LinkAddress): Promise<void> {
    const server = createServer({
      ...this.#credentials(),
      ALPNProtocols: [ALPN],
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: CONNECT_MS_MAX,
    });
    server.maxConnections = CONNECTIONS_MAX;
    server.on("secureConnection", (socket) => this.#begin(socket));
    server.on("tlsClientError", (cause, socket) => {
      this.#logTrouble(cause.message);
      socket.destroy();
    });
    this.#servers.push(server);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.removeListener("error", reject);
      server.on("error", (cause) => this.#options.log(`link listener: ${cause.message}`));
      resolve();
    });
    return promise;
  }

  #connect(): void {
    if (this.#isClosed) return;
    const { peerAddresses, peerId } = this.#options;
    const address = peerAddresses[this.#attempt % peerAddresses.length];
    this.#attempt += 1;
    if (address === undefined) return;
    const socket = connect({
      ...address,
      ...this.#credentials(),
      ALPNProtocols: [ALPN],
      servername: peerId,
      rejectUnauthorized: true,
      // The names are judged in #begin, by the rule that the listening side has too.
      checkServerIdentity: () => undefined,
    });
    this.#sockets.add(socket);
    const timer = setTimeout(() => socket.destroy(), CONNECT_MS_MAX);
    let hasBegun = false;
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      hasBegun = this.#begin(socket);
    });
    socket.on("error", (cause) => this.#logTrouble(cause.message));
    socket.once("close", () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
      if (!hasBegun) this.#connectLater();
    });
  }

  #connectLater(): void {
    const { self, peerId } = this.#options;
    if (this.#isClosed || self.nodeId > peerId || this.#retry !== null) return;
    const ceilingMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_FIRST * 2 ** Math.min(this.#attempt, 10));
    // Jitter: nodes that lost each other at one moment shall not knock at one moment.
    const waitMs = randomInt(Math.ceil(ceilingMs / 2), ceilingMs + 1);
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#connect();
    }, waitMs);
  }

  /** A handshake is done. False: the other end is nobody we talk to. */
  #begin(socket: TLSSocket): boolean {
    const { clusterId, peerId, self } = this.#options;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const stranger = strangerReason(socket, { clusterId, peerId });
    if (stranger !== null || this.#isClosed) {
      this.#logTrouble(stranger ?? "this agent stops");
      socket.on("error", () => {});
      socket.destroy();
      return false;
    }
    const session: LinkSession = new LinkSession(socket, self, peerId, {
      onUp: (peer) => this.#up(session, peer),
      onMessage: (message) => {
        if (session !== this.#session) return;
        for (const listener of this.#messageListeners) listener(message);
      },
      onEnd: (reason) => this.#down(session, reason),
    });
    return true;
  }

  #up(session: LinkSession, peer: PeerHello): void {
    const was = this.#session;
    const live = was?.peer?.instanceId;
    if (was !== null && live !== undefined && live !== peer.instanceId) {
      // Two agents with one identity: a cloned machine. A restarted agent is not mistaken for one,
      // as the kernel closes the connections of a process that ends.
      if (performance.now() - was.heardAtMs < ALIVE_MS) {
        session.refuse(`${peer.nodeId} already runs from instance ${live}`);
        for (const listener of this.#duplicateListeners) listener(peer.instanceId, live);
        return;
      }
    }
    this.#session = session;
    this.#attempt = 0;
    was?.end("a newer connection has replaced it");
    for (const listener of this.#upListeners) listener(session.keys, peer, session.certificatePem);
  }

  #down(session: LinkSession, reason: string): void {
    if (reason.startsWith("refused: ")) this.#logTrouble(reason);
    if (session === this.#session) {
      this.#session = null;
      for (const listener of this.#downListeners) listener(reason);
    }
    if (this.#session === null) this.#connectLater();
  }

  #logTrouble(reason: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#troubleLoggedAtMs < TROUBLE_LOG_MS) return;
    this.#troubleLoggedAtMs = nowMs;
    this.#options.log(`link to ${this.#options.peerId}: ${reason}`);
  }
}
