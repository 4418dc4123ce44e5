import type { Heartbeats, HeartbeatView } from "../../peer/heartbeats.ts";
import type { PeerLink } from "../../peer/link.ts";
import { Peering } from "../../peering.ts";

/** A peering whose peer is never heard of, and what was told to the guard through it. */
export class QuietPeering {
  readonly guarded: unknown[] = [];
  readonly peering: Peering;
  #onView: (view: HeartbeatView) => void = () => undefined;

  constructor(nowBootMs: () => number) {
    this.peering = new Peering({
      ...{ peerId: "node2", peerHosts: ["127.0.0.1"], detectAfterMs: 1_500, nowBootMs },
      ...{ link: this.#link(), heartbeats: this.#heartbeats() },
    });
  }

  /** As the heartbeat thread says it all the time. */
  tick(atBootMs: number): void {
    this.#onView({
      ...{ atBootMs, lastHeardBootMs: null, lastAnsweredBootMs: null },
      ...{ peerInstanceId: null, peerBootId: null, grants: {}, networks: [], lastListedBootMs: {} },
      dropped: { malformed: 0, unknownSession: 0, unauthentic: 0, replayed: 0 },
      ...{ hungModules: [], hasHungMainThread: false },
    });
  }

  #link(): PeerLink {
    return {
      isUp: false,
      onSessionUp: () => undefined,
      onSessionDown: () => undefined,
      onMessage: () => undefined,
      onDuplicatePeer: () => undefined,
      send: () => false,
      replaceIdentity: () => undefined,
      close: async () => undefined,
    };
  }

  #heartbeats(): Heartbeats {
    return {
      setModule: () => undefined,
      removeModule: () => undefined,
      publish: () => undefined,
      seekGrant: () => undefined,
      promise: async () => ({ lastPromiseEndsBootMs: null, longestPromiseMs: 0 }),
      addSession: () => undefined,
      guard: (_moduleId, what) => this.guarded.push(what),
      onPeerState: () => undefined,
      onView: (listener) => {
        this.#onView = listener;
      },
      onGuardLost: () => undefined,
      onNetworkFailed: () => undefined,
      onFailure: () => undefined,
      close: async () => undefined,
    };
  }
}
