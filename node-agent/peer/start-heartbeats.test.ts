import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { afterEach, expect, test } from "vitest";
import { bootMs } from "../adapters/linux/clock.ts";
import type { Heartbeats, HeartbeatView, PeerStateMessage } from "./heartbeats.ts";
import { LeaseCell } from "./lease-cell.ts";
import { startHeartbeats } from "./start-heartbeats.ts";
import { samplePeerState } from "./testing/sample-peer-state.ts";

/** The real thread, real sockets on loopback, and a relay between them that loses what it is told to. */

const cleanUps: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function bound(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return { socket, port: socket.address().port };
}

async function freePort(): Promise<number> {
  const { socket, port } = await bound();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

/** Forwards datagrams to a port, unless told to lose them. */
async function startRelay(toPort: number) {
  const { socket, port } = await bound();
  const relay = { port, loses: (): boolean => false };
  socket.on("message", (datagram) => {
    if (!relay.loses()) socket.send(datagram, toPort, "127.0.0.1");
  });
  cleanUps.push(() => new Promise<void>((resolve) => socket.close(resolve)));
  return relay;
}

async function pair() {
  const [port1, port2] = [await freePort(), await freePort()];
  const [to1, to2] = [await startRelay(port1), await startRelay(port2)];
  const keys = {
    sessionId: randomBytes(16),
    heartbeatKey: randomBytes(32),
    replicationKey: randomBytes(32),
  };
  const start = async (nodeId: string, localPort: number, peerPort: number) => {
    const [localAddress, peerAddress] = ["127.0.0.1", "127.0.0.1"];
    const heartbeats: Heartbeats = await startHeartbeats({
      nodeId,
      instanceId: `${nodeId}-1`,
      bootId: "boot",
      heartbeatMs: 50,
      hangAfterMs: 5_000,
      networks: [{ name: "lan", localAddress, localPort, peerAddress, peerPort }],
      guardDescriptor: null,
    });
    cleanUps.push(() => heartbeats.close());
    const cell = new LeaseCell();
    const views: HeartbeatView[] = [];
    const states: PeerStateMessage[] = [];
    heartbeats.onView((view) => views.push(view));
    heartbeats.onPeerState((message) => states.push(message));
    heartbeats.setModule({ moduleId: "shop", cell });
    heartbeats.addSession({ ...keys, peerId: nodeId === "node1" ? "node2" : "node1" });
    return { heartbeats, cell, views, states };
  };
  const one = await start("node1", port1, to2.port);
  const two = await start("node2", port2, to1.port);
  return { one, two, to1, to2 };
}

test("a primary's grant lives by its peer's promises and ends in time without them", async () => {
  const { one, two, to1 } = await pair();
  one.cell.serve(7);
  one.heartbeats.seekGrant("shop", 7);
  await two.heartbeats.promise("shop", { epoch: 7, peerLeaseMs: 400 });
  await until(() => one.cell.isLive(bootMs()), "the grant begins");
  // A third of all answers is lost, and the grant stays alive all the same.
  let n = 0;
  to1.loses = () => {
    n += 1;
    return n % 3 === 0;
  };
  const beforeMs = bootMs();
  await until(() => {
    expect(one.cell.isLive(bootMs())).toBe(true);
    return bootMs() - beforeMs > 1_000;
  }, "a second under loss");
  const closed = await two.heartbeats.promise("shop", null);
  const endsMs = closed.lastPromiseEndsBootMs ?? 0;
  expect(one.cell.leaseUntilBootMs()).toBeLessThan(endsMs);
  await until(() => !one.cell.isLive(bootMs()), "the grant ends");
  expect(bootMs()).toBeLessThan(endsMs);
});

test("what one publishes reaches the other at once, and again from a fresh view", async () => {
  const { one, two } = await pair();
  const state = samplePeerState("shop", "node1");
  one.heartbeats.publish("shop", state);
  await until(() => two.states.length > 0, "the state arrives");
  expect(two.states[0]).toMatchObject({ moduleId: "shop", state, peerInstanceId: "node1-1" });
  await until(() => (one.views.at(-1)?.networks[0]?.roundTripMs ?? 0) > 0, "a round trip");
  expect(two.views.at(-1)?.peerInstanceId).toBe("node1-1");
});

test("a cut wire is seen as silence, and heals by itself", async () => {
  const { one, two, to1, to2 } = await pair();
  await until(() => (one.views.at(-1)?.lastAnsweredBootMs ?? 0) > 0, "they hear each other");
  to1.loses = () => true;
  to2.loses = () => true;
  await until(() => {
    const { atBootMs = 0, lastHeardBootMs = null } = two.views.at(-1) ?? {};
    return atBootMs - (lastHeardBootMs ?? 0) > 300;
  }, "silence");
  to1.loses = () => false;
  to2.loses = () => false;
  const healedMs = bootMs();
  await until(() => (two.views.at(-1)?.lastHeardBootMs ?? 0) > healedMs, "heard again");
});

test("an address that is not there yet is bound as soon as it is", async () => {
  const { socket, port } = await bound();
  const failures: string[] = [];
  const heartbeats = await startHeartbeats({
    nodeId: "node1",
    instanceId: "i",
    bootId: "b",
    heartbeatMs: 50,
    hangAfterMs: 5_000,
    networks: [
      {
        name: "lan",
        localAddress: "127.0.0.1",
        localPort: port,
        peerAddress: "127.0.0.1",
        peerPort: port,
      },
    ],
    guardDescriptor: null,
  });
  cleanUps.push(() => heartbeats.close());
  heartbeats.onNetworkFailed((network, detail) => failures.push(`${network}: ${detail}`));
  await until(() => failures.length > 0, "the failure is said");
  expect(failures[0]).toContain("lan: bind EADDRINUSE");
  await new Promise<void>((resolve) => socket.close(resolve));
  const views: HeartbeatView[] = [];
  heartbeats.onView((view) => views.push(view));
  const keys = {
    sessionId: randomBytes(16),
    heartbeatKey: randomBytes(32),
    replicationKey: randomBytes(32),
  };
  heartbeats.addSession({ ...keys, peerId: "node2" });
  // Its own datagrams come back to it: sealed for the other direction, so counted as forged.
  await until(() => (views.at(-1)?.dropped.unauthentic ?? 0) > 0, "it hears again");
});
