import type { HeartbeatLink } from "#model/contract/report.ts";
import type { BootMs, ModuleId, NodeId } from "#model/shared/ids.ts";
import type { Heartbeats, HeartbeatView, PeerStateMessage } from "./peer/heartbeats.ts";
import type { PeerLink } from "./peer/link.ts";
import type { SessionKeys } from "./peer/session-keys.ts";
import type { PeerAddress } from "./replication/engine.ts";

/** What a module wants to hear of the peer. */
export interface PeerListener {
  onView(view: HeartbeatView): void;
  onPeerState(message: PeerStateMessage): void;
  onSession(keys: SessionKeys): void;
  /** Where the peer's data thread of this module listens. */
  onPeerListens(addresses: readonly PeerAddress[]): void;
}

export type PeeringOptions = {
  readonly peerId: NodeId;
  /** The peer's addresses, by network, best first. */
  readonly peerHosts: readonly string[];
  readonly link: PeerLink;
  readonly heartbeats: Heartbeats;
  readonly detectAfterMs: number;
  nowBootMs(): BootMs;
};

const TOPIC = "replication";

/**
 * This node's other half, shared by all modules: heartbeats, the mutual-TLS link and its session
 * keys, and where each module's replication listens. Everything told is told again whenever the
 * link comes up, so an agent that restarts misses nothing.
 */
export class Peering {
  readonly #options: PeeringOptions;
  readonly #listeners = new Map<ModuleId, PeerListener>();
  readonly #ports = new Map<ModuleId, number>();
  readonly #peerPorts = new Map<ModuleId, number>();
  #keys: SessionKeys | null = null;
  #view: HeartbeatView | null = null;

  constructor(options: PeeringOptions) {
    this.#options = options;
    const { link, heartbeats } = options;
    link.onSessionUp((keys) => {
      this.#keys = keys;
      heartbeats.addSession(keys);
      for (const listener of this.#listeners.values()) listener.onSession(keys);
      this.#tellPorts();
    });
    link.onMessage(({ topic, body }) => {
      if (topic === TOPIC) this.#onPorts(body);
    });
    heartbeats.onView((view) => {
      this.#view = view;
      for (const listener of this.#listeners.values()) listener.onView(view);
    });
    heartbeats.onPeerState((message) => {
      this.#listeners.get(message.moduleId)?.onPeerState(message);
    });
  }

  get heartbeats(): Heartbeats {
    return this.#options.heartbeats;
  }

  join(moduleId: ModuleId, listener: PeerListener): void {
    this.#listeners.set(moduleId, listener);
    if (this.#keys !== null) listener.onSession(this.#keys);
    if (this.#view !== null) listener.onView(this.#view);
    const port = this.#peerPorts.get(moduleId);
    if (port !== undefined) listener.onPeerListens(this.#addresses(port));
  }

  leave(moduleId: ModuleId): void {
    this.#listeners.delete(moduleId);
    this.#ports.delete(moduleId);
  }

  /** Our data thread of this module listens there. */
  listens(moduleId: ModuleId, port: number): void {
    this.#ports.set(moduleId, port);
    this.#tellPorts();
  }

  /** Heartbeat networks, for reports. */
  links(): readonly HeartbeatLink[] {
    const { peerId, nowBootMs, detectAfterMs } = this.#options;
    const nowMs = nowBootMs();
    return (this.#view?.networks ?? []).map((network) => {
      const heardMs = network.lastHeardBootMs;
      const silentMs = heardMs === null ? null : Math.max(0, Math.round(nowMs - heardMs));
      return {
        peer: peerId,
        network: network.name,
        up: silentMs !== null && silentMs < detectAfterMs,
        roundTripMs: network.roundTripMs,
        lossRatio: network.lossRatio,
        lastHeardMs: silentMs,
      };
    });
  }

  async close(): Promise<void> {
    await this.#options.link.close();
    await this.#options.heartbeats.close();
  }

  #tellPorts(): void {
    this.#options.link.send(TOPIC, { ports: Object.fromEntries(this.#ports) });
  }

  #onPorts(body: unknown): void {
    if (typeof body !== "object" || body === null || !("ports" in body)) return;
    for (const [moduleId, port] of Object.entries(body.ports ?? {})) {
      if (!Number.isInteger(port) || port < 1 || port > 65_535) continue;
      this.#peerPorts.set(moduleId, port);
      this.#listeners.get(moduleId)?.onPeerListens(this.#addresses(port));
    }
  }

  #addresses(port: number): readonly PeerAddress[] {
    return this.#options.peerHosts.map((host) => ({ host, port }));
  }
}
