import { beforeEach, expect, test } from "vitest";
import type { Heartbeats, HeartbeatView } from "./peer/heartbeats.ts";
import type { LinkMessage, PeerLink, SessionUpListener } from "./peer/link.ts";
import type { SessionKeys } from "./peer/session-keys.ts";
import { Peering } from "./peering.ts";

const NEVER = { lastHeardBootMs: null, roundTripMs: null, lossRatio: 1 };
const VIEW: HeartbeatView = {
  ...{ atBootMs: 1, lastHeardBootMs: null, lastAnsweredBootMs: null },
  ...{ peerInstanceId: null, peerBootId: null, grants: {} },
  networks: [
    { name: "a", lastHeardBootMs: 9_500, roundTripMs: 0.4, lossRatio: 0 },
    { name: "b", ...NEVER },
  ],
  dropped: { malformed: 0, unknownSession: 0, unauthentic: 0, replayed: 0 },
  ...{ hungModules: [], hasHungMainThread: false, lastListedBootMs: {} },
};
const KEYS: SessionKeys = {
  sessionId: Buffer.alloc(16, 1),
  heartbeatKey: Buffer.alloc(32, 2),
  replicationKey: Buffer.alloc(32, 3),
  peerId: "node2",
};

let heard: string[];
let sent: unknown[];
let sessionUp: SessionUpListener;
let message: (message: LinkMessage) => void;
let view: (view: HeartbeatView) => void;
let peering: Peering;
beforeEach(() => {
  [heard, sent] = [[], []];
  const link: PeerLink = {
    isUp: true,
    send: (topic, body) => sent.push([topic, body]) > 0,
    onMessage: (listener) => {
      message = listener;
    },
    onSessionUp: (listener) => {
      sessionUp = listener;
    },
    onSessionDown: () => undefined,
    onDuplicatePeer: () => undefined,
    replaceIdentity: () => undefined,
    close: async () => undefined,
  };
  const heartbeats: Heartbeats = {
    setModule: () => undefined,
    removeModule: () => undefined,
    publish: () => undefined,
    seekGrant: () => undefined,
    promise: async () => ({ lastPromiseEndsBootMs: null, longestPromiseMs: 0 }),
    addSession: () => heard.push("heartbeats have keys"),
    guard: () => undefined,
    onPeerState: () => undefined,
    onView: (listener) => {
      view = listener;
    },
    onGuardLost: () => undefined,
    onNetworkFailed: () => undefined,
    onFailure: () => undefined,
    close: async () => undefined,
  };
  peering = new Peering({
    ...{ peerId: "node2", peerHosts: ["127.0.0.2", "127.0.0.3"], link, heartbeats },
    ...{ detectAfterMs: 600, nowBootMs: () => 10_000 },
  });
});

const join = (moduleId: string) =>
  peering.join(moduleId, {
    onView: () => heard.push(`${moduleId} view`),
    onPeerState: () => heard.push(`${moduleId} state`),
    onSession: () => heard.push(`${moduleId} keys`),
    onPeerListens: (at) =>
      heard.push(`${moduleId} ${at.map(({ host, port }) => `${host}:${port}`)}`),
  });
const linkUp = () =>
  sessionUp(KEYS, { nodeId: "node2", instanceId: "i", bootId: "b", agentVersion: "1" }, "pem");

test("a module that joins late hears what was told before", () => {
  linkUp();
  message({ topic: "replication", body: { ports: { shop: 7410 } } });
  view(VIEW);
  join("shop");
  expect(heard).toEqual([
    "heartbeats have keys",
    "shop keys",
    "shop view",
    "shop 127.0.0.2:7410,127.0.0.3:7410",
  ]);
});

test("where this node listens is told at once, and again whenever the link comes up", () => {
  peering.listens("shop", 7410);
  peering.listens("files", 7411);
  linkUp();
  const both = ["replication", { ports: { shop: 7410, files: 7411 } }];
  expect(sent).toEqual([["replication", { ports: { shop: 7410 } }], both, both]);
  peering.leave("files");
  linkUp();
  expect(sent.at(-1)).toEqual(["replication", { ports: { shop: 7410 } }]);
});

test("what is no port is not connected to", () => {
  join("shop");
  for (const port of [0, 65_536, "7410", 1.5, null]) {
    message({ topic: "replication", body: { ports: { shop: port } } });
  }
  for (const body of [null, "x", {}, { ports: null }]) message({ topic: "replication", body });
  message({ topic: "something else", body: { ports: { shop: 7410 } } });
  expect(heard).toEqual([]);
});

test("a module that left hears nothing more", () => {
  join("shop");
  peering.leave("shop");
  view(VIEW);
  linkUp();
  expect(heard).toEqual(["heartbeats have keys"]);
});

test("a network is up while its last heartbeat is young enough", () => {
  view(VIEW);
  expect(peering.links()).toMatchObject([
    { network: "a", up: true, lastHeardMs: 500 },
    { network: "b", up: false, lastHeardMs: null },
  ]);
});
